import { at, jsonOf, numberOf } from '../json.ts';
import { copied, primaryScaleTarget, type Scaler } from './scaler.ts';

/** Kubernetes' own. It leaves a target without pods alone, so there is nothing to pause. */
export const hpa: Scaler = {
  kind: 'HorizontalPodAutoscaler',
  ref: { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  missing: ({ name, namespace }) =>
    `HorizontalPodAutoscaler ${name}.${namespace} get query error: horizontalpodautoscalers.autoscaling "${name}" not found`,
  leastOf: (scaler) => Math.max(numberOf(at(scaler, 'spec', 'minReplicas')) ?? 1, 1),
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
};
