import type { HttpResponse } from '../lib/http/http.ts';
import {
  httpProvider,
  noValues,
  numberReading,
  parseOnline,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading } from './provider.ts';

const name = 'Splunk Observability Cloud';
const token = 'sf_token_key';

/**
 * Splunk Observability Cloud by SignalFlow: a program that runs over what is there and ends. Flagger speaks to it over a WebSocket; this is the same
 * API over HTTP, so proxies, certificates and addresses are dealt with as everywhere.
 */
export const splunk = httpProvider({
  name: 'splunk',
  about: {
    title: name,
    url: 'https://dev.splunk.com/observability/reference/api/signalflow/latest',
    notes: 'address https://api.REALM.signalfx.com',
  },
  secretKeys: [token],
  baseOf: (address) => address.replace(/^ws(?=s?:\/\/)/i, 'http'),
  measure: {
    request(query) {
      // Ten intervals, as Flagger.
      const search = { start: `${query.nowMs - 10 * query.windowMs}`, stop: `${query.nowMs}`, immediate: 'true' };
      return {
        method: 'POST',
        url: urlOf(query, 'stream', '/v2/signalflow/execute', search),
        headers: { ...headersFor(query), accept: 'text/event-stream', 'content-type': 'text/plain' },
        body: query.query.trim(),
      };
    },
    parse,
  },
  probe: {
    request: (target) => ({
      url: urlOf(target, 'api', '/v2/metric', { limit: '1' }),
      headers: { ...headersFor(target), accept: 'application/json' },
    }),
    parse: parseOnline(name),
  },
});

/** Each realm has a host for programs and one for all else; either may be written. */
function urlOf(
  { address }: MetricTarget,
  host: 'api' | 'stream',
  path: string,
  search: Readonly<Record<string, string>>,
): string {
  const url = urlUnder(address, path, search);
  url.hostname = url.hostname.replace(/^(?:api|stream)\./, `${host}.`);
  return url.href;
}

function headersFor({ credentials = {} }: MetricTarget): Record<string, string> {
  return { 'x-sf-token': (credentials[token] ?? '').trim() };
}

/** One event of the stream. */
interface Told {
  readonly event: string;
  readonly data: unknown;
}

function parse(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const stream = eventsOf(response.body);
  if (!stream) return unlike(name, response);
  // A program that is wrong, or is ended by the server, is told so with 200.
  if (stream.some(({ event }) => event === 'error')) return refused('the server refuses the query', false);
  const isAborted = stream.some(
    ({ event, data }) => event === 'control-message' && memberOf(data, 'event') === 'CHANNEL_ABORT',
  );
  if (isAborted) return refused('the server ended the query before it was done', true);
  const points = stream.flatMap(({ event, data }) => {
    const all = event === 'data' ? memberOf(data, 'data') : [];
    return Array.isArray(all) ? (all as readonly unknown[]) : [];
  });
  const valued = points.filter((point) => (memberOf(point, 'value') ?? null) !== null);
  const series = new Set(valued.map((point) => memberOf(point, 'tsId')));
  if (series.size > 1)
    return refused(
      `query returned multiple values: ${series.size} series, one is needed (sum or mean makes it one)`,
      false,
    );
  const newest = valued.at(-1);
  return newest === undefined ? noValues : numberReading(memberOf(newest, 'value'));
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** Server-sent events; undefined where it is no stream of them. */
function eventsOf(body: string): readonly Told[] | undefined {
  const told: Told[] = [];
  let [event, text] = ['', ''];
  for (const line of [...body.split(/\r?\n/), '']) {
    if (line === '') {
      if (event !== '') told.push({ event, data: dataOf(text) });
      [event, text] = ['', ''];
    } else if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('data:')) text += `${line.slice(5)}\n`;
  }
  return told.length === 0 ? undefined : told;
}

function dataOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
