import { describe, expect, it } from 'vitest';
import { createLimit } from '../../src/lib/limit.ts';

describe('a limit', () => {
  it('runs so many at a time, the rest in order, also where some of it fails', async () => {
    const limit = createLimit(3);
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const work = async (at: number): Promise<number> => {
      begun.push(at);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (at % 4 === 0) throw new Error(`${at}`);
      return at;
    };
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, at) => limit(() => work(at))));
    expect(most).toBe(3);
    expect(begun).toEqual(Array.from({ length: 20 }, (_, at) => at));
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(5);
    await expect(limit(() => Promise.resolve('after'))).resolves.toBe('after');
  });
});
