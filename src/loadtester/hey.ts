import type { Clock } from '../lib/clock.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { own } from '../lib/own.ts';
import type { Client } from './client.ts';
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
}

const valued = ['z', 'n', 'q', 'c', 'm', 'H', 'd', 'T', 'A', 'host', 't', 'o', 'cpus', 'U'];
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
  const numbers = [requests, workers, rate, timeout];
  if (numbers.some((number) => number === undefined || !(number >= 0))) return 'a number of hey is not a number';
  return {
    url,
    method: last('m') ?? 'GET',
    headers: {
      ...headersOf(named.get('H') ?? []),
      ...(last('T') === undefined ? {} : { 'content-type': last('T') ?? '' }),
      ...(last('A') === undefined ? {} : { accept: last('A') ?? '' }),
      ...(last('host') === undefined ? {} : { host: last('host') ?? '' }),
    },
    body: last('d'),
    workers: Math.max(1, Math.min(workers ?? 1, maxWorkers)),
    ...(durationMs === undefined ? {} : { durationMs }),
    requests: requests ?? 0,
    rate: rate ?? 0,
    timeoutMs: (timeout ?? 20) * 1_000 || 3_600_000,
  };
}

const defaults: Readonly<Record<string, string>> = { n: '200', c: '50', q: '0', t: '20' };
const maxWorkers = 64;
// Real time: a fast clock must not turn a gentle load into one that takes the whole machine.
const minGapMs = 10;

export function toUrl(text: string): URL | undefined {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}

export function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.split(':')[0]?.trim().toLowerCase() ?? '', line.replace(/^[^:]*:\s*/, '')]),
  );
}

/** Sends the load and tells how it went, as hey's summary does. */
export async function runHey(load: Load, client: Client, clock: Clock, signal: AbortSignal): Promise<string> {
  const statuses = new Map<string, number>();
  const startedMs = clock.now();
  const endMs = load.durationMs === undefined ? Number.POSITIVE_INFINITY : startedMs + load.durationMs;
  let left = load.durationMs === undefined ? load.requests : Number.POSITIVE_INFINITY;

  const worker = async (): Promise<void> => {
    while (!signal.aborted && clock.now() < endMs && left > 0) {
      left -= 1;
      const sentMs = clock.now();
      const realMs = performance.now();
      const outcome = await client.send(load, signal).then(
        ({ status }) => String(status),
        (error: Error) => error.message,
      );
      if (signal.aborted) return;
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
      const realGapMs = minGapMs - (performance.now() - realMs);
      if (load.durationMs !== undefined && realGapMs > 0) await new Promise((done) => setTimeout(done, realGapMs));
      const wait = load.rate > 0 ? sentMs + 1_000 / load.rate - clock.now() : 0;
      if (wait > 0) await clock.sleep(Math.min(wait, endMs - clock.now()), signal);
    }
  };
  await Promise.all(Array.from({ length: load.workers }, () => worker().catch(() => undefined)));
  const seconds = ((clock.now() - startedMs) / 1_000).toFixed(4);
  const lines = [...statuses].map(([outcome, count]) =>
    /^\d+$/.test(outcome) ? `  [${outcome}]\t${count} responses` : `  [${count}]\t${outcome}`,
  );
  return `Summary:\n  Total:\t${seconds} secs\n\nStatus code distribution:\n${lines.join('\n')}\n`;
}
