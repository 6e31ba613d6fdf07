import { messageOf } from '../../lib/errors.ts';
import { readSchedule } from './cron-schedule.ts';
import { isFinished, type JobContext } from './jobs.ts';
import type { CronJob, Job } from './kinds.ts';
import { controllerOf, splitKey, timestamp } from './objects.ts';

type CronContext = Omit<JobContext, 'lookup'>;

/** More times than that were missed while nobody looked: only the last one counts. */
const mostMissed = 100;
/** Timers cannot wait for a year. */
const longestWaitMs = 3_600_000;

/** One pass over one CronJob: a Job at its time, and of those that are finished as many as are to be kept. */
export function reconcileCronJob(context: CronContext, key: string): void {
  const { namespace, name } = splitKey(key);
  const cron = context.objects.get('CronJob', namespace, name);
  if (!cron || cron.metadata.deletionTimestamp) return;
  const jobs = context.objects.list('Job', namespace).filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
  forget(context, cron, jobs);
  const due = cron.spec.suspend === true ? undefined : dueTime(context, cron, key);
  const active = jobs.filter((job) => !isFinished(job));
  const begun = due === undefined ? undefined : begin(context, cron, active, due);
  const running = begun ? [...(cron.spec.concurrencyPolicy === 'Replace' ? [] : active), begun] : active;
  const succeeded = jobs.map(({ status }) => status?.completionTime ?? '').sort();
  context.objects.changeStatus<'CronJob'>(cron, (draft) => {
    const last = begun && due !== undefined ? timestamp(due) : draft.status?.lastScheduleTime;
    const lastSuccess = succeeded.at(-1) || draft.status?.lastSuccessfulTime;
    draft.status = {
      ...(running.length > 0 ? { active: running.map(referenceTo) } : {}),
      ...(last === undefined ? {} : { lastScheduleTime: last }),
      ...(lastSuccess ? { lastSuccessfulTime: lastSuccess } : {}),
    };
  });
}

const referenceTo = ({ apiVersion, kind, metadata }: Job): Record<string, string> => ({
  apiVersion,
  kind,
  name: metadata.name,
  namespace: metadata.namespace ?? '',
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

/** The last time that has come and was not used; asks to be called at the next one. */
function dueTime({ now, later }: CronContext, { spec, status, metadata }: CronJob, key: string): number | undefined {
  const next = readSchedule(spec.schedule, spec.timeZone);
  const sinceMs = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp);
  let due: number | undefined;
  let time = next(sinceMs);
  for (let missed = 0; time !== undefined && time <= now() && missed < mostMissed; missed += 1) {
    due = time;
    time = next(time);
  }
  if (due !== undefined && time !== undefined && time <= now()) time = next(now());
  if (time !== undefined) later(key, Math.min(longestWaitMs, Math.max(0, time - now())));
  const isTooLate =
    spec.startingDeadlineSeconds !== undefined && now() - (due ?? 0) > spec.startingDeadlineSeconds * 1_000;
  return isTooLate ? undefined : due;
}

function begin(context: CronContext, cron: CronJob, active: readonly Job[], dueMs: number): Job | undefined {
  const { objects, record } = context;
  const { apiVersion, kind, metadata, spec } = cron;
  if (active.length > 0 && spec.concurrencyPolicy === 'Forbid') {
    record(cron, {
      reason: 'JobAlreadyActive',
      message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
    });
    return undefined;
  }
  if (spec.concurrencyPolicy === 'Replace') for (const job of active) objects.remove(job);
  const name = `${metadata.name}-${Math.floor(dueMs / 60_000)}`;
  if (objects.get('Job', metadata.namespace, name)) return undefined;
  const owner = {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const { labels, annotations = {} } = spec.jobTemplate.metadata ?? {};
  try {
    const job = objects.create('Job', {
      metadata: {
        name,
        namespace: metadata.namespace,
        ...(labels ? { labels } : {}),
        annotations: { ...annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': timestamp(dueMs) },
        ownerReferences: [owner],
      },
      spec: structuredClone(spec.jobTemplate.spec),
    });
    record(cron, { reason: 'SuccessfulCreate', message: `Created job ${name}` });
    return job as Job;
  } catch (error) {
    record(cron, { type: 'Warning', reason: 'FailedCreate', message: `Error creating job: ${messageOf(error)}` });
    return undefined;
  }
}

function forget({ objects }: CronContext, { spec }: CronJob, jobs: readonly Job[]): void {
  const ended = (type: string): Job[] =>
    jobs
      .filter(({ status }) => status?.conditions?.some((one) => one.type === type && one.status === 'True'))
      .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
  const surplus = (all: Job[], kept: number): Job[] => all.slice(0, Math.max(0, all.length - kept));
  for (const job of surplus(ended('Complete'), spec.successfulJobsHistoryLimit ?? 3)) objects.remove(job);
  for (const job of surplus(ended('Failed'), spec.failedJobsHistoryLimit ?? 1)) objects.remove(job);
}
