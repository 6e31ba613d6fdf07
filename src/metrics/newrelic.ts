import type { HttpResponse } from '../lib/http/http.ts';
import {
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  onOneLine,
  parseOnline,
  refusal,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading } from './provider.ts';

const name = 'New Relic';
const [account, queryKey] = ['newrelic_account_id', 'newrelic_query_key'] as const;

/** New Relic's query API for NRQL. */
export const newrelic = httpProvider({
  name: 'newrelic',
  about: { title: name, url: 'https://docs.newrelic.com/docs/apis/insights-apis/query-insights-event-data-api/' },
  address: 'https://insights-api.newrelic.com',
  secretKeys: [account, queryKey],
  measure: {
    request: (query) =>
      requestFor(query, `${onOneLine(query.query)} SINCE ${Math.ceil(query.windowMs / 1_000)} seconds ago`),
    parse,
  },
  probe: { request: (target) => requestFor(target, 'SELECT * FROM Metric'), parse: parseOnline(name) },
});

function requestFor(
  { address, credentials = {} }: MetricTarget,
  nrql: string,
): { url: string; headers: Record<string, string> } {
  const id = encodeURIComponent((credentials[account] ?? '').trim());
  const url = urlUnder(address, `/v1/accounts/${id}/query`, { nrql });
  return {
    url: url.href,
    headers: { accept: 'application/json', 'x-query-key': (credentials[queryKey] ?? '').trim() },
  };
}

function parse(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const { results } = (read.json ?? {}) as { readonly results?: unknown };
  if (!Array.isArray(results)) return unlike(name, response);
  if (results.length !== 1) return noValues;
  const { result } = (results[0] ?? {}) as { readonly result?: unknown };
  return result === undefined || result === null ? noValues : numberReading(result);
}
