import { parseCanary } from '../canary/parse.ts';
import { finalizer } from '../canary/phases/terminate.ts';
import { daemonset } from '../canary/targets/daemonset.ts';
import { pausedReplicas, scaledObject } from '../canary/scalers/scaled-object.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { identitiesOf, identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import {
  groupOf,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type Problem,
  refKey,
  refOf,
} from '../manifest/types.ts';
import { keptReplicas } from './annotations.ts';
import type { Inventory } from './inventory.ts';

/** Canaries of the cluster that Git does not name (any more, or in a file that cannot be read). */
export interface Leaving {
  /** Those that stay for now: what they govern is still theirs. */
  readonly staying: readonly KubeObject[];
  /** Their targets, as far as those are not to be scaled up so that the Canary can go; by refKey. */
  readonly targets: ReadonlySet<string>;
  /** Apex services that still have to lead to the primary, by refKey. */
  readonly services: ReadonlySet<string>;
  /** Canaries that are to be deleted and cannot go yet, by identityKey. */
  readonly waiting: ReadonlySet<string>;
  /** Canaries hand back what is theirs, in this moment: once they have gone, it is Git's. */
  readonly isHandingBack: boolean;
  readonly problems: readonly Problem[];
}

interface CanaryFields {
  readonly targetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string };
  readonly service?: { readonly name?: string };
  readonly revertOnDeletion?: boolean;
  readonly autoscalerRef?: { readonly kind?: string; readonly name?: string };
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
      const spec = canary?.['spec'] as CanaryFields | undefined;
      const name = spec?.targetRef?.name;
      if (!canary || !spec || name === undefined) continue;
      const namespace = ref.namespace ?? '';
      const { apiVersion = 'apps/v1', kind = 'Deployment' } = spec.targetRef ?? {};
      const target = wanted.get(identityKey({ apiVersion, kind, namespace, name }));
      if (going.has(key)) {
        if (!target) continue;
        const doesHandBack = spec.revertOnDeletion === true || isUnderstood(canary);
        const mayGo = spec.revertOnDeletion === true || (await isUp({ target, spec, doesHandBack }, cluster, signal));
        if (mayGo) await keepSize(target, spec, cluster, signal);
        if (mayGo && !doesHandBack) continue;
        if (mayGo) {
          if (spec.revertOnDeletion !== true) await handOver(canary, cluster, signal);
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
      // A Service that is released itself is Git's.
      if (kind !== 'Service')
        services.add(refKey({ apiVersion: 'v1', kind: 'Service', namespace, name: spec.service?.name ?? name }));
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

const isCanary = ({ apiVersion, kind }: ObjectRef): boolean =>
  kind === 'Canary' && groupOf(apiVersion) === 'flagger.app';

async function isEverywhere(live: KubeObject, cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  if (daemonset.scaling?.replicasOf(live) === 0) {
    await cluster.mergePatch(refOf(live), daemonset.scaling.patch(1), { manager: 'serin-scale' }, signal);
    return false;
  }
  const {
    observedGeneration = 0,
    desiredNumberScheduled = 0,
    numberAvailable = 0,
  } = (live['status'] ?? {}) as {
    observedGeneration?: number;
    desiredNumberScheduled?: number;
    numberAvailable?: number;
  };
  return observedGeneration >= (live.metadata.generation ?? 0) && numberAvailable >= desiredNumberScheduled;
}

/** Git's number does not take pods from a target that was left more, before somebody has thought of that: see `keptReplicas`. */
async function keepSize(
  target: KubeObject,
  { autoscalerRef }: CanaryFields,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const { replicas } = (target['spec'] ?? {}) as { replicas?: unknown };
  if (target.kind !== 'Deployment' || typeof replicas !== 'number') return;
  const live = await cluster.get(refOf(target), signal);
  const primary = live && (await primaryOf(live, cluster, signal));
  if (!live || !primary) return;
  const isLess = autoscalerRef === undefined && replicas > 0 && replicas < replicasOf(primary);
  const wanted = isLess ? String(replicas) : undefined;
  if (live.metadata.annotations?.[keptReplicas] === wanted) return;
  const patch = { metadata: { annotations: { [keptReplicas]: wanted ?? null } } };
  await cluster.mergePatch(refOf(live), patch, { manager: 'serin-scale' }, signal);
}

interface Leaver {
  readonly target: KubeObject;
  readonly spec: CanaryFields;
  /** It gives the target as many pods as its primary has before it leads anybody there. */
  readonly doesHandBack: boolean;
}

/** Whether a target can take all traffic; scales it up where it stands at zero, or is smaller than its primary. */
async function isUp(
  { target, spec: canary, doesHandBack }: Leaver,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<boolean> {
  const live = await cluster.get(refOf(target), signal);
  if (!live || live.kind === 'Service') return true;
  if (live.kind === 'DaemonSet') return isEverywhere(live, cluster, signal);
  const { replicas: written = 1 } = (target['spec'] ?? {}) as { replicas?: number };
  const isSized = doesHandBack && !canary.autoscalerRef;
  const inGit = written === 0 ? 0 : Math.max(written, isSized ? 1 : replicasOf(await primaryOf(live, cluster, signal)));
  await resumeScaler(live, canary, cluster, signal);
  const { replicas = 1 } = (live['spec'] ?? {}) as { replicas?: number };
  const status = (live['status'] ?? {}) as { availableReplicas?: number; observedGeneration?: number };
  if (inGit === 0) return true;
  if (replicas === 0 || (replicas < inGit && !doesHandBack)) {
    await cluster.mergePatch(refOf(live), { spec: { replicas: inGit } }, { manager: 'serin-scale' }, signal);
    return false;
  }
  const isSeen = (status.observedGeneration ?? 0) >= (live.metadata.generation ?? 0);
  return isSeen && (status.availableReplicas ?? 0) >= replicas;
}

function primaryOf(
  { apiVersion, kind, metadata }: KubeObject,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const { namespace = '', name } = metadata;
  return cluster.get({ apiVersion, kind, namespace, name: `${name}-primary` }, signal);
}

function replicasOf(workload: KubeObject | undefined): number {
  return Math.max((workload?.['spec'] as { replicas?: number } | undefined)?.replicas ?? 1, 1);
}

/** KEDA would keep the target at zero: an idle Canary has its ScaledObject paused. */
async function resumeScaler(
  { metadata }: KubeObject,
  { autoscalerRef }: CanaryFields,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<void> {
  if (autoscalerRef?.kind !== 'ScaledObject' || autoscalerRef.name === undefined) return;
  const { namespace = '' } = metadata;
  const scaler = await cluster.get({ ...scaledObject.ref, namespace, name: autoscalerRef.name }, signal);
  if (!scaler || scaledObject.paused?.(scaler, false) === scaler) return;
  const patch = { metadata: { annotations: { [pausedReplicas]: null } } };
  await cluster.mergePatch(refOf(scaler), patch, { manager: 'serin-scale' }, signal);
}
