import type { Memory } from './memory.ts';

export const interrupted = Symbol('interrupted');

/** Waits for an answer that nobody needs any more once `memory.interrupt` was called. Rejects as `work` does. */
export async function interruptibly<T>(
  memory: Pick<Memory, 'interrupt'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | typeof interrupted> {
  const own = new AbortController();
  let isInterrupted = false;
  const end = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  memory.interrupt = () => {
    isInterrupted = true;
    own.abort(new Error('something that cannot wait came up'));
  };
  try {
    if (signal.aborted) end();
    return await work(own.signal);
  } catch (error) {
    if (isInterrupted && !signal.aborted) return interrupted;
    throw error;
  } finally {
    memory.interrupt = undefined;
    signal.removeEventListener('abort', end);
  }
}
