import type { Cluster } from '../cluster/cluster.ts';
import { identityKey, nameOf } from '../manifest/identity.ts';
import { groupOf, type KubeObject, type Manifest, type Problem, refKey, refOf } from '../manifest/types.ts';
import type { Inventory } from './inventory.ts';

/** Canaries that are gone from Git while their target stays. */
export interface Leaving {
  /** Apex services that still have to lead to the primary, by refKey. */
  readonly services: ReadonlySet<string>;
  /** Canaries that cannot go yet, by identityKey. */
  readonly waiting: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

interface CanaryFields {
  readonly targetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string };
  readonly service?: { readonly name?: string };
  readonly revertOnDeletion?: boolean;
}

/**
 * With a Canary its primary goes. Until the target, which an idle Canary keeps at zero, is up again, the traffic has nowhere else to be:
 * so the target is scaled first, and the Canary waits for it. Those with revertOnDeletion do that themselves.
 */
export async function leavingCanaries(
  desired: readonly Manifest[],
  inventory: Inventory,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Leaving> {
  const services = new Set<string>();
  const waiting = new Set<string>();
  const problems: Problem[] = [];
  const none = { services, waiting, problems };
  const entries = [...inventory.entries.values()].filter(
    ({ ref }) => ref.kind === 'Canary' && groupOf(ref.apiVersion) === 'flagger.app',
  );
  if (entries.length === 0) return none;
  const wanted = new Map(desired.map((manifest) => [identityKey(refOf(manifest.object)), manifest]));
  for (const { ref, path } of entries) {
    if (wanted.has(identityKey(ref))) continue;
    const canary = await cluster.get(ref, signal);
    const spec = canary?.['spec'] as CanaryFields | undefined;
    const name = spec?.targetRef?.name;
    if (!spec || name === undefined || spec.revertOnDeletion === true) continue;
    const { apiVersion = 'apps/v1', kind = 'Deployment' } = spec.targetRef ?? {};
    const target = { apiVersion, kind, namespace: ref.namespace ?? '', name };
    const manifest = wanted.get(identityKey(target));
    const live = manifest && (await cluster.get(target, signal));
    if (!manifest || !live || (await isUp(live, manifest.object, cluster, signal))) continue;
    waiting.add(identityKey(ref));
    const service = spec.service?.name ?? name;
    services.add(refKey({ apiVersion: 'v1', kind: 'Service', namespace: target.namespace, name: service }));
    const message = `${nameOf(ref)} is gone from Git and stays until ${nameOf(target)} has its pods back`;
    problems.push({ severity: 'warning', path, line: 1, message });
  }
  return none;
}

/** Whether a target can take all traffic; scales it up where it stands at zero. */
async function isUp(live: KubeObject, target: KubeObject, cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  const { replicas: inGit = 1 } = (target['spec'] ?? {}) as { replicas?: number };
  const { replicas = 1 } = (live['spec'] ?? {}) as { replicas?: number };
  const status = (live['status'] ?? {}) as { availableReplicas?: number; observedGeneration?: number };
  if (inGit === 0 || live.kind === 'DaemonSet') return true;
  if (replicas === 0) {
    await cluster.mergePatch(refOf(live), { spec: { replicas: inGit } }, { manager: 'serin-scale' }, signal);
    return false;
  }
  const isSeen = (status.observedGeneration ?? 0) >= (live.metadata.generation ?? 0);
  return isSeen && (status.availableReplicas ?? 0) >= replicas;
}
