import { backoffMs, type BackoffOptions } from '../backoff.ts';
import type { Clock } from '../clock.ts';

/** One try: what came of it, or why it has to be repeated. */
export type Tried<Value> =
  | { readonly value: Value }
  | {
      readonly reason: string;
      /** The same request may succeed later. */
      readonly mayPass: boolean;
      /** The server wants to be left alone for so long. Undefined: it does not say. */
      readonly afterMs?: number | undefined;
    };

export interface RetryPolicy {
  /** All tries together, at least 1. */
  readonly tries: number;
  readonly backoff: BackoffOptions;
  /** A server that wants to be left alone for longer is asked again after this time. */
  readonly longestPauseMs: number;
}

export interface RetryIo {
  readonly clock: Clock;
  /** In [0, 1); spreads the repeats. Absent: Math.random. */
  readonly random?: () => number;
}

/** The value of the first try that gives one; else the reason of the last try, and how many there were. Rejects as `attempt` and the clock do. */
export async function retried<Value>(
  attempt: () => Promise<Tried<Value>>,
  { tries, backoff, longestPauseMs }: RetryPolicy,
  { clock, random = Math.random }: RetryIo,
  signal: AbortSignal,
): Promise<{ readonly value: Value } | { readonly reason: string; readonly tries: number }> {
  for (let count = 1; ; count += 1) {
    const tried = await attempt();
    if ('value' in tried) return tried;
    const { reason, mayPass, afterMs } = tried;
    if (!mayPass || count >= tries) return { reason, tries: count };
    const pauseMs = afterMs === undefined ? backoffMs(count - 1, backoff, random()) : Math.min(afterMs, longestPauseMs);
    await clock.sleep(pauseMs, signal);
  }
}

/** Whether a server may answer the same request otherwise later. */
export const mayPassLater = (status: number): boolean => status === 429 || (status >= 500 && status !== 501);

/** Only these two come with a time that is meant for repeats. */
export const asksForPause = (status: number): boolean => status === 429 || status === 503;
