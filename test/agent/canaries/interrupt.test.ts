import { describe, expect, it } from 'vitest';
import { interrupted, interruptibly } from '../../../src/agent/canaries/interrupt.ts';
import { emptyMemory } from '../../../src/agent/canaries/memory.ts';

const endless = (signal: AbortSignal): Promise<string> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

describe('a question', () => {
  it('is answered where nothing comes up', async () => {
    const memory = emptyMemory();
    const { signal } = new AbortController();
    expect(await interruptibly(memory, signal, () => Promise.resolve('yes'))).toBe('yes');
    expect(memory.interrupt).toBeUndefined();
    await expect(interruptibly(memory, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(memory.interrupt).toBeUndefined();
  });

  it('is given up for what cannot wait', async () => {
    const memory = emptyMemory();
    const asked = interruptibly(memory, new AbortController().signal, endless);
    memory.interrupt?.();
    expect(await asked).toBe(interrupted);
    expect(memory.interrupt).toBeUndefined();
  });

  it('that was given up ends none that comes after it, and one that was answered leaves nothing behind', async () => {
    const memory = emptyMemory();
    const { signal } = new AbortController();
    const asked = interruptibly(memory, signal, endless);
    memory.interrupt?.();
    expect(await asked).toBe(interrupted);
    const isAborted = (own: AbortSignal): Promise<boolean> => Promise.resolve(own.aborted);
    expect(await interruptibly(memory, signal, isAborted)).toBe(false);
    expect(await interruptibly(memory, signal, isAborted)).toBe(false);
    const another = new AbortController();
    const last = interruptibly(memory, another.signal, endless);
    another.abort(new Error('shutting down'));
    await expect(last).rejects.toThrow('shutting down');
  });

  it('ends with the agent', async () => {
    const stop = new AbortController();
    const memory = emptyMemory();
    const asked = interruptibly(memory, stop.signal, endless);
    stop.abort(new Error('shutting down'));
    await expect(asked).rejects.toThrow('shutting down');
    const late = (signal: AbortSignal): Promise<string> =>
      signal.aborted ? Promise.reject(signal.reason as Error) : endless(signal);
    await expect(interruptibly(memory, stop.signal, late)).rejects.toThrow('shutting down');
  });
});
