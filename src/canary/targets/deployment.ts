import type { KubeObject } from '../../manifest/types.ts';
import { at, type Json, jsonOf, listOf, numberOf, textOf } from '../../lib/json.ts';
import { selectorLabelOf } from '../labels.ts';
import { createPrimary, type PrimarySource, primaryHasId, primaryRuns, promotePrimary } from '../primary.ts';
import { renderService } from '../services.ts';
import type { Readiness } from '../types.ts';
import type { ReadinessInput, Target } from './target.ts';
import { podsOf } from './unavailable.ts';

const waiting = 'waiting for rollout to finish: ';
const unobserved = `${waiting}observed deployment generation less than desired generation`;

/** A copy of the target serves the users; the target itself has pods only while it is judged. */
export const deployment: Target = {
  kind: 'Deployment',
  ref: { apiVersion: 'apps/v1', kind: 'Deployment' },
  services: 'all',
  shared: 'replicas',
  tracksConfigs: true,
  selectorOf: selectorLabelOf,
  missing: ({ name, namespace }) =>
    `deployment ${name}.${namespace} get query error: deployments.apps "${name}" not found`,
  unlabelled: ({ name, namespace }, names) =>
    `getSelectorLabel failed: deployment ${name}.${namespace} spec.selector.matchLabels must contain one of [${names.join(' ')}]`,
  revised: (target) => at(target, 'spec', 'template'),
  judged: (document) => at(document, 'spec', 'template'),
  primaryRef: (ref) => ({ ...ref, name: `${ref.name}-primary` }),
  candidateOf: ({ target }) => target,
  writePrimary: (source, primary) => ({
    object: primary ? promotePrimary(primary, sizedFor(source, primary)) : createPrimary(source),
    over: primary,
  }),
  runs: primaryRuns,
  hasId: primaryHasId,
  unborn: ({ name, namespace }) => `${name}.${namespace} not ready: ${unobserved}`,
  readiness: deploymentReadiness,
  movedAtMs,
  serves: (object) => object !== undefined && replicasOf(object) > 0 && availableOf(object) > 0,
  mayEndAll,
  pods: (object) => ({ wanted: replicasOf(object), answering: availableOf(object) }),
  scaling: {
    replicasOf,
    patch: (replicas) => ({ spec: { replicas } }),
    isOthers: isScaledByOthers,
    follow: (primary, replicas) =>
      replicasOf(primary) === replicas || isScaledByOthers(primary)
        ? primary
        : { ...primary, spec: { ...jsonOf(primary['spec']), replicas } },
  },
  renderService,
};

function mayEndAll(object: KubeObject): boolean {
  const strategy = at(object, 'spec', 'strategy');
  if (textOf(at(strategy, 'type')) === 'Recreate') return true;
  const pods = replicasOf(object);
  return pods > 0 && podsOf(at(strategy, 'rollingUpdate', 'maxUnavailable'), pods, 'down', '25%') >= pods;
}

/** No wanted replicas at all is ready for Flagger; here somebody has to answer. */
function deploymentReadiness(input: ReadinessInput): Readiness {
  const { object, name, namespace, role } = input;
  if (!object) return { kind: 'progressing', reason: deployment.missing({ name, namespace }) };
  const prefix =
    role === 'primary' ? `${name}.${namespace} not ready: ` : `canary deployment ${name}.${namespace} not ready: `;
  const found = rolloutState(object, input);
  if (found.kind !== 'ready') return { kind: found.kind, reason: `${prefix}${found.reason}`, why: found.reason };
  if (deployment.serves(object)) return found;
  const wanted = Math.max(replicasOf(object), 1);
  const reason =
    role === 'primary'
      ? `0 of ${wanted} updated replicas are available`
      : `0 out of ${wanted} new replicas have been updated`;
  return { kind: 'progressing', reason: `${prefix}${waiting}${reason}`, why: `${waiting}${reason}` };
}

/** Whether a Deployment's rollout is through, in Flagger's words. No wanted replicas at all counts as ready. */
export function rolloutState(
  object: KubeObject,
  options: Pick<ReadinessInput, 'thresholdPercent' | 'deadlineSeconds' | 'nowMs'>,
): Readiness {
  const count = (name: string): number => numberOf(at(object, 'status', name)) ?? 0;
  if ((object.metadata.generation ?? 0) > count('observedGeneration'))
    return { kind: 'progressing', reason: unobserved };
  if (textOf(conditionOf(object, 'Progressing')?.['reason']) === 'ProgressDeadlineExceeded') {
    return { kind: 'stuck', reason: `deployment "${object.metadata.name}" exceeded its progress deadline` };
  }
  const reason = unfinished(replicasOf(object), count, options.thresholdPercent);
  if (reason === undefined) return { kind: 'ready' };
  return { kind: isPastDeadline(object, options) ? 'stuck' : 'progressing', reason: `${waiting}${reason}` };
}

function unfinished(replicas: number, count: (name: string) => number, thresholdPercent: number): string | undefined {
  const updated = count('updatedReplicas');
  if (updated < replicas) return `${updated} out of ${replicas} new replicas have been updated`;
  const old = count('replicas') - updated;
  if (old > 0) return `${old} old replicas are pending termination`;
  const needed = Math.floor((updated * thresholdPercent) / 100);
  const available = count('availableReplicas');
  if (available >= needed) return undefined;
  return `${available} of ${needed} (readyThreshold ${thresholdPercent}%) updated replicas are available`;
}

function isPastDeadline(
  object: KubeObject,
  { deadlineSeconds, nowMs }: Pick<ReadinessInput, 'deadlineSeconds' | 'nowMs'>,
): boolean {
  const available = conditionOf(object, 'Available');
  const isShort = available?.['status'] === 'False' && available['reason'] === 'MinimumReplicasUnavailable';
  if (!isShort || !conditionOf(object, 'Progressing')) return false;
  const sinceMs = Date.parse(textOf(available['lastUpdateTime']) ?? '');
  return Number.isFinite(sinceMs) && sinceMs + deadlineSeconds * 1_000 < nowMs;
}

function conditionOf(object: KubeObject, type: string): Json | undefined {
  return listOf(at(object, 'status', 'conditions')).find((condition) => condition['type'] === type);
}

function movedAtMs(object: KubeObject): number | undefined {
  const times = [
    conditionOf(object, 'Available')?.['lastTransitionTime'],
    conditionOf(object, 'Progressing')?.['lastUpdateTime'],
  ]
    .map((time) => Date.parse(textOf(time) ?? ''))
    .filter(Number.isFinite);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** spec.replicas; absent means 1. */
function replicasOf(object: KubeObject): number {
  return numberOf(at(object, 'spec', 'replicas')) ?? 1;
}

/** Who made the primary: this agent, or Flagger before it. */
const makers: readonly unknown[] = ['serin-canary', 'flagger'];

/** A person or an autoscaler of their own has set the number of pods. Where nobody knows who did, it was us. */
function isScaledByOthers({ metadata }: KubeObject): boolean {
  const setters = listOf(metadata['managedFields']).filter(
    ({ fieldsV1 }) => at(fieldsV1, 'f:spec', 'f:replicas') !== undefined,
  );
  return setters.some(({ manager }) => !makers.includes(manager));
}

/** A promotion takes no pods from a primary that others have given more, and brings those back that they have taken: it gets all users. */
function sizedFor(source: PrimarySource, primary: KubeObject): PrimarySource {
  if (source.replicas === undefined || !isScaledByOthers(primary)) return source;
  return { ...source, replicas: Math.max(source.replicas, replicasOf(primary)) };
}

function availableOf(object: KubeObject): number {
  return numberOf(at(object, 'status', 'availableReplicas')) ?? 0;
}
