import { describe, expect, it } from 'vitest';
import { createOutbox, type Outbox } from '../../src/lib/outbox.ts';
import { manualClock, type ManualClock } from '../helpers/manual-clock.ts';

interface Fixture {
  readonly outbox: Outbox;
  readonly clock: ManualClock;
  readonly arrived: string[];
  readonly dropped: string[];
  readonly failed: unknown[];
  /** Puts a message that takes until `release` is called. */
  readonly slow: (receiver: string, text: string) => { release: () => void };
  readonly put: (receiver: string, text: string) => void;
}

function anOutbox(limit = 10): Fixture {
  const clock = manualClock();
  const arrived: string[] = [];
  const dropped: string[] = [];
  const failed: unknown[] = [];
  const outbox = createOutbox({
    clock,
    limit,
    onDropped: (receiver) => void dropped.push(receiver),
    onError: (_receiver, error) => void failed.push(error),
  });
  return {
    outbox,
    clock,
    arrived,
    dropped,
    failed,
    put: (receiver, text) => outbox.put(receiver, async () => void arrived.push(`${receiver} ${text}`)),
    slow(receiver, text) {
      let release = (): void => undefined;
      const done = new Promise<void>((resolve) => {
        release = resolve;
      });
      outbox.put(receiver, async (_sequence, signal) => {
        const stopped = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
        await Promise.race([done, stopped]);
        arrived.push(`${receiver} ${text}`);
      });
      return { release };
    },
  };
}

/** Lets everything run that does not wait for time. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an outbox [R65]', () => {
  it('delivers to a receiver in order, and does not wait for the others', async () => {
    const { put, slow, arrived } = anOutbox();
    const first = slow('dead', '1');
    put('dead', '2');
    put('fast', '1');
    put('fast', '2');
    await settled();
    expect(arrived).toEqual(['fast 1', 'fast 2']);
    first.release();
    await settled();
    expect(arrived).toEqual(['fast 1', 'fast 2', 'dead 1', 'dead 2']);
  });

  it('goes on after a delivery that threw', async () => {
    const { outbox, put, arrived, failed } = anOutbox();
    outbox.put('a', () => Promise.reject(new Error('a bug')));
    put('a', '2');
    await settled();
    expect(arrived).toEqual(['a 2']);
    expect(failed).toEqual([new Error('a bug')]);
  });

  it('keeps the newest messages when a receiver does not keep pace', async () => {
    const { put, slow, arrived, dropped } = anOutbox(2);
    const first = slow('a', '1');
    for (const text of ['2', '3', '4', '5']) put('a', text);
    expect(dropped).toEqual(['a', 'a']);
    first.release();
    await settled();
    expect(arrived).toEqual(['a 1', 'a 4', 'a 5']);
  });

  it('numbers messages in rising order, also over a restart', async () => {
    const numbers: number[] = [];
    const record = async (sequence: number): Promise<void> => void numbers.push(sequence);
    const { outbox, clock } = anOutbox();
    for (const receiver of ['a', 'b', 'a']) outbox.put(receiver, record);
    await settled();
    const next = createOutbox({
      clock: manualClock(clock.now() + 5_000),
      limit: 1,
      onDropped: () => undefined,
      onError: () => undefined,
    });
    next.put('a', record);
    await settled();
    expect(numbers).toHaveLength(4);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(4);
  });

  it('waits at the end for what is under way, but not for ever', async () => {
    const { outbox, slow, arrived, clock, dropped, put } = anOutbox();
    const good = slow('good', '1');
    slow('dead', '1');
    put('dead', '2');
    const closed = outbox.close(2_000);
    good.release();
    await settled();
    expect(arrived).toEqual(['good 1']);
    clock.advance(2_000);
    await closed;
    expect(arrived).toEqual(['good 1']);
    expect(dropped).toEqual(['dead', 'dead']);
    put('good', 'too late');
    expect(outbox.waiting).toBe(0);
    expect(dropped).toEqual(['dead', 'dead', 'good']);
  });

  it('forgets receivers that have everything', async () => {
    const { outbox, put } = anOutbox();
    put('a', '1');
    expect(outbox.waiting).toBe(1);
    await settled();
    expect(outbox.waiting).toBe(0);
    await outbox.close(1_000);
  });
});
