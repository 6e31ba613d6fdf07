import type { KubeObject } from '../../manifest/types.ts';
import { at, type Json, jsonOf, listOf, numberOf, textOf } from '../../lib/json.ts';
import { containersOf, containerTrouble, missingConfig, type PodEvent } from './container.ts';
import { refusalTrouble } from './refusal.ts';
import { clipped, type PodTrouble } from './trouble.ts';

/** A workload that is not ready, with what can be read around it. All of it may be incomplete. */
export interface WorkloadSeen {
  /** Deployment, DaemonSet or Knative Revision. */
  readonly workload: KubeObject;
  /** The Deployment's newest. Absent: there is none. */
  readonly replicaSet?: KubeObject;
  readonly pods: readonly KubeObject[];
  /** Of the pod that `worstPod` names, or of the workload where it has no pods. */
  readonly events: readonly KubeObject[];
}

/** Why the pods of a workload do not become ready. Undefined: nothing is wrong that can be seen; they may only need time. */
export function podTrouble({ workload, replicaSet, pods, events }: WorkloadSeen): PodTrouble | undefined {
  const owner = `${workload.kind} ${workload.metadata.name}`;
  if (workload.kind === 'Revision') return revisionTrouble(workload);
  if (at(workload, 'spec', 'paused') === true)
    return { cause: 'paused', summary: 'its rollout is paused (spec.paused)', detail: `${owner} is paused` };
  const told = eventsOf(events);
  const pod = worstPod(pods);
  const found = pod && troubleOf(pod, told);
  if (found) return found;
  const refusal =
    failureOf(replicaSet, 'ReplicaFailure') ??
    failureOf(workload, 'ReplicaFailure') ??
    told.findLast(({ reason }) => reason === 'FailedCreate')?.message.replace(/^Error creating: /, '') ??
    createFailure(workload);
  return refusal === undefined ? undefined : refusalTrouble(owner, refusal);
}

/** The pod that tells most about what is wrong; undefined where all are ready or going. */
export function worstPod(pods: readonly KubeObject[]): KubeObject | undefined {
  const unready = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && !isReady(pod));
  const rank = (pod: KubeObject): number => (troubleOf(pod, []) === undefined ? 0 : 1);
  const age = (pod: KubeObject): string => textOf(pod.metadata['creationTimestamp']) ?? '';
  return unready.toSorted(
    (a, b) => rank(b) - rank(a) || age(a).localeCompare(age(b)) || a.metadata.name.localeCompare(b.metadata.name),
  )[0];
}

function troubleOf(pod: KubeObject, events: readonly PodEvent[]): PodTrouble | undefined {
  const { name } = pod.metadata;
  const status = jsonOf(pod['status']);
  const detailOf = (said: string): string => `pod ${name}: ${clipped(said, 400)}`;
  const message = textOf(status['message']) ?? '';
  const reason = textOf(status['reason']) ?? '';
  if (status['phase'] === 'Failed' && reason !== '') {
    const verb = reason === 'Evicted' ? 'is evicted' : 'is refused by its node';
    const summary = `pod ${verb} (${clipped(reason === 'Evicted' ? message : reason, 70)})`;
    return { cause: 'evicted', summary, detail: detailOf(`${reason}: ${message}`) };
  }
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.['status'] === 'False') return schedulingTrouble(scheduled, detailOf);
  for (const container of containersOf(name, pod['spec'], status, events)) {
    const found = containerTrouble(container);
    if (found) return found;
  }
  const mount = events.findLast((event) => event.reason === 'FailedMount' || event.reason === 'FailedAttachVolume');
  const isCreating = isWaitingFor(status, 'ContainerCreating') || isWaitingFor(status, 'PodInitializing');
  if (mount && isCreating) {
    const summary = missingConfig(mount.message) ?? `volume cannot be mounted: ${clipped(mount.message, 70)}`;
    return { cause: 'volume', summary, detail: detailOf(`${mount.reason}: ${mount.message}`) };
  }
  const sandbox = events.findLast((event) => event.reason === 'FailedCreatePodSandBox');
  if (sandbox && isCreating) return sandboxTrouble(sandbox.message, detailOf);
  const ready = conditionOf(pod, 'Ready');
  if (ready?.['reason'] === 'ReadinessGatesNotReady')
    return {
      cause: 'not-ready',
      summary: 'a readiness gate is not met',
      detail: detailOf(textOf(ready['message']) ?? ''),
    };
  return undefined;
}

function schedulingTrouble(condition: Json, detailOf: (said: string) => string): PodTrouble {
  const said = textOf(condition['message']) ?? '';
  const detail = detailOf(`${textOf(condition['reason']) ?? ''}: ${said}`);
  if (condition['reason'] === 'SchedulingGated')
    return { cause: 'scheduling', summary: 'pod waits for its scheduling gates', detail };
  // `0/3 nodes are available: 3 Insufficient cpu. preemption: …`: the numbers change with the cluster, the reasons stay.
  const reasons = /^\d+\/\d+ nodes are available: (.*?)(?:\. |\.?$|$)/s.exec(said.slice(0, 1_000))?.[1];
  const why = reasons === undefined ? said : reasons.replaceAll(/(^|, )\d+ /g, '$1');
  return { cause: 'scheduling', summary: `no node fits${why === '' ? '' : ` (${clipped(why, 70)})`}`, detail };
}

/** What pods have beside their containers: addresses, a network, a runtime. */
function sandboxTrouble(message: string, detailOf: (said: string) => string): PodTrouble {
  const detail = detailOf(`FailedCreatePodSandBox: ${message}`);
  if (/OOM-killed|memory limit too low/.test(message.slice(0, 2_000)))
    return { cause: 'out-of-memory', summary: 'memory limit is too low to start a container', detail };
  const why = /(?:network|address|cni|RuntimeHandler|runtime)\b.{0,60}/i.exec(message.slice(0, 2_000))?.[0];
  return {
    cause: 'sandbox',
    summary: `pod sandbox cannot be made${why === undefined ? '' : ` (${clipped(why, 60)})`}`,
    detail,
  };
}

/** Knative says it by itself. */
function revisionTrouble(revision: KubeObject): PodTrouble | undefined {
  const failed = listOf(at(revision, 'status', 'conditions')).find(({ status }) => status === 'False');
  const message = textOf(failed?.['message']);
  if (!failed || message === undefined) return undefined;
  const reason = textOf(failed['reason']) ?? '';
  const detail = `Revision ${revision.metadata.name}: ${reason}: ${clipped(message, 400)}`;
  return { cause: 'start', summary: clipped(message, 100), detail };
}

function isWaitingFor(status: Json, reason: string): boolean {
  const statuses = [...listOf(status['containerStatuses']), ...listOf(status['initContainerStatuses'])];
  return statuses.some((one) => at(one, 'state', 'waiting', 'reason') === reason);
}

function isReady(pod: KubeObject): boolean {
  return conditionOf(pod, 'Ready')?.['status'] === 'True';
}

function conditionOf(object: KubeObject | undefined, type: string): Json | undefined {
  return listOf(at(object, 'status', 'conditions')).find((condition) => condition['type'] === type);
}

function failureOf(object: KubeObject | undefined, type: string): string | undefined {
  const condition = conditionOf(object, type);
  return condition?.['status'] === 'True' ? textOf(condition['message']) : undefined;
}

/** The ReplicaSet itself was refused. */
function createFailure(workload: KubeObject): string | undefined {
  const progressing = conditionOf(workload, 'Progressing');
  return progressing?.['reason'] === 'ReplicaSetCreateError' ? textOf(progressing['message']) : undefined;
}

/** Oldest first. */
function eventsOf(events: readonly KubeObject[]): readonly PodEvent[] {
  const time = (event: KubeObject): string =>
    textOf(event['lastTimestamp']) ?? textOf(event['eventTime']) ?? textOf(event.metadata['creationTimestamp']) ?? '';
  return events
    .toSorted((a, b) => time(a).localeCompare(time(b)))
    .map((event) => ({
      reason: textOf(event['reason']) ?? '',
      message: (textOf(event['message']) ?? '').slice(0, 4_000),
      fieldPath: textOf(at(event, 'involvedObject', 'fieldPath')) ?? '',
    }));
}

/** The newest ReplicaSet of a Deployment: by the revision that its controller counts. */
export function newestReplicaSet(deployment: KubeObject, sets: readonly KubeObject[]): KubeObject | undefined {
  const revision = (set: KubeObject): number =>
    numberOf(Number(set.metadata.annotations?.['deployment.kubernetes.io/revision'])) ?? 0;
  const own = sets.filter(({ metadata }) =>
    (metadata.ownerReferences ?? []).some(({ uid }) => uid === deployment.metadata.uid),
  );
  return own.toSorted((a, b) => revision(b) - revision(a))[0];
}
