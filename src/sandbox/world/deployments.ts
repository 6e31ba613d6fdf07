import { canonicalJson, shortHash } from '../../lib/hash.ts';
import { claim } from './claims.ts';
import { condition, countStatus, deadlineMs, hasDeadline, progressStatus, withCondition } from './deployment-status.ts';
import type { Recorder } from './events.ts';
import type { Deployment, DeploymentStatus, PodTemplate, ReplicaSet } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { keyOf, type Objects, splitKey } from './objects.ts';
import {
  annotations,
  desiredReplicas,
  fenceposts,
  hashLabel,
  isRolling,
  isSaturated,
  newSetReplicas,
  oldestFirst,
  proportional,
  revisionOf,
  shrinkOldSets,
} from './rollout.ts';

export interface DeploymentContext {
  readonly objects: Objects;
  readonly lookup: Lookup;
  readonly record: Recorder;
  readonly now: () => number;
  /** Asks to be called again: the progress deadline may pass without any event. */
  readonly later: (key: string, ms: number) => void;
}

/** One pass over one Deployment, in the order of the Kubernetes controller. */
export function reconcileDeployment(context: DeploymentContext, key: string): void {
  const { namespace, name } = splitKey(key);
  const found = context.objects.get('Deployment', namespace, name);
  if (!found) return;
  const sets = oldestFirst(claim(context, 'ReplicaSet', found));
  if (found.metadata.deletionTimestamp) return writeStatus(context, found, (it) => count(context, it, sets));
  const deployment = notePause(context, found);
  if (deployment.spec.paused === true) return resize(context, deployment, sets);
  const wanted = desiredReplicas(deployment);
  const resized = sets.some(
    (set) => desiredReplicas(set) > 0 && Number(set.metadata.annotations?.[annotations.desired] ?? wanted) !== wanted,
  );
  if (resized) return resize(context, deployment, sets);
  if (isRolling(deployment)) roll(context, deployment, sets);
  else recreate(context, deployment, sets);
}

function roll(context: DeploymentContext, deployment: Deployment, sets: readonly ReplicaSet[]): void {
  const newSet = ensureNewSet(context, deployment, sets);
  const oldSets = sets.filter((set) => set.metadata.uid !== newSet.metadata.uid);
  const all = [...oldSets, newSet];
  const size = newSetReplicas(deployment, all, desiredReplicas(newSet));
  if (size !== desiredReplicas(newSet)) scaleSet(context, deployment, newSet, size);
  else {
    for (const { set, replicas } of shrinkOldSets(deployment, newSet, oldSets)) {
      scaleSet(context, deployment, set, replicas);
    }
  }
  finish(context, deployment, newSet);
}

function recreate(context: DeploymentContext, deployment: Deployment, sets: readonly ReplicaSet[]): void {
  const existing = findNewSet(deployment, sets);
  const oldSets = sets.filter((set) => set.metadata.uid !== existing?.metadata.uid);
  const active = oldSets.filter((set) => desiredReplicas(set) > 0);
  for (const set of active) scaleSet(context, deployment, set, 0);
  const stillRunning = oldSets
    .flatMap(({ metadata }) => context.lookup.owned('Pod', metadata.uid))
    .some((pod) => !/^(Succeeded|Failed)$/.test(pod.status?.phase ?? ''));
  if (active.length > 0 || stillRunning) return finish(context, deployment, existing);
  const newSet = ensureNewSet(context, deployment, sets);
  scaleSet(context, deployment, newSet, desiredReplicas(deployment));
  finish(context, deployment, newSet);
}

/** Status at the end of a step; old sets are cleaned up when the rollout is done. */
function finish(context: DeploymentContext, before: Deployment, newSet: ReplicaSet | undefined): void {
  const { objects, now, later } = context;
  const deployment = objects.get('Deployment', before.metadata.namespace, before.metadata.name);
  if (!deployment) return;
  const sets = claim(context, 'ReplicaSet', deployment);
  const current = sets.find((set) => set.metadata.uid === newSet?.metadata.uid);
  const status = progressStatus(deployment, sets, current, now());
  writeStatus(context, deployment, () => status);
  const done = status.conditions?.some(({ reason }) => reason === 'NewReplicaSetAvailable') === true;
  if (done) cleanUp(context, deployment, sets, current);
  const dueMs = deadlineMs(deployment, status.conditions ?? []);
  const expired = status.conditions?.some(({ reason }) => reason === 'ProgressDeadlineExceeded') === true;
  if (dueMs !== undefined && !expired) later(keyOf(deployment), Math.max(0, dueMs - now()) + 1_000);
}

/** Only sizes change here, no rollout moves: the Deployment is paused or was scaled. */
function resize(context: DeploymentContext, deployment: Deployment, sets: readonly ReplicaSet[]): void {
  const newSet = findNewSet(deployment, sets);
  const oldSets = sets.filter((set) => set !== newSet);
  const active = sets.filter((set) => desiredReplicas(set) > 0);
  const only = active.length === 1 ? active[0] : (newSet ?? sets.at(-1));
  if (active.length <= 1) {
    if (only) scaleSet(context, deployment, only, desiredReplicas(deployment));
  } else if (isSaturated(deployment, newSet)) {
    for (const set of oldSets) scaleSet(context, deployment, set, 0);
  } else if (isRolling(deployment)) {
    for (const { set, replicas } of proportional(deployment, sets)) scaleSet(context, deployment, set, replicas);
  }
  writeStatus(context, deployment, (it) => count(context, it, claim(context, 'ReplicaSet', it)));
}

function count({ now }: DeploymentContext, deployment: Deployment, sets: readonly ReplicaSet[]): DeploymentStatus {
  return countStatus(deployment, sets, findNewSet(deployment, sets), now());
}

function notePause(context: DeploymentContext, deployment: Deployment): Deployment {
  const current = condition(deployment, 'Progressing');
  if (!hasDeadline(deployment) || current?.reason === 'ProgressDeadlineExceeded') return deployment;
  const paused = deployment.spec.paused === true;
  if (paused === (current?.reason === 'DeploymentPaused')) return deployment;
  const said = paused
    ? { reason: 'DeploymentPaused', message: 'Deployment is paused' }
    : { reason: 'DeploymentResumed', message: 'Deployment is resumed' };
  return say(context, deployment, { status: 'Unknown', ...said });
}

function say(
  { objects, now }: DeploymentContext,
  deployment: Deployment,
  said: { status: 'True' | 'Unknown'; reason: string; message: string },
): Deployment {
  const written = objects.changeStatus<'Deployment'>(deployment, (draft) => {
    const conditions = withCondition(draft.status?.conditions ?? [], { type: 'Progressing', ...said }, now());
    draft.status = { ...draft.status, conditions: [...conditions] };
  });
  return written ?? deployment;
}

function writeStatus(
  { objects }: DeploymentContext,
  deployment: Deployment,
  status: (deployment: Deployment) => DeploymentStatus,
): void {
  objects.changeStatus<'Deployment'>(deployment, (draft) => {
    // What was counted belongs to the generation that was read, not to one that came later.
    draft.status = { ...status(draft), observedGeneration: deployment.metadata.generation ?? 1 };
  });
}

function templateKey(template: PodTemplate): string {
  const { [hashLabel]: _, ...labels } = template.metadata?.labels ?? {};
  return canonicalJson({ labels, annotations: template.metadata?.annotations ?? {}, spec: template.spec });
}

function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = templateKey(deployment.spec.template);
  return sets.find((set) => templateKey(set.spec.template) === wanted);
}

const notInherited = new Set<string>([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  'deployment.kubernetes.io/revision-history',
  ...Object.values(annotations),
]);

function setAnnotations(deployment: Deployment, revision: number): Record<string, string> {
  const wanted = desiredReplicas(deployment);
  const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notInherited.has(key));
  return {
    ...Object.fromEntries(inherited),
    [annotations.desired]: String(wanted),
    [annotations.max]: String(wanted + fenceposts(deployment).surge),
    [annotations.revision]: String(revision),
  };
}

/** The ReplicaSet of the present template, with its revision raised above all others; created when there is none. */
function ensureNewSet(context: DeploymentContext, deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet {
  const { objects, record } = context;
  const existing = findNewSet(deployment, sets);
  const highestOld = Math.max(0, ...sets.filter((set) => set !== existing).map(revisionOf));
  const revision = Math.max(highestOld + 1, existing ? revisionOf(existing) : 0);
  let newSet: ReplicaSet;
  if (existing) {
    newSet =
      objects.change<'ReplicaSet'>(existing, (draft) => {
        draft.metadata.annotations = { ...draft.metadata.annotations, ...setAnnotations(deployment, revision) };
        if (deployment.spec.minReadySeconds) draft.spec.minReadySeconds = deployment.spec.minReadySeconds;
        else delete draft.spec.minReadySeconds;
      }) ?? existing;
    if (hasDeadline(deployment) && !condition(deployment, 'Progressing')) {
      const message = `Found new replica set "${existing.metadata.name}"`;
      say(context, deployment, { status: 'True', reason: 'FoundNewReplicaSet', message });
    }
  } else {
    newSet = createSet(context, deployment, sets, revision);
    const { name } = newSet.metadata;
    if (hasDeadline(deployment)) {
      const message = `Created new replica set "${name}"`;
      say(context, deployment, { status: 'True', reason: 'NewReplicaSetCreated', message });
    }
    const message = `Scaled up replica set ${name} from 0 to ${desiredReplicas(newSet)}`;
    if (desiredReplicas(newSet) > 0) record(deployment, { reason: 'ScalingReplicaSet', message });
  }
  objects.change<'Deployment'>(deployment, (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, [annotations.revision]: String(revisionOf(newSet)) };
  });
  return newSet;
}

function createSet(
  { objects }: DeploymentContext,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  revision: number,
): ReplicaSet {
  const { name, namespace, uid } = deployment.metadata;
  const template = structuredClone(deployment.spec.template);
  const hash = shortHash(canonicalJson(template));
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } };
  const { selector, minReadySeconds } = deployment.spec;
  return objects.create('ReplicaSet', {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: template.metadata.labels,
      annotations: setAnnotations(deployment, revision),
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'Deployment', name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    spec: {
      replicas: newSetReplicas(deployment, sets, 0),
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template,
    },
  }) as ReplicaSet;
}

function scaleSet(context: DeploymentContext, deployment: Deployment, set: ReplicaSet, replicas: number): void {
  const { objects, record } = context;
  const before = desiredReplicas(set);
  objects.change<'ReplicaSet'>(set, (draft) => {
    draft.spec.replicas = replicas;
    const sizes = setAnnotations(deployment, 0);
    draft.metadata.annotations = {
      ...draft.metadata.annotations,
      [annotations.desired]: sizes[annotations.desired] ?? '',
      [annotations.max]: sizes[annotations.max] ?? '',
    };
  });
  if (before === replicas) return;
  const direction = replicas > before ? 'up' : 'down';
  const message = `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${replicas}`;
  record(deployment, { reason: 'ScalingReplicaSet', message });
}

function cleanUp(
  { objects }: DeploymentContext,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
): void {
  const old = sets.filter((set) => set !== newSet && !set.metadata.deletionTimestamp);
  const surplus = old.length - (deployment.spec.revisionHistoryLimit ?? 10);
  for (const set of [...old].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, surplus))) {
    const { generation = 1 } = set.metadata;
    const empty = desiredReplicas(set) === 0 && (set.status?.replicas ?? 0) === 0;
    if (empty && (set.status?.observedGeneration ?? 0) >= generation) objects.remove(set);
  }
}
