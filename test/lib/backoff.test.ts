import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../src/lib/backoff.ts';

describe('the wait before the next try', () => {
  const options = { baseMs: 100, capMs: 5_000 };

  it('doubles with each try and stops growing at the cap', () => {
    const longest = [0, 1, 2, 3, 6, 20, 1_000].map((attempt) => backoffMs(attempt, options, 1));
    expect(longest).toEqual([100, 200, 400, 800, 5_000, 5_000, 5_000]);
  });

  it('lies between the half and the whole, wherever chance falls', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const whole = backoffMs(attempt, options, 1);
        const wait = backoffMs(attempt, options, random);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(whole / 2));
        expect(wait).toBeLessThanOrEqual(whole);
      }),
    );
  });
});
