import { AgentError } from '../lib/errors.ts';
import { cloudwatch } from './cloudwatch.ts';
import { datadog } from './datadog.ts';
import { dynatrace } from './dynatrace.ts';
import { externalmetrics } from './externalmetrics.ts';
import { graphite } from './graphite.ts';
import { influxdb } from './influxdb.ts';
import { keptn } from './keptn.ts';
import { newrelic } from './newrelic.ts';
import { opensearch } from './opensearch.ts';
import { prometheus } from './prometheus.ts';
import type { MetricProvider } from './provider.ts';
import { splunk } from './splunk.ts';
import { stackdriver } from './stackdriver.ts';
import { web } from './web.ts';

/** All metrics providers, by the value of a MetricTemplate's `spec.provider.type`. */
export const metricProviders = {
  prometheus,
  cloudwatch,
  datadog,
  dynatrace,
  externalmetrics,
  graphite,
  influxdb,
  keptn,
  newrelic,
  opensearch,
  splunk,
  stackdriver,
  web,
} as const satisfies Record<string, MetricProvider>;

/** Throws AgentError CANARY_INVALID where `metricProviderProblem` says why. */
export function metricProviderFor(type: string): MetricProvider {
  const problem = metricProviderProblem(type);
  if (problem !== undefined) throw new AgentError('CANARY_INVALID', problem);
  return metricProviders[type as keyof typeof metricProviders];
}

/** Why `spec.provider.type` of a MetricTemplate cannot be used; undefined where it can. */
export function metricProviderProblem(type: string): string | undefined {
  if (Object.hasOwn(metricProviders, type)) return undefined;
  return `spec.provider.type: unknown provider "${type}"; supported are ${Object.keys(metricProviders).join(', ')}`;
}
