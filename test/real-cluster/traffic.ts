import { setTimeout as pause } from 'node:timers/promises';
import { run } from './command.ts';

/** What `podinfo load` told of a few requests that it sent at once. */
export interface Burst {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly answers: readonly Answers[];
}

export interface Answers {
  readonly count: number;
  /** `-` where the answer named none. */
  readonly version: string;
  /** `no-answer` where there was none. */
  readonly status: string;
}

export interface Traffic {
  /** All answers of bursts that were started after one moment and had ended before another. */
  between(fromMs: number, toMs: number): readonly Answers[];
  stop(): Promise<void>;
}

const burstSize = 20;
const burstPauseMs = 200;

/** Sends requests through the cluster's front door until it is stopped, as people do: all the time, whatever happens behind it. */
export function startTraffic(url: string, host: string): Traffic {
  const bursts: Burst[] = [];
  const stopping = new AbortController();
  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedMs = Date.now();
      const told = await run('podinfo', ['load', url, String(burstSize)], { env: { ...process.env, HOST: host } });
      bursts.push({ startedMs, endedMs: Date.now(), answers: answersOf(told) });
      await pause(burstPauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const working = work();
  // It is awaited in `stop`; until then a failure must not end the process.
  working.catch(() => undefined);
  return {
    between(fromMs, toMs) {
      const meant = bursts.filter(({ startedMs, endedMs }) => startedMs >= fromMs && endedMs <= toMs);
      const sums = new Map<string, number>();
      for (const { version, status, count } of meant.flatMap(({ answers }) => answers))
        sums.set(`${version} ${status}`, (sums.get(`${version} ${status}`) ?? 0) + count);
      return [...sums].map(([kind, count]) => {
        const [version = '', status = ''] = kind.split(' ');
        return { version, status, count };
      });
    },
    async stop() {
      stopping.abort();
      await working;
    },
  };
}

/** Lines like `    18 3.1.0 200`. */
function answersOf(told: string): Answers[] {
  return [...told.matchAll(/^ *(\d+) (\S+) (\d{3}|no-answer)$/gm)].map(([, count, version = '', status = '']) => ({
    count: Number(count),
    version,
    status,
  }));
}

export const failedOf = (answers: readonly Answers[]): readonly Answers[] =>
  answers.filter(({ status }) => status !== '200');
export const countOf = (answers: readonly Answers[], version: string): number =>
  answers.filter((answer) => answer.version === version).reduce((sum, { count }) => sum + count, 0);
