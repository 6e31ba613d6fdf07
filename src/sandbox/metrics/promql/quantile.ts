import { keyOf, NAME, without } from '../labels.ts';
import { parseNumber } from '../number-text.ts';
import type { Sample } from './values.ts';

interface Bucket {
  readonly bound: number;
  readonly count: number;
}

/** `histogram_quantile`: one sample for each set of buckets that agrees in all labels but `le`. */
export function histogramQuantile(quantile: number, samples: readonly Sample[]): readonly Sample[] {
  const groups = new Map<string, { labels: Sample['labels']; buckets: Bucket[] }>();
  for (const { labels, value } of samples) {
    const bound = parseNumber(labels.le ?? '');
    if (bound === undefined) continue;
    const rest = without(labels, [NAME, 'le']);
    const key = keyOf(rest);
    const group = groups.get(key) ?? { labels: rest, buckets: [] };
    group.buckets.push({ bound, count: value });
    groups.set(key, group);
  }
  return [...groups.values()].map(({ labels, buckets }) => ({ labels, value: quantileOf(quantile, buckets) }));
}

function quantileOf(quantile: number, unordered: readonly Bucket[]): number {
  if (Number.isNaN(quantile)) return Number.NaN;
  if (quantile < 0) return Number.NEGATIVE_INFINITY;
  if (quantile > 1) return Number.POSITIVE_INFINITY;
  const buckets = growing(merged(unordered));
  const [highest, beforeHighest] = [buckets.at(-1), buckets.at(-2)];
  if (highest?.bound !== Number.POSITIVE_INFINITY || !beforeHighest) return Number.NaN;
  if (highest.count === 0 || Number.isNaN(highest.count)) return Number.NaN;
  const rank = quantile * highest.count;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const found = buckets[index];
  if (!found || found === highest) return beforeHighest.bound;
  const below = buckets[index - 1];
  if (!below && found.bound <= 0) return found.bound;
  const start = below ?? { bound: 0, count: 0 };
  return start.bound + (found.bound - start.bound) * ((rank - start.count) / (found.count - start.count));
}

/** In the order of bounds; the counts of equal bounds (`1` and `1.0`) are added. */
function merged(buckets: readonly Bucket[]): readonly Bucket[] {
  const counts = new Map<number, number>();
  for (const { bound, count } of [...buckets].sort((a, b) => a.bound - b.bound)) {
    counts.set(bound, (counts.get(bound) ?? 0) + count);
  }
  return [...counts].map(([bound, count]) => ({ bound, count }));
}

/** Rates of cumulative buckets may fall by rounding or scrape order; a bucket holds at least what the one below holds. */
function growing(buckets: readonly Bucket[]): readonly Bucket[] {
  let least = Number.NEGATIVE_INFINITY;
  return buckets.map(({ bound, count }) => {
    const negligible = Math.abs(count - least) < 1e-12 * (Math.abs(count) + Math.abs(least));
    if (count > least && !negligible) least = count;
    return { bound, count: least };
  });
}
