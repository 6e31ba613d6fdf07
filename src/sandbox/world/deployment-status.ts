import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from './kinds.ts';
import { timestamp } from './objects.ts';
import { desiredReplicas, fenceposts, sum } from './rollout.ts';

/** Status and conditions as the Kubernetes deployment controller writes them. Pure; `nowMs` is the time of writing. */
const noDeadline = 2_147_483_647;

export function condition(deployment: Deployment, type: string): Condition | undefined {
  return deployment.status?.conditions?.find((one) => one.type === type);
}

export function hasDeadline({ spec }: Deployment): boolean {
  return (spec.progressDeadlineSeconds ?? 600) !== noDeadline;
}

interface Said {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** Nothing changes while status and reason stay; `refresh` renews the update time even then. */
export function withCondition(
  conditions: readonly Condition[],
  said: Said,
  nowMs: number,
  refresh = false,
): readonly Condition[] {
  const current = conditions.find(({ type }) => type === said.type);
  if (!refresh && current?.status === said.status && current.reason === said.reason) return conditions;
  const now = timestamp(nowMs);
  const lastTransitionTime = current?.status === said.status ? (current.lastTransitionTime ?? now) : now;
  const { type, ...rest } = said;
  return [
    ...conditions.filter((one) => one.type !== type),
    { type, status: rest.status, lastUpdateTime: now, lastTransitionTime, reason: rest.reason, message: rest.message },
  ];
}

/** Counters and the Available condition. */
export function countStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const availableReplicas = sum(all, (set) => set.status?.availableReplicas);
  const enough = availableReplicas >= desiredReplicas(deployment) - fenceposts(deployment).unavailable;
  const available: Said = enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  const counters = {
    replicas: sum(all, (set) => set.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(all, (set) => set.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(all, desiredReplicas) - availableReplicas),
    collisionCount: deployment.status?.collisionCount ?? 0,
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0)),
    conditions: [...withCondition(deployment.status?.conditions ?? [], available, nowMs)],
  };
}

function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = desiredReplicas(deployment);
  return [status.updatedReplicas, status.replicas, status.availableReplicas].every((count) => (count ?? 0) === wanted);
}

function moved(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas;
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** When the Progressing condition runs out, epoch milliseconds; undefined while it cannot. */
export function deadlineMs(deployment: Deployment, conditions: readonly Condition[]): number | undefined {
  const current = conditions.find(({ type }) => type === 'Progressing');
  if (!hasDeadline(deployment) || !current || current.reason === 'NewReplicaSetAvailable') return undefined;
  return Date.parse(current.lastUpdateTime ?? '') + (deployment.spec.progressDeadlineSeconds ?? 600) * 1_000;
}

/** Counters with the Progressing condition brought up to date, as written at the end of each step of a rollout. */
export function progressStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = countStatus(deployment, all, newSet, nowMs);
  const conditions = progressed(deployment, status, newSet, nowMs);
  return { ...status, conditions: [...withReplicaFailure(conditions, all, nowMs)] };
}

function progressed(
  deployment: Deployment,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  nowMs: number,
): readonly Condition[] {
  const conditions = status.conditions ?? [];
  if (!hasDeadline(deployment)) return conditions.filter(({ type }) => type !== 'Progressing');
  const current = condition(deployment, 'Progressing');
  const allUpdated = (status.replicas ?? 0) === (status.updatedReplicas ?? 0);
  if (allUpdated && current?.reason === 'NewReplicaSetAvailable') return conditions;
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const say = (ok: boolean, reason: string, message: string, refresh = false): readonly Condition[] =>
    withCondition(conditions, { type: 'Progressing', status: ok ? 'True' : 'False', reason, message }, nowMs, refresh);

  if (isComplete(deployment, status)) {
    return say(true, 'NewReplicaSetAvailable', `${subject} has successfully progressed.`);
  }
  if (moved(deployment.status ?? {}, status)) return say(true, 'ReplicaSetUpdated', `${subject} is progressing.`, true);
  const dueMs = deadlineMs(deployment, conditions);
  const late = current?.reason === 'ProgressDeadlineExceeded' || (dueMs !== undefined && dueMs < nowMs);
  return late ? say(false, 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`) : conditions;
}

function withReplicaFailure(
  conditions: readonly Condition[],
  all: readonly ReplicaSet[],
  nowMs: number,
): readonly Condition[] {
  const failure = all.flatMap((set) => set.status?.conditions ?? []).find(({ type }) => type === 'ReplicaFailure');
  if (!failure) return conditions.filter(({ type }) => type !== 'ReplicaFailure');
  const { reason = '', message = '' } = failure;
  return withCondition(conditions, { type: 'ReplicaFailure', status: 'True', reason, message }, nowMs);
}
