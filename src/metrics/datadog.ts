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
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricQuery, MetricTarget, Reading, SeriesReading } from './provider.ts';

const name = 'Datadog';
const [apiKey, applicationKey] = ['datadog_api_key', 'datadog_application_key'] as const;

/** Datadog's timeseries. */
export const datadog = httpProvider({
  name: 'datadog',
  about: { title: name, url: 'https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points' },
  address: 'https://api.datadoghq.com',
  secretKeys: [apiKey, applicationKey],
  measure: {
    request(query) {
      // Ten intervals, as Flagger: the newest points may not have been reported yet.
      return requestFor(query, query.nowMs - 10 * query.windowMs);
    },
    parse,
  },
  series: { request: (query) => requestFor(query, query.fromMs), parse: parseSeries },
  probe: {
    request: (target) => ({ url: urlUnder(target.address, '/api/v1/validate').href, headers: headersFor(target) }),
    parse: parseOnline(name),
  },
});

function requestFor(query: MetricQuery, fromMs: number): { url: string; headers: Record<string, string> } {
  const [from = '', to = ''] = [fromMs, query.nowMs].map((ms) => `${Math.floor(ms / 1_000)}`);
  const search = { query: query.query.trim(), from, to };
  return { url: urlUnder(query.address, '/api/v1/query', search).href, headers: headersFor(query) };
}

function headersFor({ credentials = {} }: MetricTarget): Record<string, string> {
  return {
    accept: 'application/json',
    'dd-api-key': (credentials[apiKey] ?? '').trim(),
    'dd-application-key': (credentials[applicationKey] ?? '').trim(),
  };
}

interface Answer {
  readonly status?: unknown;
  readonly series?: readonly { readonly pointlist?: readonly (readonly unknown[])[] }[];
}

function parse(response: HttpResponse): Reading {
  const points = pointsOf(response);
  if ('kind' in points) return points;
  // The oldest, as Flagger: the newest may hold a part of its time only.
  const oldest = points.find(([, value]) => value !== null);
  return oldest === undefined ? noValues : numberReading(oldest[1]);
}

function parseSeries(response: HttpResponse): SeriesReading {
  const points = pointsOf(response);
  return 'kind' in points ? points : seriesReading(points);
}

/** Pairs of time and value of the one series. */
function pointsOf(response: HttpResponse): readonly (readonly unknown[])[] | Refused {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const answer = read.json as Answer | null;
  // It says so of a wrong query, with 200.
  if (answer?.status === 'error') return refused('the server refuses the query', false);
  if (!Array.isArray(answer?.series)) return unlike(name, response);
  if (answer.series.length > 1)
    return refused(`query returned multiple values: ${answer.series.length} series, one is needed`, false);
  const points = answer.series[0]?.pointlist;
  if (points === undefined) return [];
  return Array.isArray(points) ? points.filter((point) => Array.isArray(point)) : unlike(name, response);
}
