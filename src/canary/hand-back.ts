import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { footprintOf } from './footprint.ts';
import { at, type Json, numberOf, textsOf } from '../lib/json.ts';
import { scalers } from './scalers/registry.ts';
import { targets } from './targets/registry.ts';

/** A Canary that is to go, and what its users depend on, as they stand in the cluster. */
export interface Leaver {
  readonly canary: KubeObject;
  /** The target as Git has it. */
  readonly written: KubeObject;
  /** Absent: there is none. */
  readonly target: KubeObject | undefined;
  /** What serves the users now. Absent: there is none. */
  readonly primary: KubeObject | undefined;
  /** As `pausedScalerOf` names it. Absent: there is none. */
  readonly scaler: KubeObject | undefined;
  /** It gives the target as many pods as its primary has before it leads anybody there. */
  readonly doesHandBack: boolean;
}

/** The autoscaler that may keep its target without pods. Undefined: it names none of such a kind. */
export function pausedScalerOf(canary: KubeObject): ObjectRef | undefined {
  const { autoscaler } = footprintOf(canary);
  return autoscaler && scalers[autoscaler.kind].paused ? autoscaler : undefined;
}

/** A merge patch of an object that stands. */
interface Patch {
  readonly object: KubeObject;
  readonly patch: Json;
}

export interface HandBack {
  /** The target can take all users. */
  readonly isUp: boolean;
  /** What brings its pods back, in this order. */
  readonly patches: readonly Patch[];
}

/**
 * With a Canary that goes, its primary goes; until the target, which an idle Canary keeps at zero, is up again, the users have nowhere else
 * to be. What has no number of pods is always up.
 */
export function handBack({ canary, written, target, primary, scaler, doesHandBack }: Leaver): HandBack {
  const { targetKind, autoscaler } = footprintOf(canary);
  const kind = targets[targetKind];
  const { scaling } = kind;
  if (!target || !scaling) return { isUp: true, patches: [] };
  const patches: Patch[] = [];
  // It would keep the target at zero.
  const awake = scaler && autoscaler && scalers[autoscaler.kind].paused?.(scaler, false);
  if (scaler && awake && awake !== scaler) patches.push({ object: scaler, patch: annotationsPatch(scaler, awake) });
  const asked = numberOf(at(written, 'spec', 'replicas')) ?? 1;
  if (asked === 0) return { isUp: true, patches };
  const isSized = doesHandBack && !isScaled(canary);
  const wanted = Math.max(asked, isSized || !primary ? 1 : scaling.replicasOf(primary));
  const has = scaling.replicasOf(target);
  if (has === 0 || (has < wanted && !doesHandBack)) {
    patches.push({ object: target, patch: scaling.patch(wanted) });
    return { isUp: false, patches };
  }
  const isSeen = (numberOf(at(target, 'status', 'observedGeneration')) ?? 0) >= (target.metadata.generation ?? 0);
  const { wanted: pending = 0, answering = 0 } = kind.pods?.(target) ?? {};
  return { isUp: isSeen && answering >= pending, patches };
}

/**
 * The number of pods that Git asks for where it is less than the primary has, who had all users: they stay until somebody has thought of
 * that. `none`: it is not less. Undefined: this kind has no number of its own, or Git asks for none.
 */
export function sizeInGit({
  canary,
  written,
  primary,
}: Pick<Leaver, 'canary' | 'written' | 'primary'>): number | 'none' | undefined {
  const { scaling, ref } = targets[footprintOf(canary).targetKind];
  const asked = numberOf(at(written, 'spec', 'replicas'));
  if (!scaling?.follow || written.kind !== ref.kind || asked === undefined || !primary) return undefined;
  const isLess = !isScaled(canary) && asked > 0 && asked < Math.max(scaling.replicasOf(primary), 1);
  return isLess ? asked : 'none';
}

const isScaled = (canary: KubeObject): boolean => (at(canary, 'spec', 'autoscalerRef') ?? undefined) !== undefined;

function annotationsPatch(before: KubeObject, after: KubeObject): Json {
  const [old, now] = [textsOf(before.metadata.annotations), textsOf(after.metadata.annotations)];
  const gone = Object.keys(old).filter((name) => !Object.hasOwn(now, name));
  const changed = Object.entries(now).filter(([name, value]) => old[name] !== value);
  return { metadata: { annotations: Object.fromEntries([...gone.map((name) => [name, null]), ...changed]) } };
}
