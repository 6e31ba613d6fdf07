import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatGoDuration, formatGoFloat, parseGoDuration, toFixed2 } from '../../src/lib/duration.ts';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['.5s', 500],
    ['3us', 0.003],
    ['3µs', 0.003],
    ['-2s', -2_000],
    ['+2s', 2_000],
  ])('reads %s as Go does', (text, ms) => {
    expect(parseGoDuration(text)).toBe(ms);
  });

  it.each(['', '10', 's', '1 s', '1d', '1m30', '1e3s', '.s', '--1s'])('refuses %j as Go does', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });

  it.each([
    [0, '0s'],
    [1_515, '1.515s'],
    [500, '500ms'],
    [60_000, '1m0s'],
    [3_600_500, '1h0m0.5s'],
    [90_061_000, '25h1m1s'],
    [0.25, '250µs'],
    [0.0005, '500ns'],
    [1.5, '1.5ms'],
    [-2_415, '-2.415s'],
  ])('prints %d ms as Go does: %s', (ms, text) => {
    expect(formatGoDuration(ms)).toBe(text);
  });

  it('reads back whatever it prints', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), (ms) => {
        expect(parseGoDuration(formatGoDuration(ms))).toBeCloseTo(ms, 3);
      }),
    );
  });
});

describe('numbers', () => {
  it.each([
    [99, '99'],
    [0.5, '0.5'],
    [500_000, '500000'],
    [1_000_000, '1e+06'],
    [123_456.7, '123456.7'],
    [1_234_567, '1.234567e+06'],
    [0.0001, '0.0001'],
    [0.000012, '1.2e-05'],
    [-3, '-3'],
    [0, '0'],
    [Number.POSITIVE_INFINITY, '+Inf'],
  ])('prints %d like %%v: %s', (value, text) => {
    expect(formatGoFloat(value)).toBe(text);
  });

  it.each([
    [53.42, '53.42'],
    [50, '50.00'],
    [0.125, '0.12'],
    [0.375, '0.38'],
    [-0.125, '-0.12'],
    [6.195, '6.20'],
    [99.999, '100.00'],
  ])('prints %d like %%.2f: %s', (value, text) => {
    expect(toFixed2(value)).toBe(text);
  });
});
