import { messageOf } from '../../lib/errors.ts';
import { claim } from './claims.ts';
import type { Recorder } from './events.ts';
import type { Pod, ReplicaSet, ReplicaSetStatus } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { type Objects, randomSuffix, splitKey, timestamp } from './objects.ts';
import { desiredReplicas } from './rollout.ts';

export interface ReplicaSetContext {
  readonly objects: Objects;
  readonly lookup: Lookup;
  readonly record: Recorder;
  readonly now: () => number;
  /** Asks to be called again: pods become available by the passing of minReadySeconds. */
  readonly later: (key: string, ms: number) => void;
}

/** One pass over one ReplicaSet: creates or deletes pods, counts them, writes the status. */
export function reconcileReplicaSet(context: ReplicaSetContext, key: string): void {
  const { namespace, name } = splitKey(key);
  const set = context.objects.get('ReplicaSet', namespace, name);
  if (!set) return;
  const pods = claim(context, 'Pod', set).filter(isActive);
  const failure = set.metadata.deletionTimestamp ? undefined : fit(context, set, pods);
  const now = claim(context, 'Pod', set).filter(isActive);
  writeStatus(context, set, now, failure);
}

export function isActive(pod: Pod): boolean {
  return !pod.metadata.deletionTimestamp && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

export function isReady(pod: Pod): boolean {
  return readySince(pod) !== undefined;
}

function readySince(pod: Pod): number | undefined {
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') : undefined;
}

/** How long until a pod has been ready for `minReadySeconds`; 0: it has, undefined: it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number | undefined, nowMs: number): number | undefined {
  const sinceMs = readySince(pod);
  if (sinceMs === undefined) return undefined;
  return minReadySeconds ? Math.max(0, sinceMs + minReadySeconds * 1_000 - nowMs) : 0;
}

/** Returns why pods could not be created. */
function fit(context: ReplicaSetContext, set: ReplicaSet, pods: readonly Pod[]): string | undefined {
  const missing = desiredReplicas(set) - pods.length;
  try {
    for (let count = 0; count < missing; count += 1) createPod(context, set);
  } catch (error) {
    const message = messageOf(error);
    context.record(set, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${message}` });
    return message;
  }
  for (const pod of [...pods].sort(leastWanted).slice(0, Math.max(0, -missing))) {
    context.objects.remove(pod);
    context.record(set, { reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` });
  }
  return undefined;
}

function createPod({ objects, record }: ReplicaSetContext, set: ReplicaSet): void {
  const { template } = set.spec;
  const name = `${set.metadata.name}-${randomSuffix()}`;
  objects.create('Pod', {
    metadata: {
      name,
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace,
      ...(template.metadata?.labels ? { labels: { ...template.metadata.labels } } : {}),
      ...(template.metadata?.annotations ? { annotations: { ...template.metadata.annotations } } : {}),
      ownerReferences: [
        {
          apiVersion: set.apiVersion,
          kind: set.kind,
          name: set.metadata.name,
          uid: set.metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: structuredClone(template.spec),
  });
  record(set, { reason: 'SuccessfulCreate', message: `Created pod: ${name}` });
}

/** Pods to delete first: not scheduled, then not running, then not ready, then the youngest. */
function leastWanted(a: Pod, b: Pod): number {
  const value = (pod: Pod): number =>
    (pod.spec.nodeName ? 4 : 0) + (pod.status?.phase === 'Running' ? 2 : 0) + (isReady(pod) ? 1 : 0);
  return value(a) - value(b) || (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1);
}

function writeStatus(
  { objects, now, later }: ReplicaSetContext,
  set: ReplicaSet,
  pods: readonly Pod[],
  failure: string | undefined,
): void {
  const untilAvailable = pods.flatMap((pod) => availableInMs(pod, set.spec.minReadySeconds, now()) ?? []);
  const available = untilAvailable.filter((ms) => ms <= 0).length;
  const soon = Math.min(...untilAvailable.filter((ms) => ms > 0));
  if (Number.isFinite(soon)) later(`${set.metadata.namespace ?? ''}/${set.metadata.name}`, soon);
  const labels = Object.entries(set.spec.template.metadata?.labels ?? {});
  const labelled = pods.filter((pod) => labels.every(([label, value]) => pod.metadata.labels?.[label] === value));

  objects.changeStatus<'ReplicaSet'>(set, (draft) => {
    const before = draft.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
    const condition = {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: before?.lastTransitionTime ?? timestamp(now()),
      reason: 'FailedCreate',
      message: failure ?? '',
    };
    const status: ReplicaSetStatus = { replicas: pods.length, observedGeneration: set.metadata.generation ?? 1 };
    if (labelled.length > 0) status.fullyLabeledReplicas = labelled.length;
    if (untilAvailable.length > 0) status.readyReplicas = untilAvailable.length;
    if (available > 0) status.availableReplicas = available;
    if (failure !== undefined) status.conditions = [condition];
    draft.status = status;
  });
  if (failure !== undefined) throw new Error(failure);
}
