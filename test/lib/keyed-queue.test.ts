import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyedQueue, type KeyedQueue } from '../../src/lib/keyed-queue.ts';
import { type ManualClock, manualClock } from '../helpers/manual-clock.ts';

interface Workplace {
  readonly clock: ManualClock;
  readonly queue: KeyedQueue;
  /** Keys in the order in which they began. */
  readonly begun: string[];
  readonly errors: string[];
  readonly finish: (key: string, error?: Error) => Promise<void>;
  readonly running: () => number;
}

/** A queue whose work ends when a test says so. */
function workplace(concurrency = 2): Workplace {
  const clock = manualClock(1_000_000);
  const begun: string[] = [];
  const errors: string[] = [];
  const open = new Map<string, (error?: Error) => void>();
  const queue = createKeyedQueue({
    clock,
    concurrency,
    run: (key) =>
      new Promise((resolve, reject) => {
        expect(open.has(key), `${key} runs twice at once`).toBe(false);
        begun.push(key);
        open.set(key, (error) => {
          open.delete(key);
          if (error) reject(error);
          else resolve();
        });
      }),
    onError: (key, error) => errors.push(`${key}: ${String(error)}`),
  });
  return {
    clock,
    queue,
    begun,
    errors,
    running: () => open.size,
    async finish(key, error) {
      open.get(key)?.(error);
      await nextTurn();
    },
  };
}

describe('a queue of keys', () => {
  it('begins at once and side by side, but never more than allowed', async () => {
    const { queue, begun, finish } = workplace(2);
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(begun).toEqual(['a', 'b']);
    expect(queue.length).toBe(3);
    await finish('a');
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('runs a key once more when it was added while it ran, however often', async () => {
    const { queue, begun, finish } = workplace();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(begun).toEqual(['a']);
    await finish('a');
    expect(begun).toEqual(['a', 'a']);
    await finish('a');
    expect(begun).toEqual(['a', 'a']);
    expect(queue.length).toBe(0);
  });

  it('queues a waiting key only once', async () => {
    const { queue, begun, finish } = workplace(1);
    queue.add('a');
    queue.add('b');
    queue.add('b');
    await finish('a');
    await finish('b');
    expect(begun).toEqual(['a', 'b']);
  });

  it('does not let a key that is always added again starve the others', async () => {
    const { queue, begun, finish } = workplace(1);
    queue.add('busy');
    queue.add('quiet');
    queue.add('busy');
    await finish('busy');
    expect(begun).toEqual(['busy', 'quiet']);
  });

  it('waits for the time of a key, which a later time replaces', () => {
    const { queue, begun, clock } = workplace();
    queue.addAt('a', clock.now() + 1_000);
    queue.addAt('a', clock.now() + 3_000);
    clock.advance(2_999);
    expect(begun).toEqual([]);
    clock.advance(60);
    expect(begun).toEqual(['a']);
    clock.advance(10_000);
    expect(begun).toEqual(['a']);
  });

  it('is never early, and puts due times that are close together at one moment', () => {
    const { queue, begun, clock } = workplace(10);
    queue.addAt('a', clock.now() + 101);
    queue.addAt('b', clock.now() + 149);
    clock.advance(149);
    expect(begun).toEqual([]);
    clock.advance(1);
    expect(begun).toEqual(['a', 'b']);
  });

  it('takes a time that has passed for now', () => {
    const { queue, begun, clock } = workplace();
    queue.addAt('a', clock.now() - 5_000);
    clock.advance(0);
    expect(begun).toEqual(['a']);
  });

  it('leaves the timer alone when the key is added at once', async () => {
    const { queue, begun, clock, finish } = workplace();
    queue.addAt('a', clock.now() + 1_000);
    queue.add('a');
    await finish('a');
    clock.advance(1_050);
    expect(begun).toEqual(['a', 'a']);
  });

  it('forgets timer, place and repetition of a key, but lets it end', async () => {
    const { queue, begun, clock, finish } = workplace(1);
    queue.add('a');
    queue.add('a');
    queue.add('b');
    queue.addAt('a', clock.now() + 100);
    queue.forget('a');
    queue.forget('b');
    await finish('a');
    clock.advance(1_000);
    expect(begun).toEqual(['a']);
    expect(clock.pending).toBe(0);
  });

  it('reports an error, does not repeat the key by itself, and goes on [R82]', async () => {
    const { queue, begun, errors, finish } = workplace(1);
    queue.add('a');
    queue.add('b');
    await finish('a', new Error('no'));
    expect(errors).toEqual(['a: Error: no']);
    expect(begun).toEqual(['a', 'b']);
    queue.add('a');
    await finish('b');
    expect(begun).toEqual(['a', 'b', 'a']);
  });

  it('survives work that throws before it returns a promise', async () => {
    const errors: string[] = [];
    const done: string[] = [];
    const queue = createKeyedQueue({
      clock: manualClock(),
      concurrency: 1,
      run: (key) => {
        if (key === 'bad') throw new Error('at once');
        done.push(key);
        return Promise.resolve();
      },
      onError: (key, error) => errors.push(`${key}: ${String(error)}`),
    });
    queue.add('bad');
    queue.add('good');
    await nextTurn();
    expect(errors).toEqual(['bad: Error: at once']);
    expect(done).toEqual(['good']);
    expect(queue.length).toBe(0);
  });

  it('lets work add its own key, without running it twice at once', async () => {
    const runs: string[] = [];
    let active = 0;
    const queue: KeyedQueue = createKeyedQueue({
      clock: manualClock(),
      concurrency: 4,
      run: async (key) => {
        active += 1;
        expect(active).toBe(1);
        runs.push(key);
        if (runs.length < 3) queue.add(key);
        await nextTurn();
        active -= 1;
      },
      onError: (_, error) => {
        throw error;
      },
    });
    queue.add('a');
    for (let turn = 0; turn < 6; turn += 1) await nextTurn();
    expect(runs).toEqual(['a', 'a', 'a']);
  });

  it('stops: begins nothing more, waits for what runs, leaves no timers', async () => {
    const { queue, begun, clock, finish } = workplace(1);
    queue.add('a');
    queue.add('a');
    queue.add('b');
    queue.addAt('c', clock.now() + 10);
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    await nextTurn();
    expect(stopped).toBe(false);
    await finish('a');
    await stopping;
    queue.add('d');
    queue.addAt('e', clock.now());
    clock.advance(1_000);
    expect(begun).toEqual(['a']);
    expect(clock.pending).toBe(0);
  });

  it('loses no key and never runs one twice at once, whatever happens in which order', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ what: fc.constant('later' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ what: fc.constant('finish' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ what: fc.constant('time' as const), key: fc.constant('') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { queue, begun, clock, finish, running } = workplace(2);
        const owed = new Set<string>();
        for (const { what, key } of steps) {
          const before = begun.length;
          if (what === 'add' || what === 'later') owed.add(key);
          if (what === 'add') queue.add(key);
          else if (what === 'later') queue.addAt(key, clock.now() + 100);
          else if (what === 'finish') await finish(key);
          else clock.advance(60);
          for (const started of begun.slice(before)) owed.delete(started);
          expect(running()).toBeLessThanOrEqual(2);
        }
        const before = begun.length;
        clock.advance(1_000);
        for (let round = 0; round < 8; round += 1) for (const key of ['a', 'b', 'c', 'd']) await finish(key);
        for (const started of begun.slice(before)) owed.delete(started);
        expect([...owed]).toEqual([]);
        expect(queue.length).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
