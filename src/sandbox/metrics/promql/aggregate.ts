import { keyOf, type Labels, NAME, only, without } from '../labels.ts';
import type { Aggregation } from './syntax.ts';
import type { Sample } from './values.ts';

/** `parameter` is the k of topk and bottomk or the quantile. */
export function aggregate(
  { operator, without: dropping, labels }: Aggregation,
  samples: readonly Sample[],
  parameter: number,
): readonly Sample[] {
  const groups = new Map<string, { labels: Labels; members: Sample[] }>();
  for (const sample of samples) {
    const kept = dropping ? without(sample.labels, [...labels, NAME]) : only(sample.labels, labels);
    const key = keyOf(kept);
    const group = groups.get(key) ?? { labels: kept, members: [] };
    group.members.push(sample);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group): readonly Sample[] => {
    if (operator === 'topk' || operator === 'bottomk') {
      return ranked(group.members, operator === 'topk').slice(0, Math.max(0, Math.trunc(parameter)));
    }
    const values = group.members.map(({ value }) => value);
    return [{ labels: group.labels, value: reduce(operator, values, parameter) }];
  });
}

/** Largest or smallest first, NaN last. */
function ranked(samples: readonly Sample[], descending: boolean): readonly Sample[] {
  const sorted = samples
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => (descending ? b.value - a.value : a.value - b.value));
  return [...sorted, ...samples.filter(({ value }) => Number.isNaN(value))];
}

function reduce(operator: string, values: readonly number[], parameter: number): number {
  switch (operator) {
    case 'sum':
      return sum(values);
    case 'avg':
      return mean(values);
    case 'min':
      return extreme(values, Math.min);
    case 'max':
      return extreme(values, Math.max);
    case 'count':
      return values.length;
    case 'group':
      return 1;
    case 'stdvar':
      return variance(values);
    case 'stddev':
      return Math.sqrt(variance(values));
    case 'quantile':
      return quantile(parameter, values);
    default:
      throw new Error(`no such aggregation: ${operator}`);
  }
}

/** With Neumaier's compensation, so that the order of the series does not show in the result. */
export function sum(values: readonly number[]): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    if (Number.isFinite(next)) lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return Number.isFinite(total) ? total + lost : total;
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** NaN counts only where there is nothing else. */
export function extreme(values: readonly number[], pick: (a: number, b: number) => number): number {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.length === 0 ? Number.NaN : numbers.reduce((a, b) => pick(a, b));
}

function variance(values: readonly number[]): number {
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** 2));
}

function quantile(share: number, values: readonly number[]): number {
  if (Number.isNaN(share) || values.length === 0) return Number.NaN;
  if (share < 0) return Number.NEGATIVE_INFINITY;
  if (share > 1) return Number.POSITIVE_INFINITY;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = share * (sorted.length - 1);
  const [low, high] = [Math.floor(rank), Math.min(Math.floor(rank) + 1, sorted.length - 1)];
  const weight = rank - low;
  return (sorted[low] ?? Number.NaN) * (1 - weight) + (sorted[high] ?? Number.NaN) * weight;
}
