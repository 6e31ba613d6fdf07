import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../../src/lib/http/retry-after.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

describe('the time after which a server wants to be asked again', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['0.5', 500],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
  ])('is read from "%s"', (header, ms) => {
    expect(retryAfterMs(header, nowMs)).toBe(ms);
    expect(retryAfterMs([header, '999'], nowMs)).toBe(ms);
  });

  it.each([undefined, '', 'soon', '-5', '1e9', '0x10', '1 2', '9'.repeat(200)])('is not said by "%s"', (header) => {
    expect(retryAfterMs(header, nowMs)).toBeUndefined();
  });

  it('is not said by a date where no time is known to read it by', () => {
    expect(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', undefined)).toBeUndefined();
    expect(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', Number.NaN)).toBeUndefined();
    expect(retryAfterMs('3', undefined)).toBe(3_000);
  });
});
