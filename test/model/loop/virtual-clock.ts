import type { Clock } from '../../../src/lib/clock.ts';

export interface VirtualClock extends Clock {
  /** Lets time pass: what is due runs at its time, in its order, and everything that waits for it goes on before the next. */
  run(ms: number): Promise<void>;
  /** What waits for no time goes on until it waits for time. */
  settle(): Promise<void>;
  /** Somebody sets the time of day. */
  set(byMs: number): void;
}

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that passes only when it is told to: an hour takes as long as what happens in it. */
export function createVirtualClock(startMs: number): VirtualClock {
  let nowMs = startMs;
  let skewMs = 0;
  let timers: Timer[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { atMs: nowMs + Math.max(ms, 0), run };
    const at = timers.findIndex(({ atMs }) => atMs > timer.atMs);
    if (at < 0) timers.push(timer);
    else timers.splice(at, 0, timer);
    return () => {
      const index = timers.indexOf(timer);
      if (index >= 0) timers.splice(index, 1);
    };
  };
  // No promise here waits for anything but others and this clock, so all of them have gone on by the next turn of the event loop.
  const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  return {
    now: () => nowMs + skewMs,
    set(byMs) {
      skewMs += byMs;
    },
    elapsed: () => nowMs - startMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const cancel = after(ms, () => {
          signal.removeEventListener('abort', stop);
          resolve();
        });
        const stop = (): void => {
          cancel();
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', stop, { once: true });
      }),
    settle,
    async run(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let [next] = timers; next && next.atMs <= untilMs; [next] = timers) {
        timers = timers.slice(1);
        nowMs = next.atMs;
        next.run();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}
