import { STATUS_CODES } from 'node:http';
import { AgentError } from '../lib/errors.ts';
import type { HttpRequest, HttpResponse } from '../lib/http/http.ts';
import { withoutTrailing } from '../lib/trim.ts';
import {
  maxPoints,
  type MetricProvider,
  type MetricQuery,
  type MetricTarget,
  type Point,
  type ProviderIo,
  type Reading,
  type SeriesQuery,
  type SeriesReading,
} from './provider.ts';

export type Refused = Extract<Reading, { readonly kind: 'refused' }>;

/** Of one exchange. */
interface Exchange<Asked, Read = Reading> {
  /** Throws AgentError CANARY_INVALID of what cannot be asked. */
  readonly request: (asked: Asked) => Omit<HttpRequest, 'method' | 'timeoutMs'> & Partial<Pick<HttpRequest, 'method'>>;
  readonly parse: (response: HttpResponse, asked: Asked) => Read;
}

export interface HttpProviderOptions
  extends Pick<MetricProvider, 'name' | 'about' | 'address' | 'hasOwnAddress' | 'secretKeys'> {
  /** Base URL for an address as it is written. Absent: it is one. */
  readonly baseOf?: (address: string) => string;
  /** Undefined: 5 s, as Flagger's. */
  readonly timeoutMs?: number;
  readonly measure: Exchange<MetricQuery>;
  /** Absent: it tells no series. */
  readonly series?: Exchange<SeriesQuery, SeriesReading>;
  readonly probe: Exchange<MetricTarget>;
  /** What a request needs beside that has to be waited for: a signature, a token. Rejects as `measure` does. Absent: nothing. */
  readonly sign?: (
    request: HttpRequest,
    target: MetricTarget,
    io: ProviderIo,
    signal: AbortSignal,
  ) => Promise<HttpRequest>;
}

/** A provider that is asked by one request and answers all at once. */
export function httpProvider(options: HttpProviderOptions): MetricProvider {
  const { name, about, address, secretKeys, hasOwnAddress = false, baseOf, timeoutMs = 5_000 } = options;
  const { measure, series, probe, sign } = options;
  const based = <Asked extends MetricTarget>(asked: Asked): Asked =>
    baseOf ? { ...asked, address: baseOf(asked.address) } : asked;
  const check = (given: MetricTarget): void => {
    const target = based(given);
    const { credentials } = target;
    if (!hasOwnAddress || target.address !== '') baseUrl(target.address);
    // What a Secret has to have is told first.
    if (credentials === undefined && secretKeys) return;
    const missing = credentials && secretKeys?.find((key) => !Object.hasOwn(credentials, key));
    if (missing !== undefined) throw invalid(`the secret needs the key ${missing}`);
    probe.request(target);
  };
  const exchange =
    <Asked extends MetricTarget, Read>({ request, parse }: Exchange<Asked, Read>) =>
    async (given: Asked, io: ProviderIo, signal: AbortSignal): Promise<Read> => {
      check(given);
      const asked = based(given);
      const sent = {
        method: 'GET' as const,
        timeoutMs,
        ...request(asked),
        ...(asked.insecureSkipVerify ? { insecure: true } : {}),
      };
      return parse(await io.http.request(sign ? await sign(sent, asked, io, signal) : sent, signal), asked);
    };
  return {
    name,
    about,
    ...(address === undefined ? {} : { address }),
    ...(hasOwnAddress ? { hasOwnAddress } : {}),
    ...(secretKeys ? { secretKeys } : {}),
    check,
    measure: exchange(measure),
    ...(series ? { series: exchange(series) } : {}),
    probe: exchange(probe),
  };
}

/** For servers that are online where they answer a request with 200. */
export function parseOnline(name: string): (response: HttpResponse) => Reading {
  return (response) => (response.status === 200 ? { kind: 'value', value: 1 } : refusal(name, response));
}

export function refused(reason: string, passing: boolean): Refused {
  return { kind: 'refused', reason, passing };
}

/** Of a status that is no answer. `said`: what the server says of it in words that are known beforehand. */
export function refusal(name: string, { status }: HttpResponse, said?: string): Refused {
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
): { readonly json: unknown } | { readonly unlike: Refused } {
  try {
    return { json: JSON.parse(response.body) };
  } catch {
    return { unlike: unlike(name, response) };
  }
}

/** The answer is not what this kind of server gives. */
export function unlike(name: string, { headers, body }: HttpResponse): Refused {
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '') || /^\s{0,100}<(?:!doctype|html)/i.test(body);
  const why = isPage ? ' but a page for people: is a login or a proxy in between?' : '';
  return refused(`the answer is not one of ${name}${why || (body.trim() === '' ? ': it is empty' : '')}`, true);
}

export const noValues: Extract<Reading, { readonly kind: 'no-data' }> = {
  kind: 'no-data',
  cause: 'noSeries',
  reason: 'no values found',
};

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

/**
 * Of pairs of time in milliseconds and number as a server gives them, in any order. What is no finite number, or of no time, is a hole; where there are more than
 * `maxPoints` the newest are given.
 */
export function seriesReading(pairs: readonly (readonly unknown[])[]): SeriesReading {
  const points = pairs.flatMap(([at, given]): Point[] => {
    const isWritten = typeof given === 'string' && isNumber.test(given);
    const value = typeof given === 'number' || isWritten ? Number(given) : Number.NaN;
    return typeof at === 'number' && Number.isFinite(at) && Number.isFinite(value) ? [{ atMs: at, value }] : [];
  });
  if (points.length === 0) return noValues;
  return { kind: 'series', points: points.sort((a, b) => a.atMs - b.atMs).slice(-maxPoints) };
}

/** How far apart points are that are not more than may be given. */
export function stepMsOf({ fromMs, nowMs, stepMs }: SeriesQuery): number {
  return Math.max(stepMs, Math.ceil((nowMs - fromMs) / (maxPoints - 1)), 1_000);
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
