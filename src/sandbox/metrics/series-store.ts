import { keyOf, type Labels } from './labels.ts';

/** Samples of one series in the order of time. A null value marks where the series ended (Prometheus' staleness marker). */
export interface Series {
  readonly labels: Labels;
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

/** Time series in memory, bounded in time. Times are milliseconds. */
export interface SeriesStore {
  /**
   * Times of a series grow: a sample that is not newer than the last one is dropped. The mark of the end never is, it goes right
   * behind the last sample.
   */
  append(labels: Labels, timeMs: number, value: number | null, key?: string): void;
  /** The series named `name`, or all. */
  named(name: string | undefined): readonly Series[];
  /** Drops what is older than the retention, and series that have nothing left. */
  prune(nowMs: number): void;
}

interface Held {
  readonly labels: Labels;
  readonly times: number[];
  readonly values: (number | null)[];
}

export function createSeriesStore(retentionMs: number): SeriesStore {
  const byKey = new Map<string, Held>();
  const byName = new Map<string, Set<Held>>();
  return {
    append(labels, timeMs, value, key = keyOf(labels)) {
      let held = byKey.get(key);
      if (!held) {
        held = { labels, times: [], values: [] };
        byKey.set(key, held);
        const name = labels.__name__ ?? '';
        const namesakes = byName.get(name) ?? new Set();
        byName.set(name, namesakes.add(held));
      }
      const lastMs = held.times.at(-1) ?? Number.NEGATIVE_INFINITY;
      if (timeMs <= lastMs && value !== null) return;
      held.times.push(Math.max(timeMs, lastMs + 1));
      held.values.push(value);
    },
    named: (name) => [...(name === undefined ? byKey.values() : (byName.get(name) ?? []))],
    prune(nowMs) {
      for (const [key, held] of byKey) {
        const keep = firstAfter(held.times, nowMs - retentionMs);
        // Cutting costs as much as the rest is long, so it is done rarely.
        if (keep < held.times.length && keep < held.times.length / 4) continue;
        held.times.splice(0, keep);
        held.values.splice(0, keep);
        if (held.times.length > 0) continue;
        byKey.delete(key);
        byName.get(held.labels.__name__ ?? '')?.delete(held);
      }
    },
  };
}

/** Index of the first time later than `timeMs`. */
export function firstAfter(times: readonly number[], timeMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
