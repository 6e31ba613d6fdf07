import type { MetricKind, Unit } from './evidence.ts';
import type { MetricSpec } from './spec.ts';

/** Undefined: it is neither built in nor has a query. */
export function metricKind({ name, query, templateRef }: MetricSpec): MetricKind | undefined {
  if (templateRef) return 'template';
  if (query) return 'query';
  if (name === 'request-success-rate') return 'success-rate';
  return name === 'request-duration' ? 'duration' : undefined;
}

export const units: Readonly<Record<MetricKind, Unit>> = {
  'success-rate': 'percent',
  duration: 'milliseconds',
  query: 'own',
  template: 'own',
};
