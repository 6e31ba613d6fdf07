import { type Json, jsonOf, listOf } from '../lib/json.ts';
import type { SelectorLabel } from './labels.ts';

/**
 * Selectors by which pods keep away from their own kind must mean the primary's own kind in the primary:
 * topologySpreadConstraints and podAntiAffinity. podAffinity (to be near others) stays.
 */
export function spreadFromPrimary(podSpec: unknown, targetName: string, selector: SelectorLabel): Json {
  const spec = jsonOf(podSpec);
  const own = new Set([targetName, selector.value]);
  const rename = (value: unknown): unknown =>
    typeof value === 'string' && own.has(value) ? `${value}-primary` : value;

  const labelSelector = (value: unknown): unknown => {
    const { matchLabels, matchExpressions, ...rest } = jsonOf(value);
    const labels = jsonOf(matchLabels);
    const renamed = labels[selector.label];
    return {
      ...rest,
      ...(matchLabels === undefined
        ? {}
        : { matchLabels: renamed === undefined ? labels : { ...labels, [selector.label]: rename(renamed) } }),
      ...(Array.isArray(matchExpressions)
        ? {
            matchExpressions: listOf(matchExpressions).map((expression) =>
              expression['key'] === selector.label && Array.isArray(expression['values'])
                ? { ...expression, values: expression['values'].map(rename) }
                : expression,
            ),
          }
        : {}),
    };
  };
  const term = (value: Json): Json =>
    value['labelSelector'] === undefined ? value : { ...value, labelSelector: labelSelector(value['labelSelector']) };

  const constraints = spec['topologySpreadConstraints'];
  const affinity = jsonOf(spec['affinity']);
  const anti = jsonOf(affinity['podAntiAffinity']);
  const {
    requiredDuringSchedulingIgnoredDuringExecution: required,
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
  } = anti;
  return {
    ...spec,
    ...(Array.isArray(constraints) ? { topologySpreadConstraints: listOf(constraints).map(term) } : {}),
    ...(affinity['podAntiAffinity'] === undefined
      ? {}
      : {
          affinity: {
            ...affinity,
            podAntiAffinity: {
              ...anti,
              ...(Array.isArray(required)
                ? { requiredDuringSchedulingIgnoredDuringExecution: listOf(required).map(term) }
                : {}),
              ...(Array.isArray(preferred)
                ? {
                    preferredDuringSchedulingIgnoredDuringExecution: listOf(preferred).map((one) => ({
                      ...one,
                      podAffinityTerm: term(jsonOf(one['podAffinityTerm'])),
                    })),
                  }
                : {}),
            },
          },
        }),
  };
}
