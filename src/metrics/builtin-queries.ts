import { proxies, type ProxyMetrics, type ProxyName, type QuerySubject } from './proxies.ts';

export { ofPrimary, type ProxyName, proxyOf, type QuerySubject } from './proxies.ts';

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

/** Success rate in percent; duration in milliseconds (99th percentile, or the mean with NGINX and Skipper). */
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
  const quantile = `histogram_quantile(0.99, sum(${rate(`${row.duration}_bucket`, row.durationLabels)}) by (le))`;
  const mean = `sum(${rate(`${row.duration}_sum`)}) / sum(${rate(`${row.duration}_count`)})`;
  const value = row.statistic === 'mean' ? mean : quantile;
  return { query: row.factorInQuery === undefined ? value : `${value} * ${row.factorInQuery}`, factor: row.unitMs };
}
