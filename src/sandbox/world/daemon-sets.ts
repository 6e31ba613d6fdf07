import { canonicalJson, shortHash } from '../../lib/hash.ts';
import { claim } from './claims.ts';
import type { Recorder } from './events.ts';
import type { DaemonSet, DaemonSetStatus, Pod } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { keyOf, type Objects, randomSuffix, splitKey } from './objects.ts';
import { availableInMs, isActive, isReady } from './replica-sets.ts';

export interface DaemonSetContext {
  readonly objects: Objects;
  readonly lookup: Lookup;
  readonly record: Recorder;
  readonly now: () => number;
  /** Asks to be called again: pods become available by the passing of minReadySeconds. */
  readonly later: (key: string, ms: number) => void;
}

const hashLabel = 'controller-revision-hash';

/** One pass over one DaemonSet: one pod on the one node, if its labels are those that the template asks for. */
export function reconcileDaemonSet(context: DaemonSetContext, key: string): void {
  const { namespace, name } = splitKey(key);
  const set = context.objects.get('DaemonSet', namespace, name);
  if (!set) return;
  const hash = shortHash(canonicalJson(set.spec.template));
  const isWanted = isForTheNode(context, set);
  if (!set.metadata.deletionTimestamp) manage(context, set, hash, isWanted);
  writeStatus(context, set, hash, isWanted);
}

function isForTheNode({ objects }: DaemonSetContext, { spec }: DaemonSet): boolean {
  const wanted = Object.entries(spec.template.spec.nodeSelector ?? {});
  return objects
    .list('Node')
    .some(({ metadata }) => wanted.every(([label, value]) => metadata.labels?.[label] === value));
}

function manage(context: DaemonSetContext, set: DaemonSet, hash: string, isWanted: boolean): void {
  const all = podsOf(context, set);
  const pods = all.filter(isActive);
  for (const pod of all) if (!isActive(pod) && !pod.metadata.deletionTimestamp) remove(context, set, pod);
  if (!isWanted) return pods.forEach((pod) => remove(context, set, pod));
  const current = pods.filter((pod) => isCurrent(pod, hash));
  const old = pods.filter((pod) => !isCurrent(pod, hash));
  const { type = 'RollingUpdate', rollingUpdate = {} } = set.spec.updateStrategy ?? {};
  // A pod on its way out holds the node.
  if (all.length === 0) return create(context, set, hash);
  for (const pod of current.slice(1)) remove(context, set, pod);
  const [outdated] = old;
  if (!outdated || type === 'OnDelete') return;
  const maySurge = !/^0%?$/.test(String(rollingUpdate.maxSurge ?? 0));
  const [next] = current;
  // One pod may be missing for a moment, unless a second one may stand beside it until it answers.
  if (!maySurge || (next && availableInMs(next, set.spec.minReadySeconds, context.now()) === 0)) {
    for (const pod of old) remove(context, set, pod);
  } else if (!next) create(context, set, hash);
}

function create({ objects, record }: DaemonSetContext, set: DaemonSet, hash: string): void {
  const { template } = set.spec;
  const { apiVersion, kind, metadata } = set;
  const name = `${metadata.name}-${randomSuffix()}`;
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid };
  objects.create('Pod', {
    metadata: {
      name,
      generateName: `${metadata.name}-`,
      namespace: metadata.namespace,
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      ...(template.metadata?.annotations ? { annotations: { ...template.metadata.annotations } } : {}),
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    spec: structuredClone(template.spec),
  });
  record(set, { reason: 'SuccessfulCreate', message: `Created pod: ${name}` });
}

function remove({ objects, record }: DaemonSetContext, set: DaemonSet, pod: Pod): void {
  objects.remove(pod);
  record(set, { reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` });
}

/** Pods that are on their way out count until they are gone; the oldest one speaks for the node. */
function writeStatus(context: DaemonSetContext, set: DaemonSet, hash: string, isWanted: boolean): void {
  const { objects, now, later } = context;
  const [pod] = podsOf(context, set);
  const desired = isWanted ? 1 : 0;
  const waitMs = pod && isWanted ? availableInMs(pod, set.spec.minReadySeconds, now()) : undefined;
  if (waitMs !== undefined && waitMs > 0) later(keyOf(set), waitMs);
  const available = waitMs === 0 ? 1 : 0;
  const status: DaemonSetStatus = {
    currentNumberScheduled: pod && isWanted ? 1 : 0,
    numberMisscheduled: pod && !isWanted ? 1 : 0,
    desiredNumberScheduled: desired,
    numberReady: pod && isWanted && isReady(pod) ? 1 : 0,
    observedGeneration: set.metadata.generation ?? 1,
    ...(pod && isWanted && isCurrent(pod, hash) ? { updatedNumberScheduled: 1 } : {}),
    ...(available > 0 ? { numberAvailable: available } : {}),
    ...(desired > available ? { numberUnavailable: desired - available } : {}),
  };
  objects.changeStatus<'DaemonSet'>(set, (draft) => {
    draft.status = status;
  });
}

function podsOf(context: DaemonSetContext, set: DaemonSet): readonly Pod[] {
  const pods = claim(context, 'Pod', set);
  return [...pods].sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
}

function isCurrent(pod: Pod, hash: string): boolean {
  return pod.metadata.labels?.[hashLabel] === hash;
}
