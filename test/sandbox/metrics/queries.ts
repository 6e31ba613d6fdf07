import { BUILTIN_METRICS, builtinQuery } from '../../../src/metrics/builtin-queries.ts';
import { startMs } from './recorded-traffic.ts';

/** When the queries are asked: before the canary, soon after its start, across its restart, at the end. */
export const times = [45.35, 93.5, 121.7, 169.9, 172.45, 200.123, 239.8].map(
  (second) => startMs + Math.round(second * 1000),
);

const PROXIES = ['istio', 'linkerd', 'http', 'nginx', 'traefik'] as const;
/** The agent's own, for every proxy that it knows. */
export const builtin = PROXIES.flatMap((proxy) =>
  BUILTIN_METRICS.flatMap((metric) =>
    ['1m', '30s', '7s'].map((interval) => {
      const subject = { namespace: 'test', target: 'podinfo', service: 'podinfo', ingress: 'podinfo', interval };
      return builtinQuery(metric, proxy, subject).query;
    }),
  ),
);

/** A MetricTemplate of a user's: the share of requests that were not found. */
export const template404 = `
  100 - sum(rate(http_request_duration_seconds_count{
    kubernetes_namespace="test", kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", status!="404",
  }[1m])) / sum(rate(http_request_duration_seconds_count{
    kubernetes_namespace="test", kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"
  }[1m])) * 100`;

/** Everything that is understood. */
export const others = [
  'http_requests_total',
  'http_requests_total{status=~"4.*|5.."}',
  'http_requests_total offset 1m',
  'http_requests_total offset -30s',
  'sum by (status) (rate(http_requests_total[30s]))',
  'sum(increase(http_requests_total[1m])) without (pod, kubernetes_pod_name, app)',
  'irate(http_requests_total[10s])',
  'idelta(http_requests_total[10s])',
  'delta(http_requests_total{status="200"}[1m])',
  'resets(http_requests_total[2m])',
  'changes(http_requests_total[20s])',
  'avg(http_requests_total) by (app)',
  'min(http_requests_total)',
  'max by (deployment) (response_total)',
  'count({__name__=~"http_.+"}) by (__name__)',
  'group(response_total) by (deployment)',
  'stddev(http_requests_total)',
  'stdvar by (app) (http_requests_total)',
  'quantile(0.7, http_requests_total)',
  'topk(2, http_requests_total)',
  'bottomk(1, http_requests_total) by (app)',
  'histogram_quantile(0.5, rate(response_latency_ms_bucket[1m]))',
  'histogram_quantile(0.9, sum by (le, app) (rate(http_request_duration_seconds_bucket[45s])))',
  'histogram_quantile(1.2, sum by (le) (rate(http_request_duration_seconds_bucket[45s])))',
  'histogram_quantile(-1, sum by (le) (rate(http_request_duration_seconds_bucket[45s])))',
  'histogram_quantile(0.5, sum by (le) (rate(nothing_bucket[45s])))',
  'sum(rate(http_requests_total{status="200"}[1m])) by (app) / on (app) sum(rate(http_requests_total[1m])) by (app)',
  'http_requests_total / ignoring (status) group_left sum without (status) (http_requests_total)',
  'sum without (status) (http_requests_total) * on (pod) group_right (app) http_requests_total',
  'http_requests_total > 100',
  'http_requests_total >= bool 100',
  '100 < http_requests_total',
  'http_requests_total == http_requests_total',
  'http_requests_total != on (pod, status) http_requests_total',
  'http_requests_total and on (app) response_total{status_code="500"}',
  'http_requests_total or response_total',
  'http_requests_total unless http_requests_total{status="200"}',
  'http_requests_total and on (pod) (response_total > 50)',
  'vector(1) or vector(2)',
  '-http_requests_total ^ 2',
  '-2 ^ 2',
  '2 ^ 3 ^ 2',
  '7 % 4 * 2 - 1 / 8',
  '-7 % 3',
  '1 / 0',
  '0 / 0',
  '1 > bool 2',
  '0x1f + .5 + 1e3 + Inf',
  'scalar(sum(http_requests_total)) + 1',
  'scalar(http_requests_total)',
  'time() - time() % 60',
  'round(sum(rate(http_requests_total[1m])), 0.1)',
  'round(-vector(2.5))',
  'abs(-http_requests_total)',
  'ceil(sqrt(http_requests_total)) + floor(ln(http_requests_total))',
  'clamp(http_requests_total, 10, 100)',
  'clamp(http_requests_total, 100, 10)',
  'clamp_min(http_requests_total, 50) - clamp_max(http_requests_total, 50)',
  'absent(nothing{app="x", env=~"y", a="1", a="2"})',
  'absent(http_requests_total)',
  'absent(sum(nothing))',
  'avg_over_time(http_requests_total[20s])',
  'max_over_time(http_requests_total[20s]) - min_over_time(http_requests_total[20s])',
  'sum_over_time(http_requests_total[20s]) / count_over_time(http_requests_total[20s])',
  'last_over_time(http_requests_total[20s])',
  'label_replace(http_requests_total, "short", "$1-${2}", "pod", "(\\\\w+)-(.+)-.*")',
  'sort_desc(http_requests_total)',
  'timestamp(http_requests_total)',
  'log2(vector(8)) + log10(vector(100)) + exp(vector(0)) + sgn(vector(-3))',
  'sum(rate(nothing[1m])) / sum(rate(http_requests_total[1m]))',
  '{job="x"}',
  '"text"',
  'http_requests_total[3s]',
  'SUM(http_requests_total) BY (app)',
  'http_requests_total{app="podinfo",} # a comment',
  "http_requests_total{app=~'podinfo.*',status!~`4..`}",
];

/** What Prometheus refuses. */
export const refused = [
  '',
  'sum(',
  'http_requests_total{',
  'http_requests_total{}[',
  '{}',
  '{app=~".*"}',
  'rate(http_requests_total)',
  'rate(http_requests_total[1m]) + http_requests_total[1m]',
  'sum(http_requests_total[1m])',
  '1 > 2',
  '1 and 2',
  'http_requests_total + bool 1',
  'http_requests_total{app~="x"}',
  'http_requests_total{app=~"("}',
  'nofunction(http_requests_total)',
  'sum(1)',
  'time(1)',
  '(http_requests_total)(1)',
  'http_requests_total[5]',
  '"open',
  '1 + on (app) http_requests_total',
  'http_requests_total and group_left response_total',
  'http_requests_total + response_total * ',
  // These are found only when the series are looked at.
  'http_requests_total / on (app) http_requests_total',
  'rate({__name__=~"http_requests_total|response_total", nothing=""}[1m]) + on () vector(1)',
];
