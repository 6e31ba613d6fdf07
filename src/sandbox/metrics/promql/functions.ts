import { keyOf, type Labels, NAME, without, withoutName } from '../labels.ts';
import { extreme, mean, sum } from './aggregate.ts';
import { extrapolatedChange, lastChange, type RateWindow } from './rate.ts';
import { anchored } from './selector.ts';
import { ExecutionError } from './syntax.ts';
import type { Point, Sample } from './values.ts';

type Window = Pick<RateWindow, 'startMs' | 'endMs' | 'zeroFirst'>;

/** Functions of a range of one series; undefined gives no sample. */
export const overRange: Readonly<Record<string, (points: readonly Point[], window: Window) => number | undefined>> = {
  rate: (points, window) => extrapolatedChange(points, { ...window, counter: true, perSecond: true }),
  increase: (points, window) => extrapolatedChange(points, { ...window, counter: true, perSecond: false }),
  delta: (points, window) => extrapolatedChange(points, { ...window, counter: false, perSecond: false }),
  irate: (points) => lastChange(points, true),
  idelta: (points) => lastChange(points, false),
  avg_over_time: (points) => mean(valuesOf(points)),
  sum_over_time: (points) => sum(valuesOf(points)),
  count_over_time: (points) => points.length,
  min_over_time: (points) => extreme(valuesOf(points), Math.min),
  max_over_time: (points) => extreme(valuesOf(points), Math.max),
  last_over_time: (points) => points.at(-1)?.value,
  resets: (points) => steps(points, (before, after) => after < before),
  changes: (points) => steps(points, (before, after) => !Object.is(before, after) && before !== after),
};

function valuesOf(points: readonly Point[]): number[] {
  return points.map(({ value }) => value);
}

function steps(points: readonly Point[], counts: (before: number, after: number) => boolean): number {
  return points.slice(1).filter(({ value }, index) => counts(points[index]?.value ?? value, value)).length;
}

/** Functions of each value by itself; `numbers` are the scalar arguments. */
export const ofValue: Readonly<Record<string, (value: number, numbers: readonly number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sqrt: Math.sqrt,
  sgn: Math.sign,
  clamp_min: (value, [low = Number.NaN]) => Math.max(value, low),
  clamp_max: (value, [high = Number.NaN]) => Math.min(value, high),
  clamp: (value, [low = Number.NaN, high = Number.NaN]) => Math.max(low, Math.min(high, value)),
  round: (value, [to = 1]) => Math.floor(value * (1 / to) + 0.5) / (1 / to),
};

export function sorted(samples: readonly Sample[], descending: boolean): readonly Sample[] {
  return [...samples].sort((a, b) => {
    if (Number.isNaN(a.value) || Number.isNaN(b.value))
      return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
    return descending ? b.value - a.value : a.value - b.value;
  });
}

/** `$1`, `${1}`, `${name}` and `$$` in the replacement, as Go's regexp expands them. */
export function labelReplace(samples: readonly Sample[], args: readonly string[]): readonly Sample[] {
  const [target = '', replacement = '', source = '', regex = ''] = args;
  const pattern = anchored(regex);
  if (!pattern) throw new ExecutionError(`invalid regular expression in label_replace(): ${regex}`);
  if (!/^[a-zA-Z_]\w*$/.test(target)) {
    throw new ExecutionError(`invalid destination label name in label_replace(): ${target}`);
  }
  const replaced = samples.map(({ labels, value }) => {
    const found = pattern.exec(labels[source] ?? '');
    if (!found) return { labels, value };
    const text = replacement.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, braced?: string, bare?: string) => {
      const group = braced ?? bare;
      if (group === undefined) return all === '$$' ? '$' : all;
      return (/^\d+$/.test(group) ? found[Number(group)] : found.groups?.[group]) ?? '';
    });
    return { labels: text === '' ? without(labels, [target]) : { ...labels, [target]: text }, value };
  });
  if (new Set(replaced.map(({ labels }) => keyOf(labels))).size < replaced.length) {
    throw new ExecutionError('vector cannot contain metrics with the same labelset');
  }
  return replaced;
}

export function nameless(samples: readonly Sample[], change: (value: number) => number): readonly Sample[] {
  return samples.map(({ labels, value }) => ({ labels: withoutName(labels), value: change(value) }));
}

/** The labels that `absent` answers with: those that its selector demands exactly once. */
export function absentLabels(matchers: readonly { label: string; operator: string; value: string }[]): Labels {
  const labels: Record<string, string> = {};
  for (const { label, operator, value } of matchers) {
    const once = matchers.filter((other) => other.label === label).length === 1;
    if (operator === '=' && label !== NAME && once) labels[label] = value;
  }
  return labels;
}
