import type { KubeObject } from '../../manifest/types.ts';
import { at, type Json, jsonOf, listOf, numberOf, textOf, textsOf } from '../../lib/json.ts';
import type { AutoscalerSpec } from '../types.ts';
import { copied, primaryScaleTarget, type Scaler } from './scaler.ts';

/** Keeps a target at this many pods; KEDA's own word. */
export const pausedReplicas = 'autoscaling.keda.sh/paused-replicas';
/** Also `paused`, `paused-scale-in` and `paused-scale-out`: whoever pauses the target does not mean the primary. */
const isPause = (key: string): boolean => key.startsWith('autoscaling.keda.sh/paused');
/** KEDA writes the name of the object that it stands on there. */
const ownName = 'scaledobject.keda.sh/name';

/** KEDA's. It scales from zero by itself, so a target that is to have no pods needs its autoscaler paused. */
export const scaledObject: Scaler = {
  kind: 'ScaledObject',
  ref: { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject' },
  missing: ({ name, namespace }) =>
    `Keda ScaledObject ${name}.${namespace} get query error: scaledobjects.keda.sh "${name}" not found`,
  leastOf: (scaler) => Math.max(numberOf(at(scaler, 'spec', 'minReplicaCount')) ?? 1, 1),
  // KEDA's default.
  mostOf: (scaler) => numberOf(at(scaler, 'spec', 'maxReplicaCount')) ?? 100,
  specFor(input) {
    const { primaryMinReplicas: min, primaryMaxReplicas: max } = input.spec;
    const source = jsonOf(input.source['spec']);
    return {
      ...source,
      scaleTargetRef: primaryScaleTarget(input),
      triggers: listOf(source['triggers']).map((trigger) => forPrimary(trigger, input.target, input.spec)),
      ...(source['advanced'] === undefined ? {} : { advanced: withOwnHpa(jsonOf(source['advanced'])) }),
      ...(min === undefined ? {} : { minReplicaCount: min }),
      ...(max === undefined ? {} : { maxReplicaCount: max }),
    };
  },
  metadataFor: ({ metadata }) => ({
    labels: copied(metadata.labels, (key) => key === ownName),
    // With them goes `scaledobject.keda.sh/transfer-hpa-ownership`.
    annotations: copied(metadata.annotations, isPause),
  }),
  // A person's pause of the primary is kept. At zero it is none: a copy of the target's, which would leave nobody to serve.
  isForeign: (key, value) => key === ownName || (isPause(key) && !(key === pausedReplicas && value === '0')),
  isAtZero: ({ metadata }) => textsOf(metadata.annotations)[pausedReplicas] === '0',
  paused: (scaler, isPaused) => pausedAt(scaler, isPaused ? 0 : undefined),
  held: pausedAt,
  takesPods: true,
  // What it makes then begins with as many pods as there are.
  settleMs: 0,
};

function pausedAt(scaler: KubeObject, replicas: number | undefined): KubeObject {
  const { [pausedReplicas]: now, ...others } = textsOf(scaler.metadata.annotations);
  const wanted = replicas?.toString();
  if (now === wanted) return scaler;
  const annotations = wanted === undefined ? others : { ...others, [pausedReplicas]: wanted };
  return { ...scaler, metadata: { ...scaler.metadata, annotations } };
}

/** Two ScaledObjects must not make one and the same HorizontalPodAutoscaler. */
function withOwnHpa(advanced: Json): Json {
  const config = jsonOf(advanced['horizontalPodAutoscalerConfig']);
  const name = textOf(config['name']);
  if (name === undefined) return advanced;
  return { ...advanced, horizontalPodAutoscalerConfig: { ...config, name: `${name}-primary` } };
}

function forPrimary(trigger: Json, target: string, { primaryQueries }: AutoscalerSpec): Json {
  const metadata = jsonOf(trigger['metadata']);
  if (primaryQueries) {
    const query = primaryQueries[textOf(trigger['name']) ?? ''];
    return query === undefined ? trigger : { ...trigger, metadata: { ...metadata, query } };
  }
  const query = textOf(metadata['query']);
  if (query === undefined) return trigger;
  return { ...trigger, metadata: { ...metadata, query: primaryQuery(query, target) } };
}

/**
 * A query about the target as one about its primary: `<target>`, `<target>-canary` and `<target>-primary` all become the last.
 * Flagger replaces the target's name wherever its letters occur; here it has to be a word of its own, not a part of another name
 * (`podinfo_requests_total`, `application` for the target `app`), and not the key of a comparison (`app="podinfo"`).
 */
export function primaryQuery(query: string, target: string): string {
  const name = target.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const word = new RegExp(`(?<![\\w-])${name}(?:-canary|-primary)?(?!\\w)(?!\\s*(?:=|!=|!~))`, 'g');
  return query.replaceAll(word, () => `${target}-primary`);
}
