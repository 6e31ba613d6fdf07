import type { Memory } from './memory.ts';

export const interrupted = Symbol('interrupted');

/** Ends questions; kept from one to the next, because making one costs as much as many an answer. */
export interface Stop {
  /** The agent's own end. */
  readonly of: AbortSignal;
  readonly now: AbortController;
  /** Aborts with either. */
  readonly signal: AbortSignal;
}

/** Waits for an answer that nobody needs any more once `memory.interrupt` was called. Rejects as `work` does. */
export async function interruptibly<T>(
  memory: Pick<Memory, 'interrupt' | 'stop'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | typeof interrupted> {
  const stop = (memory.stop = memory.stop?.of === signal ? memory.stop : stopOf(signal));
  let isInterrupted = false;
  memory.interrupt = () => {
    isInterrupted = true;
    memory.stop = undefined;
    stop.now.abort(new Error('something that cannot wait came up'));
  };
  try {
    return await work(stop.signal);
  } catch (error) {
    if (isInterrupted && !signal.aborted) return interrupted;
    throw error;
  } finally {
    memory.interrupt = undefined;
  }
}

function stopOf(signal: AbortSignal): Stop {
  const now = new AbortController();
  return { of: signal, now, signal: AbortSignal.any([signal, now.signal]) };
}
