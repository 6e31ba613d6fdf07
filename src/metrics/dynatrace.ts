import type { HttpResponse } from '../lib/http/http.ts';
import {
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  parseOnline,
  refusal,
  refused,
  type Refused,
  seriesReading,
  stepMsOf,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricQuery, MetricTarget, Reading, SeriesReading } from './provider.ts';

const name = 'Dynatrace';
const token = 'dynatrace_token';

/** Dynatrace's metrics API. */
export const dynatrace = httpProvider({
  name: 'dynatrace',
  about: {
    title: name,
    url: 'https://docs.dynatrace.com/docs/dynatrace-api/environment-api/metric-v2/get-data-points',
  },
  secretKeys: [token],
  measure: {
    request(query) {
      // Ten intervals, as Flagger.
      return requestFor(query, 'Inf', query.nowMs - 10 * query.windowMs);
    },
    parse,
  },
  series: {
    request: (query) => requestFor(query, `${Math.ceil(stepMsOf(query) / 60_000)}m`, query.fromMs),
    parse: parseSeries,
  },
  probe: {
    request: (target) => ({
      url: urlUnder(target.address, '/api/v2/metrics', { pageSize: '1' }).href,
      headers: headersFor(target),
    }),
    parse: parseOnline(name),
  },
});

function requestFor(query: MetricQuery, resolution: string, fromMs: number) {
  const search = { metricSelector: query.query.trim(), resolution, from: `${fromMs}`, to: `${query.nowMs}` };
  return { url: urlUnder(query.address, '/api/v2/metrics/query', search).href, headers: headersFor(query) };
}

function headersFor({ credentials = {} }: MetricTarget): Record<string, string> {
  return { accept: 'application/json', authorization: `Api-Token ${(credentials[token] ?? '').trim()}` };
}

interface Answer {
  readonly result?: readonly {
    readonly data?: readonly { readonly timestamps?: unknown; readonly values?: unknown }[];
  }[];
}

function parse(response: HttpResponse): Reading {
  const data = dataOf(response);
  if ('kind' in data) return data;
  const value: unknown = Array.isArray(data.values) ? data.values[0] : undefined;
  return value === undefined || value === null ? noValues : numberReading(value);
}

function parseSeries(response: HttpResponse): SeriesReading {
  const data = dataOf(response);
  if ('kind' in data) return data;
  const { timestamps = [], values = [] } = data;
  if (!Array.isArray(timestamps) || !Array.isArray(values)) return unlike(name, response);
  return seriesReading(values.map((value: unknown, at) => [timestamps[at], value]));
}

/** The values of the last set of dimensions. */
function dataOf(response: HttpResponse): { readonly timestamps?: unknown; readonly values?: unknown } | Refused {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const { result } = (read.json ?? {}) as Answer;
  if (!Array.isArray(result)) return unlike(name, response);
  if (result.length > 1)
    return refused(`query returned multiple values: ${result.length} metrics, one is needed`, false);
  const data: unknown = result[0]?.data ?? [];
  if (!Array.isArray(data)) return unlike(name, response);
  const { timestamps, values } = (data.at(-1) ?? {}) as { readonly timestamps?: unknown; readonly values?: unknown };
  return { timestamps, values };
}
