import type { KubeObject } from '../../manifest/types.ts';
import { at, jsonOf, numberOf, textOf, textsOf } from '../../lib/json.ts';
import { copied, primaryScaleTarget, type Scaler } from './scaler.ts';

/** Kubernetes' own. It leaves a target without pods alone, so there is nothing to pause. */
export const hpa: Scaler = {
  kind: 'HorizontalPodAutoscaler',
  ref: { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  missing: ({ name, namespace }) =>
    `HorizontalPodAutoscaler ${name}.${namespace} get query error: horizontalpodautoscalers.autoscaling "${name}" not found`,
  leastOf: (scaler) => Math.max(numberOf(at(scaler, 'spec', 'minReplicas')) ?? 1, 1),
  mostOf: (scaler) => numberOf(at(scaler, 'spec', 'maxReplicas')) ?? Infinity,
  specFor(input) {
    const { primaryMinReplicas: min, primaryMaxReplicas: max } = input.spec;
    return {
      ...jsonOf(input.source['spec']),
      scaleTargetRef: primaryScaleTarget(input),
      ...(min === undefined ? {} : { minReplicas: min }),
      ...(max === undefined ? {} : { maxReplicas: max }),
    };
  },
  metadataFor: ({ metadata }) => ({ labels: copied(metadata.labels) }),
  isForeign: () => false,
  held,
  takesPods: false,
  // Metrics are up to half a minute old, and it looks every 15 s.
  settleMs: 60_000,
};

/** Annotation of a held one: how it was to take pods away before; empty: as it does by itself. */
const heldFrom = 'serin.dev/scale-down-before';

/** It counts the pods that are busy now, and would take the others at once. */
function held(scaler: KubeObject, replicas: number | undefined): KubeObject {
  const { [heldFrom]: before, ...annotations } = textsOf(scaler.metadata.annotations);
  const policy = textOf(at(scaler, 'spec', 'behavior', 'scaleDown', 'selectPolicy'));
  if (replicas !== undefined) {
    if (policy === 'Disabled') return scaler;
    return withPolicy(scaler, { ...annotations, [heldFrom]: policy ?? '' }, 'Disabled');
  }
  if (before === undefined) return scaler;
  // The API server's own word for nothing in particular.
  return withPolicy(scaler, annotations, before === '' ? 'Max' : before);
}

function withPolicy(scaler: KubeObject, annotations: Record<string, string>, selectPolicy: string): KubeObject {
  const spec = jsonOf(scaler['spec']);
  const behavior = jsonOf(spec['behavior']);
  const scaleDown = { ...jsonOf(behavior['scaleDown']), selectPolicy };
  return {
    ...scaler,
    metadata: { ...scaler.metadata, annotations },
    spec: { ...spec, behavior: { ...behavior, scaleDown } },
  };
}
