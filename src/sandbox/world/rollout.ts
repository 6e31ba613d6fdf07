import type { Deployment, ReplicaSet } from './kinds.ts';

/** The arithmetic of Deployments, as the Kubernetes deployment controller does it. Pure. */
export const annotations = {
  revision: 'deployment.kubernetes.io/revision',
  desired: 'deployment.kubernetes.io/desired-replicas',
  max: 'deployment.kubernetes.io/max-replicas',
} as const;

export const hashLabel = 'pod-template-hash';

export interface Scaling {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

export function desiredReplicas(object: Deployment | ReplicaSet): number {
  return object.spec.replicas ?? 1;
}

export function isRolling(deployment: Deployment): boolean {
  return (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
}

function fraction(value: number | string | undefined, total: number, round: (exact: number) => number): number {
  const given = value ?? '25%';
  return typeof given === 'number' ? given : round((Number.parseFloat(given) * total) / 100);
}

/** Absolute maxSurge and maxUnavailable; never both zero, or the rollout could not move. */
export function fenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  const total = desiredReplicas(deployment);
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = fraction(maxSurge, total, Math.ceil);
  const unavailable = fraction(maxUnavailable, total, Math.floor);
  return { surge, unavailable: Math.min(surge + unavailable === 0 ? 1 : unavailable, total) };
}

export function sum(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number | undefined): number {
  return sets.reduce((total, set) => total + (count(set) ?? 0), 0);
}

export function oldestFirst(sets: readonly ReplicaSet[]): ReplicaSet[] {
  const born = (set: ReplicaSet): string => `${set.metadata.creationTimestamp} ${set.metadata.name}`;
  return [...sets].sort((a, b) => (born(a) < born(b) ? -1 : 1));
}

/** What the newest ReplicaSet may have now; `current` is what it has (0 when it is about to be created). */
export function newSetReplicas(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = desiredReplicas(deployment);
  if (!isRolling(deployment) || current >= wanted) return wanted;
  const room = wanted + fenceposts(deployment).surge - sum(all, desiredReplicas);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Old ReplicaSets that may shrink without falling below the minimum: unhealthy pods first, then the oldest set. */
export function shrinkOldSets(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): readonly Scaling[] {
  const all = [...oldSets, newSet];
  const minAvailable = desiredReplicas(deployment) - fenceposts(deployment).unavailable;
  const newUnavailable = desiredReplicas(newSet) - (newSet.status?.availableReplicas ?? 0);
  const maxCleanup = sum(all, desiredReplicas) - minAvailable - newUnavailable;
  if (sum(oldSets, desiredReplicas) === 0 || maxCleanup <= 0) return [];

  const sizes = new Map(oldSets.map((set) => [set, desiredReplicas(set)]));
  let cleaned = 0;
  for (const set of oldestFirst(oldSets)) {
    const size = sizes.get(set) ?? 0;
    const unhealthy = Math.max(0, size - (set.status?.availableReplicas ?? 0));
    const drop = Math.min(maxCleanup - cleaned, unhealthy);
    sizes.set(set, size - drop);
    cleaned += drop;
  }
  let spare = sum(all, (set) => set.status?.availableReplicas) - minAvailable;
  for (const set of oldestFirst(oldSets)) {
    const size = sizes.get(set) ?? 0;
    const drop = Math.min(Math.max(spare, 0), size);
    sizes.set(set, size - drop);
    spare -= drop;
  }
  return [...sizes]
    .filter(([set, size]) => size !== desiredReplicas(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

/** Shares a changed total out among the sets of a rollout that is under way, in proportion to their sizes. */
export function proportional(deployment: Deployment, all: readonly ReplicaSet[]): readonly Scaling[] {
  const wanted = desiredReplicas(deployment);
  const allowed = wanted > 0 ? wanted + fenceposts(deployment).surge : 0;
  const active = all.filter((set) => desiredReplicas(set) > 0);
  const toAdd = allowed - sum(active, desiredReplicas);
  const newerFirst = oldestFirst(active).reverse();
  const ordered = (toAdd > 0 ? newerFirst : newerFirst.reverse()).sort(
    (a, b) => desiredReplicas(b) - desiredReplicas(a),
  );
  let added = 0;
  const shares = ordered.map((set) => {
    const share = toAdd === 0 ? 0 : boundedShare(deployment, set, toAdd - added, allowed);
    added += share;
    return { set, replicas: desiredReplicas(set) + share };
  });
  return shares.map(({ set, replicas }, index) => ({
    set,
    replicas: Math.max(0, index === 0 ? replicas + toAdd - added : replicas),
  }));
}

function boundedShare(deployment: Deployment, set: ReplicaSet, left: number, allowed: number): number {
  const size = desiredReplicas(set);
  if (size === 0) return 0;
  const before = Number(set.metadata.annotations?.[annotations.max] ?? deployment.status?.replicas ?? 0) || allowed;
  const share = desiredReplicas(deployment) === 0 ? -size : Math.round((size * allowed) / before) - size;
  return left > 0 ? Math.min(share, left) : Math.max(share, left);
}

/** Whether the set carries the whole Deployment, at its present size. */
export function isSaturated(deployment: Deployment, set: ReplicaSet | undefined): boolean {
  const wanted = desiredReplicas(deployment);
  return (
    set !== undefined &&
    desiredReplicas(set) === wanted &&
    Number(set.metadata.annotations?.[annotations.desired]) === wanted &&
    (set.status?.availableReplicas ?? 0) === wanted
  );
}

export function revisionOf(object: { metadata: { annotations?: Record<string, string> } }): number {
  return Number.parseInt(object.metadata.annotations?.[annotations.revision] ?? '0', 10) || 0;
}
