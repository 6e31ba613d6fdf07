import { describe, expect, it } from 'vitest';
import { fairShare } from '../../../src/agent/images/fair-share.ts';

const named = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${name}${at}`);

describe('the share of each tenant', () => {
  it('is all of it where there is room', () => {
    expect(
      fairShare(
        new Map([
          ['a', named('a', 3)],
          ['b', named('b', 1)],
        ]),
        10,
      ),
    ).toEqual(['a0', 'b0', 'a1', 'a2']);
    expect(fairShare(new Map(), 10)).toEqual([]);
  });

  it('is not taken by one that has thousands', () => {
    const share = fairShare(
      new Map([
        ['a', named('a', 5_000)],
        ['b', named('b', 3)],
        ['c', named('c', 4_000)],
      ]),
      2_000,
    );
    expect(share).toHaveLength(2_000);
    expect(share.filter((one) => one.startsWith('b'))).toEqual(named('b', 3));
    expect(share.filter((one) => one.startsWith('a'))).toEqual(named('a', 999));
    expect(share.filter((one) => one.startsWith('c'))).toEqual(named('c', 998));
  });
});
