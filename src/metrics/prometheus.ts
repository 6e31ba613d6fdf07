import type { HttpResponse } from '../lib/http/http.ts';
import {
  basicAuthorization,
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  onOneLine,
  refusal,
  refused,
  seriesReading,
  stepMsOf,
  type Refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricQuery, MetricTarget, Reading, SeriesQuery, SeriesReading } from './provider.ts';

const name = 'Prometheus';

/** Prometheus: one instant query. Its answer must be one number. */
export const prometheus = httpProvider({
  name: 'prometheus',
  about: { title: name, url: 'https://prometheus.io/docs/prometheus/latest/querying/api/' },
  measure: { request: requestFor, parse },
  series: { request: rangeFor, parse: parseSeries },
  probe: { request: (target) => requestFor({ ...target, query: 'vector(1)' }), parse },
});

function requestFor(asked: MetricTarget & Pick<MetricQuery, 'query'>) {
  const url = urlUnder(asked.address, '/api/v1/query');
  url.search = `?query=${encodeURIComponent(onOneLine(asked.query))}`;
  return { url: url.href, headers: headersFor(asked) };
}

function rangeFor(asked: SeriesQuery) {
  const url = urlUnder(asked.address, '/api/v1/query_range');
  const [start, end, step] = [asked.fromMs, asked.nowMs, stepMsOf(asked)].map((ms) => `${ms / 1_000}`);
  url.search = `?query=${encodeURIComponent(onOneLine(asked.query))}&start=${start}&end=${end}&step=${step}`;
  return { url: url.href, headers: headersFor(asked) };
}

function headersFor({ headers: given, credentials }: MetricTarget): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json' };
  for (const [key, values] of Object.entries(given ?? {})) headers[key.toLowerCase()] = values.join(', ');
  const authorization =
    credentials?.['token'] === undefined
      ? basicAuthorization(credentials, 'the key token, or both username and password')
      : `Bearer ${credentials['token'].trim()}`;
  if (authorization !== undefined) headers['authorization'] = authorization;
  return headers;
}

interface Series {
  readonly value?: readonly [number, string];
  readonly values?: unknown;
}
interface Answer {
  readonly status?: string;
  readonly errorType?: unknown;
  readonly error?: unknown;
  readonly data?: { readonly resultType?: string; readonly result?: unknown };
}

/** What it found; where it refuses, or is no Prometheus, the reading that tells so. */
function answered(response: HttpResponse): { readonly type: unknown; readonly result: readonly unknown[] } | Refused {
  const read = jsonOf(name, response);
  const answer = 'json' in read ? (read.json as Answer | null) : undefined;
  // It is no Prometheus that refuses in another way, and others are not quoted.
  if (response.status >= 400) return refusal(name, response, answer?.status === 'error' ? errorOf(answer) : undefined);
  if ('unlike' in read) return read.unlike;
  if (answer?.status === 'error') return refused(errorOf(answer), false);
  const result = answer?.data?.result;
  if (answer?.status !== 'success' || !Array.isArray(result)) return unlike(name, response);
  return { type: answer.data?.resultType, result };
}

function parse(response: HttpResponse): Reading {
  const answer = answered(response);
  if ('kind' in answer) return answer;
  const { type, result } = answer;
  if (type === 'scalar') return written(result[1]);
  if (type !== 'vector') {
    const known = resultTypes.find((one) => one === type);
    const what = known === undefined ? 'a result of an unknown type' : `a ${known}`;
    return refused(`query returned multiple values: ${what}, one number is needed`, false);
  }
  return ofVector(result as readonly Series[]);
}

function ofVector(result: readonly Series[]): Reading {
  const [first] = result;
  if (first === undefined) return noValues;
  // Flagger takes the last one, whichever that is.
  if (result.length > 1) return tooMany(result.length);
  if (first.value === undefined) return refused('query returned a histogram, one number is needed', false);
  return written(first.value[1]);
}

function parseSeries(response: HttpResponse): SeriesReading {
  const answer = answered(response);
  if ('kind' in answer) return answer;
  if (answer.type !== 'matrix') return unlike(name, response);
  const result = answer.result as readonly Series[];
  if (result.length > 1) return tooMany(result.length);
  const values = result[0]?.values ?? [];
  if (!Array.isArray(values)) return unlike(name, response);
  const pairs = values.filter((pair): pair is readonly unknown[] => Array.isArray(pair));
  return seriesReading(pairs.map(([seconds, text]) => [Number(seconds) * 1_000, text]));
}

const tooMany = (count: number): Refused =>
  refused(`query returned multiple values: ${count} series, one is needed (sum or avg makes it one)`, false);

/** Prometheus writes all its numbers as strings. */
function written(text: unknown): Reading {
  return numberReading(typeof text === 'string' ? text : undefined);
}

const resultTypes = ['matrix', 'string'] as const;
/** https://github.com/prometheus/prometheus/blob/main/util/httputil and web/api/v1 */
const errorTypes = [
  'timeout',
  'canceled',
  'execution',
  'bad_data',
  'internal',
  'unavailable',
  'not_found',
  'not_acceptable',
] as const;

/**
 * What Prometheus says of a query, in words that are known beforehand. Whoever names the address of a server may make us ask any server
 * that we reach, so what it wrote is told to nobody.
 */
function errorOf({ errorType, error }: Answer): string {
  const type = errorTypes.find((known) => known === errorType) ?? 'the server refuses the query';
  const text = typeof error === 'string' ? error.slice(0, 200) : '';
  const [, line, char] = /^(?:invalid parameter "query": )?(\d{1,6}):(\d{1,6}): parse error/.exec(text) ?? [];
  if (line !== undefined) return `${type}: parse error at line ${line}, character ${char} of the query`;
  return type === 'bad_data' ? `${type}: the query is not understood` : type;
}
