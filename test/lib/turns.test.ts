import { describe, expect, it } from 'vitest';
import { atOnce, createTurns } from '../../src/lib/turns.ts';

const busyFor = (ms: number): void => {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
};

function* sumOf(count: number, partMs: number): Generator<void, number> {
  let sum = 0;
  for (let part = 1; part <= count; part += 1) {
    busyFor(partMs);
    sum += part;
    yield;
  }
  return sum;
}

describe('long work', () => {
  it('lets others through when it is done in turns, with the same result as at once', async () => {
    let others = 0;
    const timer = setInterval(() => (others += 1), 1);
    const result = await createTurns().run(sumOf(20, 2));
    clearInterval(timer);
    expect(others).toBeGreaterThan(2);
    expect(result).toBe(atOnce(sumOf(20, 0)));
  });

  it('takes no turn of its own where it is short', async () => {
    let others = 0;
    const immediate = setImmediate(() => (others += 1));
    const turns = createTurns();
    for (let step = 0; step < 100; step += 1) await turns.breathe();
    clearImmediate(immediate);
    expect(others).toBe(0);
  });
});
