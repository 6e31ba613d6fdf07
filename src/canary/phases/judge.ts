import type { Finding, Measurement, MetricKind } from '../evidence.ts';
import { units } from '../metric-kind.ts';
import type { InconclusiveAction, InconclusiveCause, MetricSpec, Sample } from '../types.ts';

/** What a metric's check came to. */
export type Verdict = { readonly found: Finding } & (
  | { readonly kind: 'passed' | 'failed' }
  /** Nothing was found out; `action` is what that does. */
  | { readonly kind: 'inconclusive'; readonly cause: InconclusiveCause; readonly action: InconclusiveAction }
);

/** Judgement of one metric, as Flagger judges where it judges so too. `actionOf` is the policy for what is inconclusive. */
export function judge(
  metric: MetricSpec,
  kind: MetricKind,
  sample: Sample,
  actionOf: (cause: InconclusiveCause) => InconclusiveAction,
): Verdict {
  switch (sample.kind) {
    case 'value': {
      const measurement = measurementOf(metric, kind, sample);
      const found = { kind: 'measured', metric: kind, measurement } as const;
      return { kind: measurement.broken === undefined ? 'passed' : 'failed', found };
    }
    case 'no-data': {
      const { cause } = sample;
      return { kind: 'inconclusive', cause, action: actionOf(cause), found: { ...sample, metric: kind } };
    }
    case 'invalid':
      return { kind: 'failed', found: { kind: 'unanswered', text: sample.text } };
    case 'unreachable': {
      const found = { kind: 'unanswered', text: sample.text } as const;
      return { kind: 'inconclusive', cause: 'unreachable', action: actionOf('unreachable'), found };
    }
  }
}

function measurementOf(
  { range }: MetricSpec,
  kind: MetricKind,
  { value, source }: Extract<Sample, { kind: 'value' }>,
): Measurement {
  const unit = units[kind];
  const broken = brokenBound({ ...range, value, unit });
  return {
    value,
    unit,
    ...(range.min === undefined ? {} : { min: range.min }),
    ...(range.max === undefined ? {} : { max: range.max }),
    ...(broken === undefined ? {} : { broken }),
    // Queries name the target's pods; none is asked of the primary's yet.
    side: 'canary',
    ...source,
  };
}

function brokenBound({ value, unit, min, max }: Pick<Measurement, 'value' | 'unit' | 'min' | 'max'>) {
  // Whole milliseconds are compared with whole milliseconds, as they are shown.
  const seenBy = (bound: number): number =>
    unit === 'milliseconds' && Number.isInteger(bound) ? Math.trunc(value) : value;
  if (min !== undefined && seenBy(min) < min) return 'min';
  if (max !== undefined && seenBy(max) > max) return 'max';
  // A value that is no number is within no bounds.
  if (Number.isNaN(value)) return min === undefined && max !== undefined ? 'max' : 'min';
  return undefined;
}
