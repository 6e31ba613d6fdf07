/** What the queries are about. */
export interface QuerySubject {
  readonly namespace: string;
  /** Name of the target workload. */
  readonly target: string;
  /** Name of the apex service. */
  readonly service: string;
  /** Name of the user's Ingress, or of the target. */
  readonly ingress: string;
  /** Knative's latest Revision. Absent: the target's name. */
  readonly route?: string;
  /** Pods of a DaemonSet have one random part in their names, those of a Deployment two. Absent: no. */
  readonly isDaemonSet?: boolean;
  /** Window, e.g. `1m`. */
  readonly interval: string;
}

/** One proxy's metrics: requests by their outcome, and how long they take. */
interface ProxyMetrics {
  /** Counter of requests. */
  readonly requests: string;
  /** Selects the canary's series. */
  readonly labels: (subject: QuerySubject) => string;
  /** Only in the counter's selectors. */
  readonly counterLabels?: string;
  /** What the successful ones have in addition. */
  readonly ok: string;
  /** Histogram without `_bucket`, `_sum` and `_count`. */
  readonly duration: string;
  readonly statistic: 'p99' | 'mean';
  /** Part of the query. */
  readonly factorInQuery?: 1000;
  /** What one of the result is in milliseconds. */
  readonly unitMs: 1 | 1000;
}

/** A name inside a regular expression inside a PromQL string. */
const literal = (name: string): string => name.replaceAll('.', '\\\\.');

/** Flagger takes two parts for all: of a DaemonSet it sees the primary's pods and judges them for the canary's. */
const podOf = ({ target, isDaemonSet }: QuerySubject): string =>
  `${literal(target)}-[0-9a-zA-Z]+${isDaemonSet ? '' : '(-[0-9a-zA-Z]+)'}`;

/** Rows of Flagger's table whose router exists here, and Istio, which is also its fallback. */
const proxies = {
  istio: {
    requests: 'istio_requests_total',
    labels: ({ namespace, target }) =>
      `reporter="destination",destination_workload_namespace="${namespace}",destination_workload=~"${literal(target)}"`,
    ok: 'response_code!~"5.*"',
    duration: 'istio_request_duration_milliseconds',
    statistic: 'p99',
    unitMs: 1,
  },
  linkerd: {
    requests: 'response_total',
    labels: ({ namespace, target }) => `namespace="${namespace}",deployment=~"${literal(target)}",direction="inbound"`,
    ok: 'classification!="failure"',
    duration: 'response_latency_ms',
    statistic: 'p99',
    unitMs: 1,
  },
  http: {
    requests: 'http_request_duration_seconds_count',
    labels: (subject) => `kubernetes_namespace="${subject.namespace}",kubernetes_pod_name=~"${podOf(subject)}"`,
    ok: 'status!~"5.*"',
    duration: 'http_request_duration_seconds',
    statistic: 'p99',
    unitMs: 1000,
  },
  knative: {
    requests: 'envoy_cluster_upstream_rq',
    labels: ({ namespace, target, route = target }) => `envoy_cluster_name=~"${namespace}/${literal(route)}"`,
    ok: 'envoy_response_code!~"5.*"',
    duration: 'envoy_cluster_upstream_rq_time',
    statistic: 'p99',
    unitMs: 1,
  },
  nginx: {
    requests: 'nginx_ingress_controller_requests',
    labels: ({ namespace, ingress }) => `namespace="${namespace}",ingress="${ingress}",canary!=""`,
    ok: 'status!~"5.*"',
    duration: 'nginx_ingress_controller_response_duration_seconds',
    statistic: 'mean',
    factorInQuery: 1000,
    unitMs: 1,
  },
  traefik: {
    requests: 'traefik_service_request_duration_seconds_bucket',
    // Flagger takes the target's name here, which only matches where the service has the same one.
    labels: ({ namespace, service }) =>
      `service=~"${namespace}-${literal(service)}-canary-[0-9a-zA-Z-]+@kubernetescrd"`,
    counterLabels: 'le="+Inf"',
    ok: 'code!~"5.."',
    duration: 'traefik_service_request_duration_seconds',
    statistic: 'p99',
    factorInQuery: 1000,
    unitMs: 1,
  },
} as const satisfies Record<string, ProxyMetrics>;

export type ProxyName = keyof typeof proxies;

/** Whose metrics tell about canaries of this provider. A mesh that is Linkerd counts for all of them, as in Flagger. */
export function proxyOf(provider: string, meshProvider: string): ProxyName {
  if (meshProvider.includes('linkerd')) return 'linkerd';
  if (provider === 'kubernetes' || provider.startsWith('gatewayapi')) return 'http';
  if (provider === 'knative' || provider === 'nginx' || provider === 'traefik' || provider === 'linkerd')
    return provider;
  return 'istio';
}

export interface BuiltinQuery {
  readonly query: string;
  /** Gives more than 0 where there was any traffic; only for rates. */
  readonly traffic?: string;
  /** What one of the result is in the metric's unit: percent, or milliseconds. */
  readonly factor: number;
}

export const BUILTIN_METRICS = ['request-success-rate', 'request-duration'] as const;
export type BuiltinMetric = (typeof BUILTIN_METRICS)[number];

export function isBuiltin(name: string): name is BuiltinMetric {
  return (BUILTIN_METRICS as readonly string[]).includes(name);
}

/** Success rate in percent; duration in milliseconds (99th percentile, or the mean with NGINX). */
export function builtinQuery(metric: BuiltinMetric, proxy: ProxyName, subject: QuerySubject): BuiltinQuery {
  const row: ProxyMetrics = proxies[proxy];
  const labels = row.labels(subject);
  const rate = (series: string, ...more: readonly (string | undefined)[]): string => {
    const selectors = [labels, ...more].filter((part) => part !== undefined).join(',');
    return `rate(${series}{${selectors}}[${subject.interval}])`;
  };
  if (metric === 'request-success-rate') {
    const all = `sum(${rate(row.requests, row.counterLabels)})`;
    const ok = `sum(${rate(row.requests, row.ok, row.counterLabels)})`;
    return { query: `${ok} / ${all} * 100`, traffic: all, factor: 1 };
  }
  const quantile = `histogram_quantile(0.99, sum(${rate(`${row.duration}_bucket`)}) by (le))`;
  const mean = `sum(${rate(`${row.duration}_sum`)}) / sum(${rate(`${row.duration}_count`)})`;
  const value = row.statistic === 'mean' ? mean : quantile;
  return { query: row.factorInQuery === undefined ? value : `${value} * ${row.factorInQuery}`, factor: row.unitMs };
}
