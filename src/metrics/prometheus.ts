import { STATUS_CODES } from 'node:http';
import { AgentError } from '../lib/errors.ts';
import { withoutTrailing } from '../lib/trim.ts';
import type { HttpResponse } from '../lib/http.ts';
import type { MetricProvider, MetricQuery, Reading } from './provider.ts';

const TIMEOUT_MS = 5_000;

/** Prometheus: one instant query. https://prometheus.io/docs/prometheus/latest/querying/api/ Its answer must be one number. */
export const prometheus: MetricProvider = {
  name: 'prometheus',
  probe: 'vector(1)',
  request(query) {
    const url = baseUrl(query.address);
    url.pathname = `${withoutTrailing(url.pathname, '/')}/api/v1/query`;
    url.search = `?query=${encodeURIComponent(query.query.trim().replace(/\s+/g, ' '))}`;
    const headers: Record<string, string> = { accept: 'application/json' };
    for (const [name, values] of Object.entries(query.headers ?? {})) headers[name.toLowerCase()] = values.join(', ');
    const authorization = authorizationOf(query);
    if (authorization !== undefined) headers['authorization'] = authorization;
    return {
      method: 'GET',
      url: url.href,
      headers,
      timeoutMs: TIMEOUT_MS,
      ...(query.insecureSkipVerify ? { insecure: true } : {}),
    };
  },
  parse(response) {
    if (response.status >= 400) return refusal(response);
    let answer: Answer;
    try {
      answer = JSON.parse(response.body) as Answer;
    } catch {
      return refused(`the answer is not one of Prometheus${kindOf(response)}`, true);
    }
    if (answer?.status === 'error') return refused(errorOf(answer), false);
    const type = answer?.data?.resultType;
    const result = answer?.data?.result;
    if (answer?.status !== 'success' || !Array.isArray(result)) {
      return refused(`the answer is not one of Prometheus${kindOf(response)}`, true);
    }
    if (type === 'scalar') return valueOf(result[1]);
    if (type !== 'vector') {
      const known = resultTypes.find((name) => name === type);
      const what = known === undefined ? 'a result of an unknown type' : `a ${known}`;
      return refused(`query returned multiple values: ${what}, one number is needed`, false);
    }
    return ofVector(result as readonly Series[]);
  },
};

interface Series {
  readonly value?: readonly [number, string];
}
interface Answer {
  readonly status?: string;
  readonly errorType?: unknown;
  readonly error?: unknown;
  readonly data?: { readonly resultType?: string; readonly result?: unknown };
}

function ofVector(result: readonly Series[]): Reading {
  const [first] = result;
  if (first === undefined) return noValues;
  // Flagger takes the last one, whichever that is.
  if (result.length > 1) {
    return refused(
      `query returned multiple values: ${result.length} series, one is needed (sum or avg makes it one)`,
      false,
    );
  }
  if (first.value === undefined) return refused('query returned a histogram, one number is needed', false);
  return valueOf(first.value[1]);
}

const noValues: Reading = { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };

/** Not what else JavaScript takes for one: the empty text would be 0. */
const isNumber = /^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:e[+-]?\d{1,4})?$/i;

function valueOf(text: unknown): Reading {
  // What a division of nothing by nothing gives, and a quantile of nothing.
  if (text === 'NaN') return { kind: 'no-data', cause: 'noTraffic', reason: 'the result is NaN' };
  // A division of something by nothing: neither good nor silence. Flagger takes it for a value.
  if (text === '+Inf' || text === '-Inf') return refused(`the result is ${text}, a finite number is needed`, false);
  const value = typeof text === 'string' && isNumber.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? { kind: 'value', value } : refused(`the result is no number`, false);
}

function refusal({ status, body }: HttpResponse): Reading {
  let said = '';
  try {
    const answer = JSON.parse(body) as Answer;
    if (answer?.status === 'error') said = `: ${errorOf(answer)}`;
  } catch {
    // It is no Prometheus that answers so, and others are not quoted.
  }
  const reason = `error response: Status ${status} ${STATUS_CODES[status] ?? ''}`.trim() + said;
  return refused(reason, status >= 500 || status === 429 || status === 408);
}

function refused(reason: string, passing: boolean): Reading {
  return { kind: 'refused', reason, passing };
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

function kindOf({ headers, body }: HttpResponse): string {
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '') || /^\s{0,100}<(?:!doctype|html)/i.test(body);
  if (isPage) return ' but a page for people: is a login or a proxy in between?';
  return body.trim() === '' ? ': it is empty' : '';
}

function baseUrl(address: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(address);
  } catch {
    // Told below.
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new AgentError('CANARY_INVALID', 'the address of the metrics server is no http or https URL');
  }
  url.hash = '';
  return url;
}

function authorizationOf({ credentials }: MetricQuery): string | undefined {
  if (credentials === undefined) return undefined;
  const { token, username, password } = credentials;
  if (token !== undefined) return `Bearer ${token.trim()}`;
  if (username === undefined || password === undefined) {
    throw new AgentError('CANARY_INVALID', 'the secret needs the key token, or both username and password');
  }
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
