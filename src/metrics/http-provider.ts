import { STATUS_CODES } from 'node:http';
import { AgentError } from '../lib/errors.ts';
import type { HttpRequest, HttpResponse } from '../lib/http.ts';
import { withoutTrailing } from '../lib/trim.ts';
import type { MetricProvider, MetricQuery, MetricTarget, ProviderIo, Reading } from './provider.ts';

/** Of one exchange. */
export interface Exchange<Asked> {
  readonly request: (asked: Asked) => Omit<HttpRequest, 'method' | 'timeoutMs'> & Partial<Pick<HttpRequest, 'method'>>;
  readonly parse: (response: HttpResponse) => Reading;
}

export interface HttpProviderOptions extends Pick<MetricProvider, 'name' | 'address' | 'secretKeys'> {
  /** Undefined: 5 s, as Flagger's. */
  readonly timeoutMs?: number;
  readonly measure: Exchange<MetricQuery>;
  readonly probe: Exchange<MetricTarget>;
}

/** A provider that is asked by one request and answers all at once. */
export function httpProvider(options: HttpProviderOptions): MetricProvider {
  const { name, address, secretKeys, timeoutMs = 5_000, measure, probe } = options;
  const check = (target: MetricTarget): void => {
    const { credentials } = target;
    baseUrl(target.address);
    if (credentials === undefined) return;
    const missing = secretKeys?.find((key) => !Object.hasOwn(credentials, key));
    if (missing !== undefined) throw invalid(`the secret needs the key ${missing}`);
    probe.request(target);
  };
  const exchange =
    <Asked extends MetricTarget>({ request, parse }: Exchange<Asked>) =>
    async (asked: Asked, { http }: ProviderIo, signal: AbortSignal): Promise<Reading> => {
      check(asked);
      const sent = { method: 'GET' as const, timeoutMs, ...request(asked) };
      return parse(await http.request(asked.insecureSkipVerify ? { ...sent, insecure: true } : sent, signal));
    };
  return {
    name,
    ...(address === undefined ? {} : { address }),
    ...(secretKeys ? { secretKeys } : {}),
    check,
    measure: exchange(measure),
    probe: exchange(probe),
  };
}

/** For servers that are online where they answer a request with 200. */
export function parseOnline(name: string): (response: HttpResponse) => Reading {
  return (response) => (response.status === 200 ? { kind: 'value', value: 1 } : refusal(name, response));
}

export function refused(reason: string, passing: boolean): Reading {
  return { kind: 'refused', reason, passing };
}

/** Of a status that is no answer. `said`: what the server says of it in words that are known beforehand. */
export function refusal(name: string, { status }: HttpResponse, said?: string): Reading {
  if (status < 400) return refused(`the answer is not one of ${name}: Status ${status}`, true);
  const reason = `error response: Status ${status} ${STATUS_CODES[status] ?? ''}`.trim();
  return refused(said === undefined ? reason : `${reason}: ${said}`, isPassing(status));
}

/** Whether the same request may be answered later. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** What a body that is JSON says; where it is none, the reading that tells so. */
export function jsonOf(
  name: string,
  response: HttpResponse,
): { readonly json: unknown } | { readonly unlike: Reading } {
  try {
    return { json: JSON.parse(response.body) };
  } catch {
    return { unlike: unlike(name, response) };
  }
}

/** The answer is not what this kind of server gives. */
export function unlike(name: string, { headers, body }: HttpResponse): Reading {
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '') || /^\s{0,100}<(?:!doctype|html)/i.test(body);
  const why = isPage ? ' but a page for people: is a login or a proxy in between?' : '';
  return refused(`the answer is not one of ${name}${why || (body.trim() === '' ? ': it is empty' : '')}`, true);
}

export const noValues: Reading = { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };

/** Not what else JavaScript takes for one: the empty text would be 0. */
const isNumber = /^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:e[+-]?\d{1,4})?$/i;

/** Of a number, or of one that is written as a string. */
export function numberReading(given: unknown): Reading {
  // What a division of nothing by nothing gives, and a quantile of nothing.
  if (given === 'NaN') return { kind: 'no-data', cause: 'noTraffic', reason: 'the result is NaN' };
  // A division of something by nothing: neither good nor silence. Flagger takes it for a value.
  if (given === '+Inf' || given === '-Inf') return refused(`the result is ${given}, a finite number is needed`, false);
  const isWritten = typeof given === 'string' && isNumber.test(given);
  const value = typeof given === 'number' || isWritten ? Number(given) : Number.NaN;
  return Number.isFinite(value) ? { kind: 'value', value } : refused('the result is no number', false);
}

/** Its path is a prefix; its own query and fragment go. */
export function urlUnder(address: string, path: string, search: Readonly<Record<string, string>> = {}): URL {
  const url = baseUrl(address);
  url.pathname = `${withoutTrailing(url.pathname, '/')}${path}`;
  url.search = new URLSearchParams(search).toString();
  return url;
}

/** Queries are written over several lines. */
export function onOneLine(query: string): string {
  return query.trim().replace(/\s+/g, ' ');
}

function baseUrl(address: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(address);
  } catch {
    // Told below.
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw invalid('the address of the metrics server is no http or https URL');
  url.hash = '';
  return url;
}

/** `user:password` as a header has it; undefined where there is neither. Throws CANARY_INVALID of one without the other. */
export function basicAuthorization(
  credentials: MetricTarget['credentials'],
  wanted = 'both username and password',
): string | undefined {
  if (credentials === undefined) return undefined;
  const { username, password } = credentials;
  if (username === undefined || password === undefined) throw invalid(`the secret needs ${wanted}`);
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export function invalid(message: string): AgentError {
  return new AgentError('CANARY_INVALID', message);
}
