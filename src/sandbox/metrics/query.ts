import { keyOf, type Labels } from './labels.ts';
import { typeOf } from './promql/check.ts';
import { evaluate, type Rules } from './promql/evaluate.ts';
import { parseQuery } from './promql/parser.ts';
import { InvalidQuery, typeNames } from './promql/syntax.ts';
import type { Point, Value } from './promql/values.ts';
import type { SeriesStore } from './series-store.ts';

interface QueryRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Answers PromQL from a store. Throws InvalidQuery and ExecutionError. */
export interface QueryEngine {
  instant(query: string, atMs: number): Value;
  range(query: string, range: QueryRange): Value;
  /** Label sets of the series that one of the selectors picks; all for no selector. */
  series(selectors: readonly string[]): readonly Labels[];
}

/** More points than Prometheus gives for one series. */
export const MAX_POINTS = 11_000;

export function createQueryEngine(store: Pick<SeriesStore, 'named'>, rules: Rules): QueryEngine {
  return {
    instant: (query, atMs) => evaluate(parseQuery(query), { store, atMs, rules }),
    range(query, { startMs, endMs, stepMs }) {
      const expression = parseQuery(query);
      const type = typeOf(expression);
      if (type !== 'scalar' && type !== 'vector') {
        throw new InvalidQuery(
          `invalid expression type "${typeNames[type]}" for range query, must be Scalar or instant Vector`,
        );
      }
      const found = new Map<string, { labels: Labels; points: Point[] }>();
      for (let atMs = startMs; atMs <= endMs; atMs += stepMs) {
        const value = evaluate(expression, { store, atMs, rules });
        const samples = value.type === 'vector' ? value.samples : [];
        const all = value.type === 'scalar' ? [{ labels: {}, value: value.value }] : samples;
        for (const sample of all) {
          const key = keyOf(sample.labels);
          const series = found.get(key) ?? { labels: sample.labels, points: [] };
          series.points.push({ timeMs: atMs, value: sample.value });
          found.set(key, series);
        }
      }
      return { type: 'matrix', series: [...found.values()] };
    },
    series(selectors) {
      const all = store.named(undefined).map(({ labels }) => labels);
      if (selectors.length === 0) return all;
      const parsed = selectors.map(parseQuery).flatMap((expression) => {
        if (expression.kind !== 'selector') throw new InvalidQuery('expected an instant vector selector');
        return [expression.matchers];
      });
      return all.filter((labels) =>
        parsed.some((matchers) => matchers.every(({ label, fits }) => fits(labels[label] ?? ''))),
      );
    },
  };
}
