import type { Cluster } from '../cluster/cluster.ts';
import { identityOf } from '../manifest/identity.ts';
import type { UnitNeed, UnitNeeds } from '../manifest/needs.ts';
import {
  describedName,
  fileOfUnit,
  type KubeObject,
  type Manifest,
  placesOf,
  type Problem,
  refOf,
  unitOf,
} from '../manifest/types.ts';
import { firstUnready, madeBy } from './unready.ts';

export interface WaitingUnits {
  /**
   * Why units wait, by unit. Only those are looked at of which something is not applied as it is now, so that nothing is asked where nothing
   * changes. Throws CLUSTER_UNREACHABLE.
   */
  waiting(
    manifests: readonly Manifest[],
    needs: UnitNeeds | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Problem>>;
  /** These are applied, but for objects with such an identity, with a namespace or without. */
  applied(manifests: readonly Manifest[], isFailed: (object: KubeObject) => boolean): void;
}

/** Knows what of the units that others depend on is applied as it is now. */
export function createWaitingUnits(cluster: Pick<Cluster, 'get' | 'resource'>): WaitingUnits {
  /** Objects as Git says them, which are the same as long as nothing of them changes. */
  const settled = new WeakSet<KubeObject>();

  /** Without what a unit makes that waits for one which describes it. */
  const reasonFor = async (
    need: UnitNeed,
    unit: string,
    manifests: readonly Manifest[],
    signal: AbortSignal,
  ): Promise<string | undefined> => {
    const own = madeBy(need, manifests, unit);
    if (own.some(({ object }) => !settled.has(object))) return `${need.name}, which is not applied yet`;
    const found = await firstUnready(cluster, { checks: need.checks, made: own, all: manifests }, signal);
    return found && `${need.name}, whose ${found.reason}`;
  };

  return {
    async waiting(manifests, needs, signal) {
      const found = new Map<string, Problem>();
      if (!needs || needs.size === 0) return found;
      const open = new Map<string, Manifest>();
      for (const manifest of manifests)
        for (const unit of placesOf(unitOf(manifest.origin)))
          if (needs.has(unit) && !open.has(unit) && !settled.has(manifest.object)) open.set(unit, manifest);
      const known = new Map<string, Promise<string | undefined>>();
      for (const [unit, { origin }] of open) {
        for (const need of needs.get(unit) ?? []) {
          const key = JSON.stringify([need.unit, need.checks, placesOf(unit).includes(need.unit) ? unit : '']);
          const asked = known.get(key) ?? reasonFor(need, unit, manifests, signal);
          known.set(key, asked);
          const why = await asked;
          if (why === undefined) continue;
          const shown = unit.includes('#') ? describedName(unit) : unit;
          const message = `${shown} waits for ${why}`;
          const hint = 'what is new of it is applied after that; what the cluster has of it stays as it is';
          found.set(unit, {
            severity: 'warning',
            path: fileOfUnit(unit),
            line: origin.path === fileOfUnit(unit) ? origin.line : 1,
            message,
            hint,
          });
          break;
        }
      }
      return found;
    },
    applied(manifests, isFailed) {
      for (const { object } of manifests)
        if (isFailed(object)) settled.delete(object);
        else settled.add(object);
    },
  };
}

/** Whether an object is among these identities, also where its kind turned out to have no namespace. */
export function isAmong(keys: ReadonlySet<string>): (object: KubeObject) => boolean {
  return (object) => {
    if (keys.has(identityOf(object))) return true;
    const { namespace: _namespace, ...rest } = refOf(object);
    return keys.size > 0 && keys.has(identityOf({ ...object, metadata: rest as KubeObject['metadata'] }));
  };
}
