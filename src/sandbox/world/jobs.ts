import { messageOf } from '../../lib/errors.ts';
import { claim } from './claims.ts';
import type { Recorder } from './events.ts';
import type { Condition, Job, JobStatus, Pod } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { keyOf, type Objects, randomSuffix, splitKey, timestamp } from './objects.ts';
import { isActive, isReady } from './replica-sets.ts';

export interface JobContext {
  readonly objects: Objects;
  readonly lookup: Lookup;
  readonly record: Recorder;
  readonly now: () => number;
  /** Asks to be called again: after the pause behind a failure, at the deadline, when a finished Job is to go. */
  readonly later: (key: string, ms: number) => void;
}

interface Ending {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

const firstPauseMs = 10_000;
const longestPauseMs = 600_000;
/** Timers cannot wait for a year. */
const longestWaitMs = 3_600_000;

export const isFinished = ({ status }: Job): boolean =>
  status?.conditions?.some(({ type, status: state }) => ['Complete', 'Failed'].includes(type) && state === 'True') ===
  true;

/** One pass over one Job: pods until enough of them have ended well, or too many badly. */
export function reconcileJob(context: JobContext, key: string): void {
  const { namespace, name } = splitKey(key);
  const job = context.objects.get('Job', namespace, name);
  if (!job || job.metadata.deletionTimestamp) return;
  if (isFinished(job)) return expire(context, job);
  const pods = claim(context, 'Pod', job);
  const succeeded = Math.max(job.status?.succeeded ?? 0, countOf(pods, 'Succeeded'));
  const failed = Math.max(job.status?.failed ?? 0, countOf(pods, 'Failed'));
  const active = pods.filter(isActive);
  const ending = endingOf(job, { succeeded, failed, active }, context.now());
  if (ending || job.spec.suspend === true) for (const pod of active) context.objects.remove(pod);
  else run(context, job, { succeeded, failed, active, pods });
  writeStatus(context, job, { succeeded, failed, ending });
}

const countOf = (pods: readonly Pod[], phase: string): number =>
  pods.filter(({ status }) => status?.phase === phase).length;

function endingOf(
  { spec, status }: Job,
  { succeeded, failed, active }: { succeeded: number; failed: number; active: readonly Pod[] },
  nowMs: number,
): Ending | undefined {
  const restarts = active
    .flatMap((pod) => pod.status?.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  const limit = spec.backoffLimit ?? 6;
  if (failed > limit || (spec.template.spec.restartPolicy === 'OnFailure' && restarts > limit))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  const startedMs = Date.parse(status?.startTime ?? '');
  if (spec.activeDeadlineSeconds !== undefined && nowMs - startedMs >= spec.activeDeadlineSeconds * 1_000)
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  const isDone = spec.completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= spec.completions;
  if (!isDone) return undefined;
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

function run(
  context: JobContext,
  job: Job,
  {
    succeeded,
    failed,
    active,
    pods,
  }: { succeeded: number; failed: number; active: readonly Pod[]; pods: readonly Pod[] },
): void {
  const { spec, status } = job;
  const key = keyOf(job);
  const { activeDeadlineSeconds: deadline, parallelism = 1 } = spec;
  const startedMs = Date.parse(status?.startTime ?? '') || context.now();
  if (deadline !== undefined)
    context.later(key, Math.min(longestWaitMs, Math.max(0, startedMs + deadline * 1_000 - context.now())));
  const left = spec.completions === undefined ? (succeeded > 0 ? 0 : parallelism) : spec.completions - succeeded;
  const missing = Math.min(parallelism, left) - active.length;
  if (missing <= 0) return;
  const pauseMs = failed === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (failed - 1));
  const waitMs = lastFailureMs(pods) + pauseMs - context.now();
  if (failed > 0 && waitMs > 0) return context.later(key, waitMs);
  for (let count = 0; count < missing; count += 1) createPod(context, job);
}

function lastFailureMs(pods: readonly Pod[]): number {
  const ends = pods
    .flatMap((pod) => pod.status?.containerStatuses ?? [])
    .flatMap(({ state }) =>
      'terminated' in state && state.terminated.exitCode !== 0 ? [state.terminated.finishedAt] : [],
    );
  return Math.max(0, ...ends.map((text) => Date.parse(text)));
}

function createPod({ objects, record }: JobContext, job: Job): void {
  const { metadata, spec, apiVersion, kind } = job;
  const name = `${metadata.name}-${randomSuffix()}`;
  const owner = {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const { labels = {}, annotations } = spec.template.metadata ?? {};
  try {
    objects.create('Pod', {
      metadata: {
        name,
        generateName: `${metadata.name}-`,
        namespace: metadata.namespace,
        labels,
        ...(annotations ? { annotations } : {}),
        ownerReferences: [owner],
      },
      spec: structuredClone(spec.template.spec),
    });
    record(job, { reason: 'SuccessfulCreate', message: `Created pod: ${name}` });
  } catch (error) {
    record(job, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${messageOf(error)}` });
  }
}

function writeStatus(
  context: JobContext,
  job: Job,
  { succeeded, failed, ending }: { succeeded: number; failed: number; ending: Ending | undefined },
): void {
  const { objects, record, now } = context;
  const at = timestamp(now());
  const active = ending ? [] : claim(context, 'Pod', job).filter(isActive);
  const condition = (type: string): Condition => ({
    type,
    status: 'True',
    lastProbeTime: at,
    lastTransitionTime: at,
    ...(ending ? { reason: ending.reason, message: ending.message } : {}),
  });
  const first = ending?.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  const written = objects.changeStatus<'Job'>(job, (draft) => {
    const status: JobStatus = {
      ...draft.status,
      startTime: draft.status?.startTime ?? at,
      ready: active.filter(isReady).length,
      terminating: 0,
      uncountedTerminatedPods: {},
      ...(ending ? { conditions: [condition(first), condition(ending.type)] } : {}),
      ...(ending?.type === 'Complete' ? { completionTime: at } : {}),
    };
    setCount(status, 'active', active.length);
    setCount(status, 'succeeded', succeeded);
    setCount(status, 'failed', failed);
    draft.status = status;
  });
  if (!ending || !written) return;
  if (ending.type === 'Complete') record(job, { reason: 'Completed', message: 'Job completed' });
  else record(job, { type: 'Warning', reason: ending.reason, message: ending.message });
  expire(context, written);
}

function setCount(status: JobStatus, field: 'active' | 'succeeded' | 'failed', count: number): void {
  if (count > 0) status[field] = count;
  else delete status[field];
}

function expire({ objects, now, later }: JobContext, job: Job): void {
  const seconds = job.spec.ttlSecondsAfterFinished;
  if (seconds === undefined) return;
  const ended = job.status?.conditions?.find(({ type }) => type === 'Complete' || type === 'Failed');
  const leftMs = Date.parse(ended?.lastTransitionTime ?? '') + seconds * 1_000 - now();
  if (leftMs > 0) later(keyOf(job), Math.min(longestWaitMs, leftMs));
  else objects.remove(job);
}
