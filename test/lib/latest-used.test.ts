import { describe, expect, it } from 'vitest';
import { LatestUsed } from '../../src/lib/latest-used.ts';

describe('what was used latest', () => {
  it('stays, and what was used longest ago goes', () => {
    const kept = new LatestUsed<number>(3);
    for (const [at, key] of ['a', 'b', 'c'].entries()) kept.set(key, at);
    expect(kept.get('a')).toBe(0);
    kept.set('d', 3);
    expect([...kept.keys()]).toEqual(['c', 'a', 'd']);
    expect(kept.get('b')).toBeUndefined();
  });

  it('weighs no more than it may, and one that weighs more is alone', () => {
    const kept = new LatestUsed<string>(100);
    for (const key of ['a', 'b', 'c']) kept.set(key, key, 4, 10);
    expect([...kept.keys()]).toEqual(['b', 'c']);
    expect(kept.weight).toBe(8);
    kept.set('d', 'd', 50, 10);
    expect([...kept.keys()]).toEqual(['d']);
    kept.set('e', 'e', 1, 10);
    expect([...kept.keys()]).toEqual(['e']);
    expect(kept.weight).toBe(1);
  });

  it('counts what takes the place of another, and what is taken away, once', () => {
    const kept = new LatestUsed<string>(100);
    kept.set('a', 'a', 4, 10);
    kept.set('a', 'b', 5, 10);
    kept.delete('c');
    expect(kept.weight).toBe(5);
    kept.delete('a');
    kept.delete('a');
    expect(kept.weight).toBe(0);
    expect([...kept.keys()]).toEqual([]);
  });
});
