import type { Clock } from '../lib/clock.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { own } from '../lib/own.ts';
import type { Client } from './client.ts';
import { createTally, type Side, type Tally } from './figures.ts';
import { parseOptions } from './shell.ts';

/** An order to the load generator `hey` (https://github.com/rakyll/hey). */
export interface Load {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly workers: number;
  /** In the clock's time. Absent: until `requests` are sent. */
  readonly durationMs?: number;
  readonly requests: number;
  /** Of each worker, a second; 0: as fast as it can. */
  readonly rate: number;
  readonly timeoutMs: number;
  readonly http2: boolean;
  readonly follow: boolean;
  /** Each request has a connection of its own. */
  readonly fresh: boolean;
}

const valued = ['z', 'n', 'q', 'c', 'm', 'H', 'd', 'T', 'A', 'a', 'host', 't', 'cpus', 'U'];
const plain = ['disable-keepalive', 'disable-compression', 'disable-redirects', 'h2'];

/** The order, or why it cannot be followed. */
export function parseHey(words: readonly string[]): Load | string {
  const options = parseOptions(words, { valued, plain, bundles: false });
  if (typeof options === 'string') return options;
  const { named, rest } = options;
  const last = (name: string): string | undefined => named.get(name)?.at(-1);
  const url = rest.length === 1 ? toUrl(rest[0] ?? '') : undefined;
  if (!url) return `hey wants one URL, not "${rest.join(' ')}"`;
  const durationMs = last('z') === undefined ? undefined : parseGoDuration(last('z') ?? '');
  if (last('z') !== undefined && durationMs === undefined) return `"-z ${last('z')}" is no duration`;
  const [requests, workers, rate, timeout] = ['n', 'c', 'q', 't'].map((name) =>
    Number(last(name) ?? own(defaults, name)),
  );
  const [user] = named.get('a') ?? [];
  const numbers = [requests, workers, rate, timeout];
  if (numbers.some((number) => number === undefined || !(number >= 0))) return 'a number of hey is not a number';
  return {
    url,
    method: last('m') ?? 'GET',
    headers: {
      ...headersOf(named.get('H') ?? []),
      ...(last('T') === undefined ? {} : { 'content-type': last('T') ?? '' }),
      ...(last('A') === undefined ? {} : { accept: last('A') ?? '' }),
      ...(last('U') === undefined ? {} : { 'user-agent': last('U') ?? '' }),
      ...(user === undefined ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
      ...(last('host') === undefined ? {} : { host: last('host') ?? '' }),
    },
    body: last('d'),
    workers: Math.max(1, Math.floor(workers ?? 1)),
    ...(durationMs === undefined ? {} : { durationMs }),
    requests: requests ?? 0,
    rate: rate ?? 0,
    timeoutMs: (timeout ?? 20) * 1_000 || 3_600_000,
    http2: named.has('h2'),
    follow: !named.has('disable-redirects'),
    fresh: named.has('disable-keepalive'),
  };
}

const defaults: Readonly<Record<string, string>> = { n: '200', c: '50', q: '0', t: '20' };
export function toUrl(text: string): URL | undefined {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}

export function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.split(':')[0]?.trim().toLowerCase() ?? '', line.replace(/^[^:]*:\s*/, '')]),
  );
}

/** What a load is sent with. */
export interface Sending {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Hears of each request. */
  readonly onRequest: (side: Side, outcome: string, durationMs: number) => void;
}

export interface Pace {
  /** More are not begun, whatever is ordered. */
  readonly maxWorkers: number;
  /** Between two requests of a worker, in real time. */
  readonly minGapMs: number;
}

/** One load to one or two URLs: with two, each request to the first has one to the second, sent at the same time. */
export type Targets = readonly Target[];

interface Target {
  readonly side: Side;
  readonly url: URL;
}

/** Sends the load and tells how it went, as hey's summary does. Certificates are not looked at, as hey does not. */
export async function runHey(load: Load, to: Targets, sending: Sending): Promise<string> {
  const targets = to.map((target) => ({ ...target, tally: createTally() }));
  const { client, clock, signal, pace, onRequest } = sending;
  const startedMs = clock.now();
  const endMs = load.durationMs === undefined ? Number.POSITIVE_INFINITY : startedMs + load.durationMs;
  let left = load.durationMs === undefined ? load.requests : Number.POSITIVE_INFINITY;
  const send = async ({ side, url, tally }: Tallied): Promise<void> => {
    const sentMs = performance.now();
    const outcome = await client.send({ ...load, url, insecure: true }, signal).then(
      ({ status }) => String(status),
      (error: Error) => error.message,
    );
    if (signal.aborted) return;
    const durationMs = performance.now() - sentMs;
    tally.note(outcome, durationMs);
    onRequest(side, outcome, durationMs);
  };
  const periodMs = load.rate > 0 ? 1_000 / load.rate : 0;
  const worker = async (): Promise<void> => {
    let dueMs = clock.now();
    while (!signal.aborted && clock.now() < endMs && left > 0) {
      left -= 1;
      const realMs = performance.now();
      await Promise.all(targets.map(send));
      if (signal.aborted) return;
      const realGapMs = pace.minGapMs - (performance.now() - realMs);
      if (load.durationMs !== undefined && realGapMs > 0) await new Promise((done) => setTimeout(done, realGapMs));
      // As a ticker: a little late is made up for, and what a slow answer has taken is not sent all at once.
      dueMs = Math.max(dueMs + periodMs, clock.now() - periodMs);
      const wait = periodMs > 0 ? dueMs - clock.now() : 0;
      if (wait > 0) await clock.sleep(Math.min(wait, endMs - clock.now()), signal);
    }
  };
  const workers = Math.min(load.workers, pace.maxWorkers);
  await Promise.all(Array.from({ length: workers }, () => worker().catch(() => undefined)));
  const tookMs = clock.now() - startedMs;
  return targets.map((target) => summary(target, tookMs, targets.length > 1)).join('\n');
}

type Tallied = Target & { readonly tally: Tally };

function summary({ side, url, tally }: Tallied, tookMs: number, isPaired: boolean): string {
  const seconds = tookMs / 1_000;
  const { requests } = tally.figures();
  const inSeconds = (ms: number): string => (ms / 1_000).toFixed(4);
  const lines = [
    ...(isPaired ? [`${side}: ${url.host}`, ''] : []),
    'Summary:',
    `  Total:\t${seconds.toFixed(4)} secs`,
    `  Slowest:\t${inSeconds(tally.slowestMs())} secs`,
    `  Fastest:\t${inSeconds(tally.fastestMs())} secs`,
    `  Average:\t${inSeconds(tally.meanMs())} secs`,
    `  Requests/sec:\t${(seconds > 0 ? requests / seconds : 0).toFixed(4)}`,
    '',
    'Latency distribution:',
    ...[50, 90, 95, 99].map((percentile) => `  ${percentile}% in ${inSeconds(tally.latencyMs(percentile))} secs`),
    '',
    'Status code distribution:',
  ];
  const isStatus = (outcome: string): boolean => /^\d+$/.test(outcome);
  const outcomes = [...tally.outcomes];
  const answered = outcomes.filter(([outcome]) => isStatus(outcome));
  const errors = outcomes.filter(([outcome]) => !isStatus(outcome));
  for (const [status, count] of answered) lines.push(`  [${status}]\t${count} responses`);
  if (errors.length > 0) lines.push('', 'Error distribution:');
  for (const [reason, count] of errors) lines.push(`  [${count}]\t${reason}`);
  return `${lines.join('\n')}\n`;
}
