import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readSchedule } from '../../../src/sandbox/world/cron-schedule.ts';

const next = (schedule: string, after: string, zone?: string): string | undefined => {
  const ms = readSchedule(schedule, zone)(Date.parse(after));
  return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16);
};

it.each([
  ['*/15 * * * *', '2026-11-29T10:00:00Z', '2026-11-29T10:15'],
  ['*/15 * * * *', '2026-11-29T10:59:59Z', '2026-11-29T11:00'],
  ['0 9-17/4 * * mon-fri', '2026-11-29T10:00:00Z', '2026-11-30T09:00'],
  ['30 2 29 feb *', '2026-11-29T10:00:00Z', '2028-02-29T02:30'],
  ['0 0 13 * 5', '2026-11-10T00:00:00Z', '2026-11-13T00:00'],
  ['0 0 1 * 0', '2026-11-29T10:00:00Z', '2026-12-01T00:00'],
  ['0 0 * * 7', '2026-11-28T10:00:00Z', '2026-11-29T00:00'],
  ['5,35 3 * * *', '2026-11-29T03:05:00Z', '2026-11-29T03:35'],
  ['@hourly', '2026-11-29T10:00:00Z', '2026-11-29T11:00'],
  ['@every 90m', '2026-11-29T10:00:00Z', '2026-11-29T11:30'],
])('%s comes after %s at %s', (schedule, after, at) => {
  expect(next(schedule, after)).toBe(at);
});

it('is in the zone that is named', () => {
  expect(next('0 9 * * *', '2026-11-29T00:00:00Z', 'Europe/Berlin')).toBe('2026-11-29T08:00');
  expect(next('0 9 * * *', '2026-11-29T00:00:00Z', 'Nowhere/Land')).toBe('2026-11-29T09:00');
});

it.each(['', '* * * *', '60 * * * *', '* * 0 * *', '*/0 * * * *', '5-1 * * * *', 'a b c d e', '0 0 31 2 *'])(
  '%j names no time',
  (schedule) => {
    expect(next(schedule, '2026-11-29T00:00:00Z')).toBeUndefined();
  },
);

it('survives any text, and never goes back', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 4e12 }), (text, afterMs) => {
      const at = readSchedule(text)(afterMs);
      expect(at === undefined || at > afterMs).toBe(true);
    }),
  );
});
