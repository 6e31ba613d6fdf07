import { describe, expect, it } from 'vitest';
import { isAtLeast } from '../../../src/agent/views/resource-version.ts';

describe('a resourceVersion', () => {
  it('that is a number is at least every smaller one', () => {
    for (const [version, other] of [
      ['10', '9'],
      ['9', '9'],
      ['90071992547409931', '90071992547409930'],
    ] as const)
      expect(isAtLeast(version, other)).toBe(true);
    expect(isAtLeast('9', '10')).toBe(false);
    expect(isAtLeast('90071992547409930', '90071992547409931')).toBe(false);
  });

  it('of another spelling is only equal or not', () => {
    expect(isAtLeast('b', 'b')).toBe(true);
    expect(isAtLeast('b', 'a')).toBe(false);
    expect(isAtLeast('10', 'unknown')).toBe(false);
    expect(isAtLeast(undefined, '1')).toBe(false);
  });
});
