import { keysOfRoute } from '../canary/app.ts';
import { finalizer, footprintOf, isCanary } from '../canary/footprint.ts';
import { handBack, sizeInGit, pausedScalerOf } from '../canary/hand-back.ts';
import { primaryName } from '../canary/names.ts';
import { parseCanary } from '../canary/parse.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { identitiesOf, identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import { type KubeObject, type Manifest, type Problem, refKey, refOf } from '../manifest/types.ts';
import { keptReplicas } from './annotations.ts';
import type { Inventory } from './inventory.ts';

/** Canaries of the cluster that Git does not name (any more, or in a file that cannot be read). */
export interface Leaving {
  /** Those that stay for now: what they govern is still theirs. */
  readonly staying: readonly KubeObject[];
  /** Their targets, as far as those are not to be scaled up so that the Canary can go, and their users' routes; by refKey. */
  readonly targets: ReadonlySet<string>;
  /** Apex services that still have to lead to the primary, by refKey. */
  readonly services: ReadonlySet<string>;
  /** Canaries that are to be deleted and cannot go yet, by identityKey. */
  readonly waiting: ReadonlySet<string>;
  /** Canaries hand back what is theirs, in this moment: once they have gone, it is Git's. */
  readonly isHandingBack: boolean;
  readonly problems: readonly Problem[];
}

export interface LeavingInput {
  readonly desired: readonly Manifest[];
  readonly inventory: Inventory;
  /** What is to be deleted in this sync, by identityKey. */
  readonly going: ReadonlySet<string>;
  readonly cluster: Cluster;
}

/**
 * A Canary that Git does not name but that still stands governs its target: neither are the replicas Git's, nor may the apex service lead
 * to unjudged pods. With a Canary that goes, its primary goes; until the target, which an idle Canary keeps at zero, is up again, the
 * traffic has nowhere else to be: so the target is scaled first, and the Canary waits for it. Then it hands over what it made. Those with
 * revertOnDeletion do all of that themselves.
 */
export async function leavingCanaries(
  { desired, inventory, going, cluster }: LeavingInput,
  signal: AbortSignal,
): Promise<Leaving> {
  const staying: KubeObject[] = [];
  const targets = new Set<string>();
  const services = new Set<string>();
  const waiting = new Set<string>();
  const problems: Problem[] = [];
  let isHandingBack = false;
  const named = identitiesOf(desired);
  const entries = [...inventory.entries].filter(([key, { ref }]) => isCanary(ref) && !named.has(key));
  if (entries.length > 0) {
    const wanted = new Map(desired.map(({ object }) => [identityOf(object), object]));
    for (const [key, { ref, path }] of entries) {
      const canary = await cluster.get(ref, signal);
      const footprint = canary && footprintOf(canary);
      if (!canary || !footprint?.target) continue;
      const target = wanted.get(identityKey(footprint.target));
      if (going.has(key)) {
        if (!target) continue;
        const doesHandBack = footprint.handsBack || isUnderstood(canary);
        const leaver = { canary, target, doesHandBack };
        const mayGo = footprint.handsBack || (await isUp(leaver, cluster, signal));
        if (mayGo) await keepSize(leaver, cluster, signal);
        if (mayGo && !doesHandBack) continue;
        if (mayGo) {
          if (!footprint.handsBack) await handOver(canary, cluster, signal);
          // Its target's size and its Services are Git's when it has gone, not while it leads its users.
          isHandingBack = true;
          targets.add(refKey(refOf(target)));
        } else {
          waiting.add(key);
          const message = `${nameOf(ref)} is gone from Git and stays until ${nameOf(refOf(target))} has its pods back`;
          problems.push({ severity: 'warning', path, line: 1, message });
        }
      } else if (target) targets.add(refKey(refOf(target)));
      staying.push(canary);
      for (const route of footprint.route ? keysOfRoute(footprint.route) : []) targets.add(route);
      if (footprint.apex) services.add(refKey(footprint.apex));
    }
  }
  return { staying, targets, services, waiting, isHandingBack, problems };
}

/**
 * What the Canary made (Services, routes) would go with it, and nobody would reach the target: so it is asked to give these away first, as
 * Canaries with revertOnDeletion do. One that cannot be understood would never end.
 */
async function handOver(canary: KubeObject, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { resourceVersion, finalizers = [] } = canary.metadata;
  const metadata = {
    ...(resourceVersion ? { resourceVersion } : {}),
    finalizers: [...new Set([...finalizers, finalizer])],
  };
  await cluster.mergePatch(
    refOf(canary),
    { metadata, spec: { revertOnDeletion: true } },
    { manager: 'serin-scale' },
    signal,
  );
}

function isUnderstood(canary: KubeObject): boolean {
  try {
    parseCanary(canary, { provider: 'kubernetes', minIntervalMs: 0 });
    return true;
  } catch (error) {
    if (error instanceof AgentError) return false;
    throw error;
  }
}

interface Leaver {
  readonly canary: KubeObject;
  /** As Git has it. */
  readonly target: KubeObject;
  readonly doesHandBack: boolean;
}

/** Git's number does not take pods from a target that was left more, before somebody has thought of that: see `keptReplicas`. */
async function keepSize({ canary, target }: Leaver, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const live = await cluster.get(refOf(target), signal);
  const primary = live && (await primaryOf(live, cluster, signal));
  const size = sizeInGit({ canary, written: target, primary });
  if (!live || size === undefined) return;
  const wanted = size === 'none' ? undefined : String(size);
  if (live.metadata.annotations?.[keptReplicas] === wanted) return;
  const patch = { metadata: { annotations: { [keptReplicas]: wanted ?? null } } };
  await cluster.mergePatch(refOf(live), patch, { manager: 'serin-scale' }, signal);
}

/** Whether a target can take all traffic; scales it up where it stands at zero, or is smaller than its primary. */
async function isUp({ canary, target, doesHandBack }: Leaver, cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  const live = await cluster.get(refOf(target), signal);
  if (!live) return true;
  const primary = await primaryOf(live, cluster, signal);
  const scalerRef = pausedScalerOf(canary);
  const scaler = scalerRef && (await cluster.get(scalerRef, signal));
  const { isUp: isEnough, patches } = handBack({
    canary,
    written: target,
    target: live,
    primary,
    scaler,
    doesHandBack,
  });
  for (const { object, patch } of patches)
    await cluster.mergePatch(refOf(object), patch, { manager: 'serin-scale' }, signal);
  return isEnough;
}

function primaryOf(live: KubeObject, cluster: Cluster, signal: AbortSignal): Promise<KubeObject | undefined> {
  const ref = refOf(live);
  return cluster.get({ ...ref, name: primaryName(ref.name) }, signal);
}
