import { type Labels, withoutName } from '../labels.ts';
import { firstAfter, type Series, type SeriesStore } from '../series-store.ts';
import { aggregate } from './aggregate.ts';
import { combine } from './binary.ts';
import { absentLabels, labelReplace, nameless, ofValue, overRange, sorted } from './functions.ts';
import { histogramQuantile } from './quantile.ts';
import { type Expression, ExecutionError, type Selector } from './syntax.ts';
import { distinct, type Point, type RangeSeries, type Sample, type Value } from './values.ts';

/** Where the versions of Prometheus differ. */
export interface Rules {
  /** A sample exactly at the lower end of a window is outside (since 3.0). */
  readonly leftOpen: boolean;
  /** See `RateWindow.zeroFirst` (until 2.51). */
  readonly zeroFirst: boolean;
}

/** Those of Prometheus 3. */
export const currentRules: Rules = { leftOpen: true, zeroFirst: false };

/** How far an instant selector looks back for a sample. */
const LOOKBACK_MS = 300_000;

export interface Moment {
  readonly store: Pick<SeriesStore, 'named'>;
  readonly atMs: number;
  readonly rules: Rules;
}

/** The value of a checked query at one moment. Throws ExecutionError. */
export function evaluate(expression: Expression, moment: Moment): Value {
  switch (expression.kind) {
    case 'number':
      return { type: 'scalar', value: expression.value };
    case 'string':
      return { type: 'string', value: expression.value };
    case 'selector':
      return expression.rangeMs === undefined
        ? {
            type: 'vector',
            samples: latest(expression, moment).map(({ labels, point }) => ({ labels, value: point.value })),
          }
        : { type: 'matrix', series: range(expression, expression.rangeMs, moment) };
    case 'negation': {
      const value = evaluate(expression.operand, moment);
      if (value.type === 'scalar') return { type: 'scalar', value: -value.value };
      return vector(nameless(samplesOf(value), (number) => -number));
    }
    case 'binary': {
      const value = combine(expression, evaluate(expression.left, moment), evaluate(expression.right, moment));
      return value.type === 'vector' ? vector(value.samples) : value;
    }
    case 'aggregation': {
      const parameter = expression.parameter ? numberOf(evaluate(expression.parameter, moment)) : Number.NaN;
      return vector(aggregate(expression, samplesOf(evaluate(expression.operand, moment)), parameter));
    }
    case 'call':
      return call(expression.name, expression.args, moment);
  }
}

function call(name: string, args: readonly Expression[], moment: Moment): Value {
  const [first] = args;
  const ranged = overRange[name];
  if (ranged && first) return vector(callRange(name, ranged, first, moment));
  if (name === 'time') return { type: 'scalar', value: moment.atMs / 1000 };
  if (name === 'timestamp' && first?.kind === 'selector') {
    const samples = latest(first, moment).map(({ labels, point }) => ({ labels, value: point.timeMs / 1000 }));
    return vector(nameless(samples, (value) => value));
  }
  const values = args.map((arg) => evaluate(arg, moment));
  const samples = samplesOf(values.find(({ type }) => type === 'vector'));
  const numbers = values.filter(({ type }) => type === 'scalar').map(numberOf);
  const each = ofValue[name];
  if (each) {
    // An upper bound below the lower one leaves nothing.
    const empty = name === 'clamp' && (numbers[0] ?? 0) > (numbers[1] ?? 0);
    return vector(empty ? [] : nameless(samples, (value) => each(value, numbers)));
  }
  switch (name) {
    case 'absent':
      if (samples.length > 0) return vector([]);
      return vector([{ labels: first?.kind === 'selector' ? absentLabels(first.matchers) : {}, value: 1 }]);
    case 'histogram_quantile':
      return vector(histogramQuantile(numbers[0] ?? Number.NaN, samples));
    case 'label_replace':
      return vector(
        labelReplace(
          samples,
          values.flatMap((value) => (value.type === 'string' ? [value.value] : [])),
        ),
      );
    case 'scalar':
      return { type: 'scalar', value: samples.length === 1 ? (samples[0]?.value ?? Number.NaN) : Number.NaN };
    case 'vector':
      return vector([{ labels: {}, value: numbers[0] ?? Number.NaN }]);
    case 'sort':
    case 'sort_desc':
      return vector(sorted(samples, name === 'sort_desc'));
    case 'timestamp':
      return vector(nameless(samples, () => moment.atMs / 1000));
    default:
      throw new ExecutionError(`the function ${name} is not supported by this server`);
  }
}

function callRange(
  name: string,
  reduce: NonNullable<(typeof overRange)[string]>,
  selector: Expression,
  moment: Moment,
): readonly Sample[] {
  if (selector.kind !== 'selector' || selector.rangeMs === undefined) return [];
  const endMs = moment.atMs - selector.offsetMs;
  const window = { startMs: endMs - selector.rangeMs, endMs, zeroFirst: moment.rules.zeroFirst };
  return range(selector, selector.rangeMs, moment).flatMap(({ labels, points }): Sample[] => {
    const value = reduce(points, window);
    if (value === undefined) return [];
    return [{ labels: name === 'last_over_time' ? labels : withoutName(labels), value }];
  });
}

function latest(selector: Selector, moment: Moment): readonly { labels: Labels; point: Point }[] {
  const atMs = moment.atMs - selector.offsetMs;
  return select(selector, moment).flatMap(({ labels, times, values }) => {
    const index = firstAfter(times, atMs) - 1;
    const [timeMs, value] = [times[index], values[index]];
    // Null: the series had ended.
    if (timeMs === undefined || value === undefined || value === null) return [];
    const oldestMs = atMs - LOOKBACK_MS;
    return timeMs < oldestMs || (moment.rules.leftOpen && timeMs === oldestMs)
      ? []
      : [{ labels, point: { timeMs, value } }];
  });
}

function range(selector: Selector, rangeMs: number, moment: Moment): readonly RangeSeries[] {
  const endMs = moment.atMs - selector.offsetMs;
  const startMs = endMs - rangeMs;
  return select(selector, moment).flatMap(({ labels, times, values }) => {
    const points: Point[] = [];
    for (
      let index = firstAfter(times, moment.rules.leftOpen ? startMs : startMs - 1);
      index < times.length;
      index += 1
    ) {
      const [timeMs, value] = [times[index], values[index]];
      if (timeMs === undefined || timeMs > endMs) break;
      if (value !== undefined && value !== null) points.push({ timeMs, value });
    }
    return points.length > 0 ? [{ labels, points }] : [];
  });
}

function select({ matchers }: Selector, { store }: Moment): readonly Series[] {
  const name = matchers.find(({ label, operator }) => label === '__name__' && operator === '=')?.value;
  return store.named(name).filter(({ labels }) => matchers.every(({ label, fits }) => fits(labels[label] ?? '')));
}

function vector(samples: readonly Sample[]): Value {
  return { type: 'vector', samples: distinct(samples) };
}

function samplesOf(value: Value | undefined): readonly Sample[] {
  return value?.type === 'vector' ? value.samples : [];
}

function numberOf(value: Value): number {
  return value.type === 'scalar' ? value.value : Number.NaN;
}
