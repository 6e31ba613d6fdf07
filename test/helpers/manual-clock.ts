import type { Clock } from '../../src/lib/clock.ts';

export interface ManualClock extends Clock {
  /** Lets time pass; what is due runs in its order, at its time. */
  advance(ms: number): void;
  /** Timers that wait. */
  readonly pending: number;
}

/** A clock that stands still until it is told otherwise. */
export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { atMs: nowMs + ms, run };
    timers = [...timers, timer].sort((a, b) => a.atMs - b.atMs);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  };
  return {
    now: () => nowMs,
    elapsed: () => nowMs - startMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const cancel = after(ms, resolve);
        signal.addEventListener(
          'abort',
          () => {
            cancel();
            reject(signal.reason as Error);
          },
          { once: true },
        );
      }),
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let [next] = timers; next && next.atMs <= untilMs; [next] = timers) {
        timers = timers.slice(1);
        nowMs = next.atMs;
        next.run();
      }
      nowMs = untilMs;
    },
    get pending() {
      return timers.length;
    },
  };
}
