import { describe, expect, it } from 'vitest';
import { metricEvent, rollbackText, textOf } from '../../src/canary/evidence-text.ts';
import { withoutToldQueries } from '../../src/canary/evidence.ts';
import { metricKind } from '../../src/canary/metric-kind.ts';
import { judge } from '../../src/canary/phases/judge.ts';
import type { Evidence, Finding, MetricSpec, Sample } from '../../src/canary/types.ts';

const names = { canary: 'app.demo', target: 'app.demo', metricsProvider: 'istio' };
const source = { provider: 'prometheus', query: 'up', windowMs: 60_000, measuredAtMs: 1_700_000_000_000 };
const valueOf = (value: number): Sample => ({ kind: 'value', value, source });

/** What is found of one value, and what people read of it. */
function judged(metric: Pick<MetricSpec, 'name' | 'range' | 'query'>, value: number) {
  const spec = { interval: '1m', ...metric };
  const { found } = judge(spec, metricKind(spec) ?? 'query', valueOf(value), () => 'fail');
  return {
    found,
    text: textOf({ name: spec.name, found }),
    event: metricEvent({ name: spec.name, found }, names, undefined),
  };
}

describe('the measurement of a check', () => {
  it('holds value, unit, bounds, the one that is broken, side, provider, query, window and time', () => {
    expect(judged({ name: 'request-success-rate', range: { min: 99, max: 100 } }, 53.4219).found).toEqual({
      kind: 'measured',
      metric: 'success-rate',
      measurement: { value: 53.4219, unit: 'percent', min: 99, max: 100, broken: 'min', side: 'canary', ...source },
    });
    expect(judged({ name: 'request-duration', range: { max: 500 } }, 750.9).found).toEqual({
      kind: 'measured',
      metric: 'duration',
      measurement: { value: 750.9, unit: 'milliseconds', max: 500, broken: 'max', side: 'canary', ...source },
    });
    expect(judged({ name: 'depth', query: 'q', range: { min: 1 } }, 5).found).toEqual({
      kind: 'measured',
      metric: 'query',
      measurement: { value: 5, unit: 'own', min: 1, side: 'canary', ...source },
    });
  });

  it.each([
    [{ name: 'request-success-rate', range: { min: 99 } }, 53.4219, 'success rate 53.42% < 99%'],
    [{ name: 'request-success-rate', range: { min: 99 } }, 100, 'success rate 100.00% >= 99%'],
    [{ name: 'request-success-rate', range: { min: 1, max: 2 } }, 3, 'success rate 3.00% > 2%'],
    [{ name: 'request-duration', range: { max: 500 } }, 500.9, 'request duration 500ms <= 500ms'],
    [{ name: 'request-duration', range: { max: 0.5 } }, 0.6, 'request duration 600µs > 500µs'],
    [{ name: 'mine', query: 'q', range: { min: 1, max: 5 } }, 2, 'mine 2.00 >= 1, <= 5'],
    [{ name: 'mine', query: 'q', range: {} }, 2, 'mine 2.00'],
    [{ name: 'mine', query: 'q', range: { max: 3 } }, Number.NaN, 'mine NaN < 3'],
    [{ name: 'mine', query: 'q', range: {} }, Number.NaN, 'mine NaN < 0'],
  ])('is told in Flagger’s words: %j %d', (metric, value, text) => {
    const { text: told, event } = judged(metric, value);
    expect(told).toBe(text);
    const isGood = !/ [<>] /.test(text);
    expect(event?.message).toBe(isGood ? undefined : `Halt app.demo advancement ${text}`);
  });
});

describe('the end of a release', () => {
  it.each<[Finding, string, string]>([
    [
      { kind: 'failed-checks', count: 5 },
      'Rolling back app.demo failed checks threshold reached 5',
      'Failed checks threshold reached 5',
    ],
    [
      { kind: 'metrics-lost', forMs: 70_400 },
      'Rolling back app.demo metrics unreachable for 1m10s',
      'Rolling back, metrics unreachable for 1m10s',
    ],
    [{ kind: 'called-back' }, 'Rolling back app.demo manual webhook invoked', 'Rolling back manual webhook invoked'],
    [
      { kind: 'unpromotable', why: 'Secret db is missing' },
      'Rolling back app.demo it cannot be promoted: Secret db is missing',
      'Rolling back, it cannot be promoted: Secret db is missing',
    ],
  ])('is told from what it failed at: %j', (found, event, alert) => {
    expect(rollbackText({ name: 'x', found }, 'app.demo')).toMatchObject({ event, alert });
  });
});

it('tells a query once until another one is asked under its name', () => {
  const lookOf = (query: string, other = 'b'): Evidence => ({
    atMs: 1,
    canaryWeight: 1,
    iterations: 0,
    checks: [query, other].map((text, at) => ({
      name: `${at}`,
      passed: true,
      found: { kind: 'no-data', metric: 'query', cause: 'noSeries', reason: '', source: { ...source, query: text } },
    })),
  });
  const looks: Evidence[] = [];
  for (const query of ['a', 'a', 'c', 'c', 'a']) looks.push(withoutToldQueries(lookOf(query), looks));
  const told = looks.map(({ checks }) =>
    checks.map(({ found }) => (found.kind === 'no-data' ? found.source?.query : '')),
  );
  expect(told).toEqual([
    ['a', 'b'],
    [undefined, undefined],
    ['c', undefined],
    [undefined, undefined],
    ['a', undefined],
  ]);
});
