import type { HttpResponse } from '../lib/http.ts';
import {
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  parseOnline,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading } from './provider.ts';

const name = 'Datadog';
const [apiKey, applicationKey] = ['datadog_api_key', 'datadog_application_key'] as const;

/** Datadog's timeseries. https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points */
export const datadog = httpProvider({
  name: 'datadog',
  address: 'https://api.datadoghq.com',
  secretKeys: [apiKey, applicationKey],
  measure: {
    request(query) {
      // Ten intervals, as Flagger: the newest points may not have been reported yet.
      const [from, to] = [query.nowMs - 10 * query.windowMs, query.nowMs].map((ms) => `${Math.floor(ms / 1_000)}`);
      const search = { query: query.query.trim(), from: from ?? '', to: to ?? '' };
      return { url: urlUnder(query.address, '/api/v1/query', search).href, headers: headersFor(query) };
    },
    parse,
  },
  probe: {
    request: (target) => ({ url: urlUnder(target.address, '/api/v1/validate').href, headers: headersFor(target) }),
    parse: parseOnline(name),
  },
});

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
  if (points === undefined) return noValues;
  if (!Array.isArray(points)) return unlike(name, response);
  // The oldest, as Flagger: the newest may hold a part of its time only.
  const oldest = points.find((point) => Array.isArray(point) && point[1] !== null);
  return oldest === undefined ? noValues : numberReading(oldest[1]);
}
