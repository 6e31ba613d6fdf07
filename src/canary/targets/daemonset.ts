import type { KubeObject } from '../../manifest/types.ts';
import { at, type Json, jsonOf, listOf, numberOf, textOf } from '../../lib/json.ts';
import { selectorLabelOf } from '../labels.ts';
import { createPrimary, type PrimarySource, primaryHasId, primaryRuns, promotePrimary } from '../primary.ts';
import { renderService } from '../services.ts';
import type { Readiness } from '../types.ts';
import type { ReadinessInput, Target } from './target.ts';
import { podsOf } from './unavailable.ts';

/** No node has this label: pods that ask for it are nowhere. */
export const scaleToZeroKey = 'flagger.app/scale-to-zero';
const nodeSelectorPath = ['spec', 'template', 'spec', 'nodeSelector'];
const waiting = 'waiting for rollout to finish: ';
const unobserved = `${waiting}observed daemonset generation less than desired generation`;

/** As a Deployment, but its pods are one on each node, and it goes to zero by a node selector that no node has. */
export const daemonset: Target = {
  kind: 'DaemonSet',
  ref: { apiVersion: 'apps/v1', kind: 'DaemonSet' },
  services: 'all',
  shared: 'nodes',
  wholeField: nodeSelectorPath,
  withShared: withMarkOf,
  tracksConfigs: true,
  selectorOf: selectorLabelOf,
  missing: ({ name, namespace }) =>
    `daemonset ${name}.${namespace} get query error: daemonsets.apps "${name}" not found`,
  unlabelled: ({ name, namespace }, names) =>
    `getSelectorLabel failed: daemonset ${name}.${namespace} spec.selector.matchLabels must contain one of [${names.join(' ')}]`,
  obstacle(target) {
    const type = textOf(at(target, 'spec', 'updateStrategy', 'type'));
    if (type === undefined || type === 'RollingUpdate') return undefined;
    const { name, namespace = '' } = target.metadata;
    return `daemonset ${name}.${namespace} must have RollingUpdate strategy but have ${type}`;
  },
  revised: (target) => at(atFull(target), 'spec', 'template'),
  judged: (document) => at(document, 'spec', 'template'),
  primaryRef: (ref) => ({ ...ref, name: `${ref.name}-primary` }),
  candidateOf: ({ target }) => target,
  writePrimary(source, primary) {
    const full = fullSource(source);
    return { object: primary ? promotePrimary(primary, full) : createPrimary(full), over: primary };
  },
  unmarked: (primary) => (replicasOf(primary) === 0 ? atFull(primary) : primary),
  runs: (primary, source) => primaryRuns(primary, fullSource(source)),
  hasId: primaryHasId,
  unborn: ({ name, namespace }) => `primary daemonset ${name}.${namespace} not ready: ${unobserved}`,
  readiness: daemonsetReadiness,
  serves: (object) => object !== undefined && replicasOf(object) > 0 && countOf(object, 'numberAvailable') > 0,
  mayEndAll(object) {
    const pods = countOf(object, 'desiredNumberScheduled');
    const bounds = at(object, 'spec', 'updateStrategy', 'rollingUpdate');
    if (podsOf(at(bounds, 'maxSurge'), pods, 'up', 0) > 0) return false;
    return pods > 0 && podsOf(at(bounds, 'maxUnavailable'), pods, 'up', 1) >= pods;
  },
  pods: (object) => ({
    wanted: countOf(object, 'desiredNumberScheduled'),
    answering: countOf(object, 'numberAvailable'),
  }),
  scaling: {
    replicasOf,
    patch: (replicas) => ({
      spec: { template: { spec: { nodeSelector: { [scaleToZeroKey]: replicas === 0 ? 'true' : null } } } },
    }),
  },
  renderService,
};

/** With the mark by which its Canary keeps the live one at zero. */
function withMarkOf(live: KubeObject, object: KubeObject): KubeObject {
  const mark = at(live, ...nodeSelectorPath, scaleToZeroKey);
  if (mark === undefined) return object;
  const spec = jsonOf(object['spec']);
  const template = jsonOf(spec['template']);
  const podSpec = jsonOf(template['spec']);
  const nodeSelector = { ...jsonOf(podSpec['nodeSelector']), [scaleToZeroKey]: mark };
  return { ...object, spec: { ...spec, template: { ...template, spec: { ...podSpec, nodeSelector } } } };
}

/** The same without the mark that keeps it at zero. An empty node selector is none. */
function atFull(object: KubeObject): KubeObject {
  const nodeSelector = jsonOf(at(object, 'spec', 'template', 'spec', 'nodeSelector'));
  const { [scaleToZeroKey]: _mark, ...others } = nodeSelector;
  const spec = jsonOf(object['spec']);
  const template = jsonOf(spec['template']);
  const { nodeSelector: _before, ...podSpec } = jsonOf(template['spec']);
  const cleaned: Json = Object.keys(others).length === 0 ? podSpec : { ...podSpec, nodeSelector: others };
  return { ...object, spec: { ...spec, template: { ...template, spec: cleaned } } };
}

function fullSource(source: PrimarySource): PrimarySource {
  return { ...source, target: atFull(source.target), replicas: undefined };
}

function daemonsetReadiness(input: ReadinessInput): Readiness {
  const { object, name, namespace, role } = input;
  if (!object) return { kind: 'progressing', reason: daemonset.missing({ name, namespace }) };
  const found = rolloutState(object, input);
  if (found.kind === 'ready') return found;
  const prefix =
    role === 'primary'
      ? `primary daemonset ${name}.${namespace} not ready: `
      : `canary damonset ${name}.${namespace} not ready with retryable ${found.kind === 'progressing'}: `;
  return { kind: found.kind, reason: `${prefix}${found.reason}`, why: found.reason };
}

function rolloutState(object: KubeObject, options: ReadinessInput): Readiness {
  if ((object.metadata.generation ?? 0) > countOf(object, 'observedGeneration'))
    return { kind: 'progressing', reason: unobserved };
  const { thresholdPercent, deadlineSeconds, nowMs } = options;
  const desired = countOf(object, 'desiredNumberScheduled');
  const updated = countOf(object, 'updatedNumberScheduled');
  const available = countOf(object, 'numberAvailable');
  const needed = Math.floor((desired * thresholdPercent) / 100);
  if (updated >= desired && available >= needed) {
    if (daemonset.serves(object)) return { kind: 'ready' };
    // Flagger goes on without a single pod.
    return { kind: 'progressing', reason: `${waiting}no node has a pod of it that answers` };
  }
  const movedMs = lastMovedMs(object);
  if (movedMs !== undefined && movedMs + deadlineSeconds * 1_000 < nowMs)
    return { kind: 'stuck', reason: `exceeded its progressDeadlineSeconds: ${deadlineSeconds}` };
  return {
    kind: 'progressing',
    reason:
      updated < desired
        ? `${waiting}${updated} out of ${desired} new pods have been updated`
        : `${waiting}${available} of ${needed} (readyThreshold ${thresholdPercent}%) updated pods are available`,
  };
}

/**
 * When its spec or its status was last changed, by anybody: the deadline begins anew with every pod that comes, as a Deployment's does.
 * A DaemonSet has no conditions that would tell; the API server's own record of writers does. (Flagger takes the time of the Canary's
 * last status write, which every check moves.) Undefined where the server keeps no such record: then it is never given up.
 */
function lastMovedMs({ metadata }: KubeObject): number | undefined {
  const times = listOf(metadata['managedFields'])
    .filter(({ subresource, fieldsV1 }) => subresource === 'status' || jsonOf(fieldsV1)['f:spec'] !== undefined)
    .map(({ time }) => Date.parse(textOf(time) ?? ''))
    .filter(Number.isFinite);
  return times.length === 0 ? undefined : Math.max(...times);
}

function replicasOf(object: KubeObject): number {
  return at(object, 'spec', 'template', 'spec', 'nodeSelector', scaleToZeroKey) === undefined ? 1 : 0;
}

function countOf(object: KubeObject, name: string): number {
  return numberOf(at(object, 'status', name)) ?? 0;
}
