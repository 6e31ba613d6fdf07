import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NAME } from '../../../src/sandbox/metrics/labels.ts';
import { numberText, parseNumber } from '../../../src/sandbox/metrics/number-text.ts';
import { currentRules } from '../../../src/sandbox/metrics/promql/evaluate.ts';
import { createQueryEngine } from '../../../src/sandbox/metrics/query.ts';
import { createSeriesStore } from '../../../src/sandbox/metrics/series-store.ts';

/** An engine over one counter `x` with a sample for each pair of seconds and value; null ends it. */
function engineOf(samples: readonly (readonly [second: number, value: number | null])[], rules = currentRules) {
  const store = createSeriesStore(Number.POSITIVE_INFINITY);
  for (const [second, value] of samples) store.append({ [NAME]: 'x' }, second * 1000, value);
  const engine = createQueryEngine(store, rules);
  return (query: string, second: number): readonly number[] => {
    const value = engine.instant(query, second * 1000);
    if (value.type === 'vector') return value.samples.map((sample) => sample.value);
    return value.type === 'scalar' ? [value.value] : [];
  };
}

describe('an instant selector', () => {
  it('looks back for five minutes, without the last moment', () => {
    const ask = engineOf([[1000, 7]]);
    expect(ask('x', 999)).toEqual([]);
    expect(ask('x', 1000)).toEqual([7]);
    expect(ask('x', 1299)).toEqual([7]);
    expect(ask('x', 1300)).toEqual([]);
  });

  it('finds nothing after the end of a series, until it comes back', () => {
    const ask = engineOf([
      [1000, 7],
      [1010, null],
      [1020, 8],
    ]);
    expect([1009, 1010, 1019, 1020].map((second) => ask('x', second))).toEqual([[7], [], [], [8]]);
    expect(ask('count_over_time(x[1m])', 1020)).toEqual([2]);
  });
});

describe('a range', () => {
  const samples = [0, 1, 2, 3, 4, 5, 6].map((step) => [1000 + 10 * step, 5 * step] as const);

  it('leaves out the sample at its lower end, as Prometheus does since its version 3', () => {
    expect(engineOf(samples)('count_over_time(x[20s])', 1060)).toEqual([2]);
    expect(engineOf(samples, { leftOpen: false, zeroFirst: true })('count_over_time(x[20s])', 1060)).toEqual([3]);
  });

  it('needs two samples for a rate', () => {
    const ask = engineOf(samples);
    expect(ask('rate(x[10s])', 1060)).toEqual([]);
    expect(ask('rate(x[21s])', 1060)).toEqual([0.5]);
  });
});

describe('a rate', () => {
  it('of a counter that grows evenly is its growth, wherever the window lies', () => {
    const samples = Array.from({ length: 200 }, (_, second) => [1000 + second, 1000 + 3 * second] as const);
    const ask = engineOf(samples);
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 60 }), fc.double({ min: 1065, max: 1199, noNaN: true }), (seconds, at) => {
        expect(ask(`rate(x[${seconds}s])`, Math.round(at * 1000) / 1000)[0]).toBeCloseTo(3, 9);
      }),
    );
  });

  it('is never negative, however often the counter begins anew', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 2, maxLength: 30 }), (values) => {
        const ask = engineOf(values.map((value, index) => [1000 + index, value] as const));
        for (const value of ask('rate(x[1m])', 1000 + values.length)) expect(value).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('a histogram quantile', () => {
  it('lies within the bucket that holds the rank', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20), { minLength: 3, maxLength: 3 }),
        // The quantile 0 of an empty first bucket is 0/0, in Prometheus as well.
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (counts, quantile) => {
          const store = createSeriesStore(1_000);
          let total = 0;
          for (const [index, le] of ['1', '2', '4', '+Inf'].entries()) {
            total += counts[index] ?? 0;
            store.append({ [NAME]: 'b', le }, 1_000, total);
          }
          const value = createQueryEngine(store, currentRules).instant(`histogram_quantile(${quantile}, b)`, 1_000);
          const found = value.type === 'vector' ? (value.samples[0]?.value ?? 0) : 0;
          if (total === 0) expect(found).toBeNaN();
          else expect(found >= 0 && found <= 4).toBe(true);
        },
      ),
    );
  });
});

describe('a query that cannot be read', () => {
  const engine = createQueryEngine(createSeriesStore(1_000), currentRules);
  it.each([
    ['sum(x', '1:6: parse error: unexpected end of input in aggregation, expected ")"'],
    ['x{a="1"', '1:8: parse error: unexpected end of input in label matching, expected "}"'],
    ['rate(x)', '1:1: parse error: expected type range vector in call to function "rate", got instant vector'],
    ['x\n  + nope(y)', '2:5: parse error: unknown function with name "nope"'],
    ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
    ['x @ 100', '1:3: parse error: the @ modifier is not supported by this server'],
    ['sum(x)[1m]', '1:7: parse error: ranges only allowed for vector selectors'],
    ['holt_winters(x[1m], 1, 1)', '1:1: parse error: unknown function with name "holt_winters"'],
    ['x{a=~"(?=b)"}', '1:13: parse error: error parsing regexp: invalid or unsupported: `(?=b)`'],
  ])('%j says where and why', (query, message) => {
    expect(() => engine.instant(query, 0)).toThrow(message);
  });
});

describe('the text of a number', () => {
  it.each([
    [1e21, '1000000000000000000000'],
    [1.25e22, '12500000000000000000000'],
    [1.5e-7, '0.00000015'],
    [-2e-9, '-0.000000002'],
    [0.1, '0.1'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
  ])('of %d is %s', (value, text) => {
    expect(numberText(value)).toBe(text);
  });

  it('is read back as the same number', () => {
    fc.assert(fc.property(fc.double(), (value) => Object.is(parseNumber(numberText(value)), value)));
  });
});
