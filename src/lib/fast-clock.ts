import { type Clock, timerMs } from './clock.ts';

/**
 * A clock that runs `speed` times as fast as the wall's: intervals of seconds pass in milliseconds, in the right order. Clocks of the
 * same speed and `startMs` (milliseconds since the epoch, at which they agree with the wall's) agree with each other, also between processes.
 */
export function fastClock(speed: number, startMs: number = Date.now()): Clock {
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, timerMs(ms / speed));
    return () => clearTimeout(timer);
  };
  return {
    now: () => startMs + (Date.now() - startMs) * speed,
    elapsed: () => performance.now() * speed,
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
