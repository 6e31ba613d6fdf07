import { describe, expect, it } from 'vitest';
import { hasReached } from '../../src/cluster/own-writes.ts';

describe('a resourceVersion', () => {
  it('that is a number is at least every smaller one', () => {
    for (const [version, other] of [
      ['10', '9'],
      ['9', '9'],
      ['90071992547409931', '90071992547409930'],
    ] as const)
      expect(hasReached(version, other)).toBe(true);
    expect(hasReached('9', '10')).toBe(false);
    expect(hasReached('90071992547409930', '90071992547409931')).toBe(false);
  });

  it('of another spelling is only equal or not', () => {
    expect(hasReached('b', 'b')).toBe(true);
    expect(hasReached('b', 'a')).toBe(false);
    expect(hasReached('10', 'unknown')).toBe(false);
    expect(hasReached(undefined, '1')).toBe(false);
  });
});
