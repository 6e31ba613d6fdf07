/** A part of the agent that runs by itself: `observe`, `deliver`, `publish`. */
export interface Runnable {
  /** Begins, and resolves when the signal has aborted and all work has ended. Nothing of it writes before. */
  start(signal: AbortSignal): Promise<void>;
  /** Takes up nothing new and lets what is under way come to its end, for seconds at most. */
  drain(): Promise<void>;
}

/** The signal of a part's own work, which is made before it is started; `follow` ends it with the one that it is started with. */
export function ownSignal(): { readonly signal: AbortSignal; readonly follow: (signal: AbortSignal) => void } {
  const ending = new AbortController();
  return {
    signal: ending.signal,
    follow(signal) {
      const end = (): void => ending.abort(signal.reason);
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    },
  };
}

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
