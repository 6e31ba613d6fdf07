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

const name = 'Dynatrace';
const token = 'dynatrace_token';

/** Dynatrace's metrics API. https://docs.dynatrace.com/docs/dynatrace-api/environment-api/metric-v2/get-data-points */
export const dynatrace = httpProvider({
  name: 'dynatrace',
  secretKeys: [token],
  measure: {
    request(query) {
      const search = {
        metricSelector: query.query.trim(),
        resolution: 'Inf',
        // Ten intervals, as Flagger.
        from: `${query.nowMs - 10 * query.windowMs}`,
        to: `${query.nowMs}`,
      };
      return { url: urlUnder(query.address, '/api/v2/metrics/query', search).href, headers: headersFor(query) };
    },
    parse,
  },
  probe: {
    request: (target) => ({
      url: urlUnder(target.address, '/api/v2/metrics', { pageSize: '1' }).href,
      headers: headersFor(target),
    }),
    parse: parseOnline(name),
  },
});

function headersFor({ credentials = {} }: MetricTarget): Record<string, string> {
  return { accept: 'application/json', authorization: `Api-Token ${(credentials[token] ?? '').trim()}` };
}

interface Answer {
  readonly result?: readonly { readonly data?: readonly { readonly values?: readonly unknown[] }[] }[];
}

function parse(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const { result } = (read.json ?? {}) as Answer;
  if (!Array.isArray(result)) return unlike(name, response);
  if (result.length > 1)
    return refused(`query returned multiple values: ${result.length} metrics, one is needed`, false);
  const data: unknown = result[0]?.data ?? [];
  if (!Array.isArray(data)) return unlike(name, response);
  const { values } = (data.at(-1) ?? {}) as { readonly values?: unknown };
  const value: unknown = Array.isArray(values) ? values[0] : undefined;
  return value === undefined || value === null ? noValues : numberReading(value);
}
