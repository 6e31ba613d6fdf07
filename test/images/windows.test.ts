import { describe, expect, it } from 'vitest';
import { closedReason, readWindows } from '../../src/images/windows.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

const isOpen = (text: string, at: string): boolean => {
  const windows = readWindows(text);
  if ('problem' in windows) throw new Error(windows.problem);
  return closedReason(windows, Date.parse(at)) === undefined;
};

describe('A window', () => {
  it.each<[text: string, at: string, open: boolean]>([
    ['0 9 * * 1-5 8h', '2026-11-30T09:00:00Z', true],
    ['0 9 * * 1-5 8h', '2026-11-30T16:59:59Z', true],
    ['0 9 * * 1-5 8h', '2026-11-30T17:00:00Z', false],
    ['0 9 * * 1-5 8h', '2026-11-30T08:59:59Z', false],
    ['0 9 * * mon-fri 8h', '2026-11-29T12:00:00Z', false],
    ['0 9 * * 1-5 8h Europe/Berlin', '2026-11-30T08:00:00Z', true],
    ['0 9 * * 1-5 8h Europe/Berlin', '2026-07-01T07:00:00Z', true],
    ['0 9 * * 1-5 8h Europe/Berlin', '2026-07-01T06:59:00Z', false],
    ['0 9 * * 1-5 8h Asia/Kathmandu', '2026-11-30T03:15:00Z', true],
    ['0 22 * * fri 60h', '2026-11-29T12:00:00Z', true],
    ['0 22 * * 5 60h', '2026-11-30T10:00:00Z', false],
    ['0 0 1 jan * 24h', '2026-01-01T23:59:00Z', true],
    ['0 0 13 * 5 24h', '2026-11-13T12:00:00Z', true],
    ['0 0 13 * 5 24h', '2026-11-20T12:00:00Z', true],
    ['0 0 13 * 5 24h', '2026-11-21T12:00:00Z', false],
    ['*/15 * * * * 5m', '2026-11-30T12:16:00Z', true],
    ['*/15 * * * * 5m', '2026-11-30T12:21:00Z', false],
    ['0 0 * * 7 24h', '2026-11-29T12:00:00Z', true],
    ['0 9 * * * 1h; 0 15 * * * 1h', '2026-11-30T15:30:00Z', true],
    ['0 9 * * * 8h; !0 12 * * * 1h', '2026-11-30T12:30:00Z', false],
    ['!0 12 * * * 1h', '2026-11-30T12:30:00Z', false],
    ['!0 12 * * * 1h', '2026-11-30T13:00:00Z', true],
    // At two clocks go on to three.
    ['30 2 * * * 1h Europe/Berlin', '2026-03-29T01:00:00Z', true],
    ['30 2 * * * 1h Europe/Berlin', '2026-03-29T02:00:00Z', false],
    ['!30 2 * * * 30m Europe/Berlin', '2026-03-29T01:10:00Z', false],
    // At three they go back to two: what begins then begins twice.
    ['30 2 * * * 30m Europe/Berlin', '2026-10-25T00:40:00Z', true],
    ['30 2 * * * 30m Europe/Berlin', '2026-10-25T01:40:00Z', true],
    ['30 2 * * * 30m Europe/Berlin', '2026-10-25T02:10:00Z', false],
  ])('"%s" at %s: open %s', (text, at, open) => {
    expect(isOpen(text, at)).toBe(open);
  });

  it.each([
    '',
    ';',
    'always',
    '0 9 * * *',
    '0 9 * * * forever',
    '0 9 * * * 0s',
    '0 9 * * * 300h',
    '0 25 * * * 8h',
    '0 9 * * * 8h Mars/Olympus',
    '0 9 * * * 8h Europe/Berlin more',
    '5-1 * * * * 1h',
    '*/0 * * * * 1h',
    '0 9 31-32 * * 1h',
    '@daily 8h',
    '! ',
    '0 9 * * 1-5 8h;',
  ])('that cannot be read is a problem: "%s"', (text) => {
    expect(readWindows(text)).toHaveProperty('problem');
  });

  it('of a hostile text costs little', () => {
    const spent = cpuMsOf(() => {
      for (const text of [
        '*,'.repeat(1e5),
        '1-'.repeat(200),
        '0 0 1 1 * 192h Europe/Berlin;'.repeat(15).slice(0, -1),
      ]) {
        const windows = readWindows(text);
        if (!('problem' in windows)) closedReason(windows, Date.parse('2026-11-30T12:00:00Z'));
      }
    });
    expect(spent).toBeLessThan(300);
  });
});
