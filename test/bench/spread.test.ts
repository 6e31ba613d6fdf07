import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMet, readable, rowOf, spreadOf } from '../../src/bench/spread.ts';

describe('the spread of several runs', () => {
  it('is the least, the middle and the greatest', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
    expect(spreadOf([7])).toEqual({ min: 7, median: 7, max: 7 });
  });

  it('is in order and within what was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
        const { min, median, max } = spreadOf(values);
        expect(min).toBe(Math.min(...values));
        expect(max).toBe(Math.max(...values));
        expect(median).toBeGreaterThanOrEqual(min);
        expect(median).toBeLessThanOrEqual(max);
        expect(values.filter((value) => value < median).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > median).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  it('of nothing is an error', () => {
    expect(() => spreadOf([])).toThrow('nothing was measured');
  });
});

describe('a goal', () => {
  const spread = { min: 1, median: 2, max: 9 };

  it('is held against the median', () => {
    expect(isMet({ kind: 'below', value: 2.1 }, spread)).toBe(true);
    expect(isMet({ kind: 'below', value: 2 }, spread)).toBe(false);
    expect(isMet({ kind: 'at least', value: 2 }, spread)).toBe(true);
    expect(isMet({ kind: 'at least', value: 2.1 }, spread)).toBe(false);
    expect(isMet({ kind: 'exactly', value: 2 }, spread)).toBe(true);
    expect(isMet({ kind: 'exactly', value: 0 }, spread)).toBe(false);
  });

  it('is told in the row, met or missed', () => {
    const measured = { what: 'wait', unit: ' s', spread };
    expect(rowOf(measured)).toEqual(['wait', '1 s', '2 s', '9 s', '', '']);
    expect(rowOf({ ...measured, goal: { kind: 'below', value: 3 } }).slice(4)).toEqual(['< 3 s', 'met']);
    expect(rowOf({ ...measured, goal: { kind: 'at least', value: 3 } }).slice(4)).toEqual(['≥ 3 s', 'MISSED']);
    expect(rowOf({ ...measured, goal: { kind: 'exactly', value: 0 } }).slice(4)).toEqual(['0 s', 'MISSED']);
  });

  it('is written with the digits that matter', () => {
    expect([0, 0.01234, 1.005, 12.34, 99.96, 123.4, 98765.4].map(readable)).toEqual([
      '0',
      '0.0123',
      '1',
      '12.3',
      '100',
      '123',
      '98765',
    ]);
  });
});
