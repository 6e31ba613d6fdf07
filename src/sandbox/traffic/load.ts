import { Agent, request as open } from 'node:http';
import type { Clock } from '../../lib/clock.ts';

export interface LoadOptions {
  /** The gateway's URL. */
  readonly url: string;
  /** The Host header, which chooses the route. */
  readonly host: string;
  /** Absent: `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly perSecond: number;
  /** How many requests may be under way; while all are, none is begun and none is made up for. Absent: 16. */
  readonly concurrency?: number;
  /** Seconds are this clock's. */
  readonly clock: Clock;
  /** Ends the load after so many requests; absent: it goes on until stopped. */
  readonly total?: number;
  readonly onAnswer?: (answer: Answer) => void;
}

interface Answer {
  /** 0 when nobody answered. */
  readonly status: number;
  /** The header X-Version; empty when the answer has none. */
  readonly version: string;
}

export interface LoadCounts {
  readonly requests: number;
  /** By status; `0` counts those that nobody answered. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
  /** Answers below 500, by version. */
  readonly succeeded: Readonly<Record<string, number>>;
}

export interface Load {
  counts(): LoadCounts;
  /** Resolves when `total` is reached or the load was stopped, and nothing is under way. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/** Sends requests at a steady rate. */
export function startLoad(options: LoadOptions): Load {
  const { perSecond, clock, concurrency = 16, total = Number.POSITIVE_INFINITY } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const counts = { requests: 0, statuses: {}, versions: {}, succeeded: {} } satisfies LoadCounts;
  const everyMs = 1000 / perSecond;
  const send = sender(options, agent);
  let isEnding = false;
  let underWay = 0;
  let begun = 0;
  let dueMs = clock.now();
  let cancel: () => void = () => undefined;
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const settle = (): void => {
    if (underWay > 0 || (begun < total && !isEnding)) return;
    agent.destroy();
    finish();
  };
  const sendOne = async (): Promise<void> => {
    underWay += 1;
    begun += 1;
    const answer = await send();
    underWay -= 1;
    // Nobody's fault: the load was stopped meanwhile.
    if (answer.status > 0 || !isEnding) {
      count(counts, answer);
      options.onAnswer?.(answer);
    }
    settle();
  };
  const tick = (): void => {
    // A slow timer is made up for, but never with more than one request for each free place.
    dueMs = Math.max(dueMs, clock.now() - everyMs * concurrency);
    while (dueMs <= clock.now() && begun < total) {
      dueMs += everyMs;
      if (underWay < concurrency) void sendOne();
    }
    if (begun < total) cancel = clock.after(Math.max(1, dueMs - clock.now()), tick);
  };
  tick();
  return {
    counts: () => structuredClone(counts),
    done,
    async stop() {
      cancel();
      isEnding = true;
      // Ends what is under way, too.
      agent.destroy();
      settle();
      await done;
    },
  };
}

function count(
  counts: { requests: number } & Record<'statuses' | 'versions' | 'succeeded', Record<string, number>>,
  answer: Answer,
): void {
  const { status, version } = answer;
  counts.requests += 1;
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1;
  if (version === '') return;
  counts.versions[version] = (counts.versions[version] ?? 0) + 1;
  if (status > 0 && status < 500) counts.succeeded[version] = (counts.succeeded[version] ?? 0) + 1;
}

function sender({ url, host, path = '/', headers }: LoadOptions, agent: Agent): () => Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(path, url);
  const wanted = { hostname, port, path: pathname + search, agent, headers: { ...headers, host } };
  return () =>
    new Promise((resolve) => {
      const nobody = (): void => resolve({ status: 0, version: '' });
      const request = open(wanted, (response) => {
        const version = String(response.headers['x-version'] ?? '');
        response.once('error', nobody);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, version }));
        response.resume();
      });
      request.once('error', nobody);
      request.end();
    });
}
