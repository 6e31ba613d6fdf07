import type { Clock } from '../../../src/lib/clock.ts';

export interface ManualClock extends Clock {
  /** Lets time pass and runs what falls due, in its order. */
  advance(ms: number): void;
}

/** A clock that stands until it is moved. */
export function manualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  const due = new Map<() => void, number>();
  return {
    now: () => nowMs,
    elapsed: () => nowMs - startMs,
    after(ms, run) {
      const once = (): void => run();
      due.set(once, nowMs + ms);
      return () => void due.delete(once);
    },
    sleep: () => Promise.reject(new Error('nothing sleeps by this clock')),
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const [next] = [...due].filter(([, atMs]) => atMs <= endMs).sort(([, a], [, b]) => a - b);
        if (!next) break;
        due.delete(next[0]);
        nowMs = Math.max(nowMs, next[1]);
        next[0]();
      }
      nowMs = endMs;
    },
  };
}
