import { keyOf, type Labels, NAME } from './labels.ts';
import { numberText } from './number-text.ts';

/** One number that a program exposes. */
interface Cell {
  readonly labels: Labels;
  readonly key: string;
  value: number;
}

/** Counters and histograms as a program with a Prometheus client keeps them. */
export interface Registry {
  increase(name: string, labels: Labels): void;
  /** `bounds` are the upper bounds of the buckets, growing, without +Inf; the same for every call with this name. */
  observe(name: string, bounds: readonly number[], labels: Labels, value: number): void;
  /** Takes away the series whose labels fit, as when the program that exposed them ended; returns them. */
  forget(fits: (labels: Labels) => boolean): readonly Cell[];
  cells(): Iterable<Cell>;
}

interface Metric {
  readonly labels: Labels;
  /** A counter has one; a histogram its buckets, +Inf, sum and count. */
  readonly cells: readonly Cell[];
}

export function createRegistry(): Registry {
  const metrics = new Map<string, Metric>();
  const metricOf = (name: string, labels: Labels, make: () => readonly Cell[]): Metric => {
    const key = keyOf({ ...labels, [NAME]: name });
    const known = metrics.get(key);
    if (known) return known;
    const metric = { labels, cells: make() };
    metrics.set(key, metric);
    return metric;
  };
  return {
    increase(name, labels) {
      for (const cell of metricOf(name, labels, () => [cellOf(name, labels)]).cells) cell.value += 1;
    },
    observe(name, bounds, labels, value) {
      const { cells } = metricOf(name, labels, () => [
        ...[...bounds, Number.POSITIVE_INFINITY].map((bound) =>
          cellOf(`${name}_bucket`, { ...labels, le: numberText(bound) }),
        ),
        cellOf(`${name}_sum`, labels),
        cellOf(`${name}_count`, labels),
      ]);
      for (const [index, cell] of cells.entries()) {
        const bound = bounds[index];
        if (index === bounds.length + 1) cell.value += value;
        else if (bound === undefined || value <= bound) cell.value += 1;
      }
    },
    forget(fits) {
      const gone: Cell[] = [];
      for (const [key, metric] of metrics) {
        if (!fits(metric.labels)) continue;
        metrics.delete(key);
        gone.push(...metric.cells);
      }
      return gone;
    },
    *cells() {
      for (const metric of metrics.values()) yield* metric.cells;
    },
  };
}

function cellOf(name: string, labels: Labels): Cell {
  const named = { [NAME]: name, ...labels };
  return { labels: named, key: keyOf(named), value: 0 };
}
