import type { FieldChecks } from './field-checks.ts';
import { scalers } from '../scalers/registry.ts';
import type { AutoscalerSpec } from '../types.ts';

const field = 'spec.autoscalerRef';
/** Flagger ignores any other kind, and with it the autoscaler; here it is refused, because it can only be a slip. */
const kinds = ['HorizontalPodAutoscaler', 'ScaledObject'] as const;

export function parseAutoscaler(
  value: unknown,
  namespace: string,
  check: FieldChecks,
): { readonly autoscaler?: AutoscalerSpec } {
  if (value === undefined || value === null) return {};
  const ref = check.record(value, field);
  const kind = check.oneOf(ref['kind'], `${field}.kind`, kinds) ?? 'HorizontalPodAutoscaler';
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) check.note(`${field}.name`, 'is required', `name the ${kind} of the target`);
  const hasQueries = ref['primaryScalerQueries'] !== undefined && ref['primaryScalerQueries'] !== null;
  const primaryQueries = hasQueries ? check.texts(ref['primaryScalerQueries'], `${field}.primaryScalerQueries`) : {};
  const replicas = check.record(ref['primaryScalerReplicas'], `${field}.primaryScalerReplicas`);
  const countOf = (member: string): number | undefined =>
    check.whole(replicas[member], `${field}.primaryScalerReplicas.${member}`, 1);
  const min = countOf('minReplicas');
  const max = countOf('maxReplicas');
  if (min !== undefined && max !== undefined && min > max)
    check.note(`${field}.primaryScalerReplicas`, `minReplicas ${min} is more than maxReplicas ${max}`);
  return {
    autoscaler: {
      ref: { ...scalers[kind].ref, namespace, name: name ?? '' },
      kind,
      ...(Object.keys(primaryQueries).length === 0 ? {} : { primaryQueries }),
      ...(min === undefined ? {} : { primaryMinReplicas: min }),
      ...(max === undefined ? {} : { primaryMaxReplicas: max }),
    },
  };
}
