const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  readonly labels: string;
  readonly status: string;
  readonly counts: number[];
  sum: number;
}

/** The metrics that podinfo shows of itself, in Prometheus' text format. */
export interface RequestMetrics {
  readonly observe: (method: string, path: string, status: number, seconds: number) => void;
  readonly text: () => string;
}

export function createRequestMetrics(): RequestMetrics {
  const all = new Map<string, Series>();
  const renderSeries = ({ labels, counts, sum }: Series): string[] => {
    let count = 0;
    const buckets = counts.map((inBucket, index) => {
      count += inBucket;
      return `http_request_duration_seconds_bucket{${labels},le="${bounds[index] ?? '+Inf'}"} ${count}`;
    });
    const rest = [`sum{${labels}} ${sum}`, `count{${labels}} ${count}`];
    return [...buckets, ...rest.map((line) => `http_request_duration_seconds_${line}`)];
  };
  return {
    observe(method, path, status, seconds) {
      const labels = `method="${method}",path="${routeOf(path)}",status="${status}"`;
      const series = all.get(labels) ?? {
        labels,
        status: String(status),
        counts: Array.from({ length: bounds.length + 1 }, () => 0),
        sum: 0,
      };
      all.set(labels, series);
      const above = bounds.findIndex((bound) => seconds <= bound);
      const bucket = above < 0 ? bounds.length : above;
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
      series.sum += seconds;
    },
    text() {
      const totals = new Map<string, number>();
      for (const { status, counts } of all.values()) {
        totals.set(
          status,
          counts.reduce((total, count) => total + count, totals.get(status) ?? 0),
        );
      }
      return [
        '# TYPE http_request_duration_seconds histogram',
        ...[...all.values()].flatMap(renderSeries),
        '# TYPE http_requests_total counter',
        ...[...totals].map(([status, count]) => `http_requests_total{status="${status}"} ${count}`),
        '',
      ].join('\n');
    },
  };
}

/** Names the handler, not the URL, so that the series stay few. */
function routeOf(path: string): string {
  const first = path.split('/')[1] ?? '';
  if (first === '') return 'root';
  return ['env', 'status', 'delay', 'echo', 'token'].includes(first) ? first : 'other';
}
