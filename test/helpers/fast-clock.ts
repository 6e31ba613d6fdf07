import type { Clock } from '../../src/lib/clock.ts';

/** A clock that runs `speed` times as fast as the wall's: intervals of seconds pass in milliseconds, in the right order. */
export function fastClock(speed: number): Clock {
  const startMs = Date.now();
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, ms / speed);
    return () => clearTimeout(timer);
  };
  return {
    now: () => startMs + (Date.now() - startMs) * speed,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const stop = (): void => {
          cancel();
          reject(signal.reason as Error);
        };
        const cancel = after(ms, () => {
          signal.removeEventListener('abort', stop);
          resolve();
        });
        signal.addEventListener('abort', stop, { once: true });
      }),
  };
}
