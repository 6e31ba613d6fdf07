import { describe, expect, it } from 'vitest';
import { alwaysHeld, createFence, type Epoch, isLeaseLost } from '../../src/lib/fence.ts';

describe('a fence', () => {
  const said = (held: Epoch, begun: Epoch): string => {
    try {
      createFence(() => held).assertHeld(begun);
      return 'held';
    } catch (error) {
      return isLeaseLost(error) ? (error as Error).message : 'another error';
    }
  };

  it('lets through what was begun in the present holding of the lease', () => {
    expect(said(1, 1)).toBe('held');
  });

  it.each<[string, Epoch, Epoch, string]>([
    ['while the lease is not held', undefined, 1, 'another replica of the agent writes now'],
    [
      'that was begun while it was not held',
      1,
      undefined,
      'another replica of the agent has written since this was decided',
    ],
    [
      'that was begun before it was lost and won again',
      2,
      1,
      'another replica of the agent has written since this was decided',
    ],
    ['where it was never held', undefined, undefined, 'another replica of the agent writes now'],
  ])('stops what is written %s', (_, held, begun, words) => {
    expect(said(held, begun)).toBe(words);
  });

  it('is always open where there is one replica', () => {
    expect(() => alwaysHeld.assertHeld(alwaysHeld.epoch())).not.toThrow();
  });
});
