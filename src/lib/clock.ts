/** Time as a dependency, so that tests decide what time it is. All times are milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
  /** Milliseconds since some beginning, whatever is done to the time of day: tells how long ago something was. */
  elapsed(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** The longest time that Node's timers know, 25 days: they take a longer one, or one that has passed, for a millisecond, with a warning. */
const longestMs = 2 ** 31 - 1;
export const timerMs = (ms: number): number => Math.min(Math.max(ms, 0), longestMs);

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, timerMs(ms));
      signal.addEventListener('abort', stop, { once: true });
    }),
  after: (ms, run) => {
    const timer = setTimeout(run, timerMs(ms));
    return () => clearTimeout(timer);
  },
};
