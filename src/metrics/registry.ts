import { AgentError } from '../lib/errors.ts';
import { datadog } from './datadog.ts';
import { dynatrace } from './dynatrace.ts';
import { graphite } from './graphite.ts';
import { influxdb } from './influxdb.ts';
import { newrelic } from './newrelic.ts';
import { opensearch } from './opensearch.ts';
import { prometheus } from './prometheus.ts';
import type { MetricProvider } from './provider.ts';
import { web } from './web.ts';

/** All metrics providers, by the value of a MetricTemplate's `spec.provider.type`. */
export const metricProviders = {
  prometheus,
  datadog,
  dynatrace,
  graphite,
  influxdb,
  newrelic,
  opensearch,
  web,
} as const satisfies Record<string, MetricProvider>;

/** Flagger's other providers. */
export const later: readonly string[] = ['cloudwatch', 'externalmetrics', 'keptn', 'splunk', 'stackdriver'];

/** Throws AgentError CANARY_INVALID where `metricProviderProblem` says why. */
export function metricProviderFor(type: string): MetricProvider {
  const problem = metricProviderProblem(type);
  if (problem !== undefined) throw new AgentError('CANARY_INVALID', problem);
  return metricProviders[type as keyof typeof metricProviders];
}

/** Why `spec.provider.type` of a MetricTemplate cannot be used; undefined where it can. */
export function metricProviderProblem(type: string): string | undefined {
  if (Object.hasOwn(metricProviders, type)) return undefined;
  const supported = `supported are ${Object.keys(metricProviders).join(', ')}`;
  return later.includes(type)
    ? `spec.provider.type: ${type} is not supported in this release; ${supported}`
    : `spec.provider.type: unknown provider "${type}"; ${supported}`;
}
