import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { HeaderEdit } from './route.ts';

/** These belong to one connection and are never passed on. */
const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** What a proxy sends on: without headers of the connection. */
export function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name) && !named.includes(name)),
  );
}

/** Names of `headers` are in lower case. */
export function edited(headers: OutgoingHttpHeaders, edits: readonly HeaderEdit[]): OutgoingHttpHeaders {
  const result: OutgoingHttpHeaders = { ...headers };
  for (const { set, add, remove } of edits) {
    for (const [name, value] of set) result[name.toLowerCase()] = value;
    for (const [name, value] of add) result[name.toLowerCase()] = added(name, result[name.toLowerCase()], value);
    for (const name of remove) delete result[name.toLowerCase()];
  }
  return result;
}

function added(name: string, present: OutgoingHttpHeaders[string], value: string): string | string[] {
  if (present === undefined) return value;
  const values = Array.isArray(present) ? present : [String(present)];
  // Cookies hold commas, so each has a line of its own.
  return name.toLowerCase() === 'set-cookie' ? [...values, value] : [...values, value].join(', ');
}

/** The duration that the application itself tells in `Server-Timing: app;dur=12.5`, in milliseconds. */
export function toldDurationMs(header: string | string[] | undefined): number | undefined {
  const told = /(?:^|,)\s*app;(?:[^,]*;)?\s*dur=([\d.]+)/.exec(String(header ?? ''))?.[1];
  return told === undefined ? undefined : Number(told);
}
