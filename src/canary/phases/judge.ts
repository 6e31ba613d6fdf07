import { formatGoDuration, formatGoFloat, toFixed2 } from '../../lib/duration.ts';
import type {
  CanaryEvent,
  InconclusiveAction,
  InconclusiveCause,
  MetricSpec,
  Sample,
  ThresholdRange,
} from '../types.ts';

interface Told {
  /** Short, for evidence and commit subjects: `success rate 53.42% < 99%`. */
  readonly text: string;
  /** What is told; undefined where all is well. */
  readonly event: CanaryEvent | undefined;
}

export type Verdict = Told &
  (
    | { readonly kind: 'passed' | 'failed' }
    /** Nothing was found out; `action` is what that does. */
    | { readonly kind: 'inconclusive'; readonly cause: InconclusiveCause; readonly action: InconclusiveAction }
  );

export type MetricKind = 'success-rate' | 'duration' | 'query' | 'template';

export interface JudgeNames {
  readonly canary: string;
  readonly target: string;
  /** How Flagger calls where the built-in metrics come from, e.g. `linkerd`. */
  readonly metricsProvider: string;
}

export function metricKind({ name, query, templateRef }: MetricSpec): MetricKind | undefined {
  if (templateRef) return 'template';
  if (query) return 'query';
  if (name === 'request-success-rate') return 'success-rate';
  return name === 'request-duration' ? 'duration' : undefined;
}

/** Judgement of one metric, in Flagger's words where Flagger judges so too. `actionOf` is the policy for what is inconclusive. */
export function judge(
  metric: MetricSpec,
  kind: MetricKind,
  sample: Sample,
  names: JudgeNames,
  actionOf: (cause: InconclusiveCause) => InconclusiveAction,
): Verdict {
  switch (sample.kind) {
    case 'value':
      return judgeValue(metric, kind, sample.value, names);
    case 'no-data':
      return judgeSilence(metric.name, kind, sample, names, actionOf(sample.cause));
    case 'invalid':
      return { kind: 'failed', text: sample.text, event: error(sample.text) };
    case 'unreachable': {
      const action = actionOf('unreachable');
      return { kind: 'inconclusive', cause: 'unreachable', action, text: sample.text, event: error(sample.text) };
    }
  }
}

function judgeSilence(
  name: string,
  kind: MetricKind,
  { cause, reason }: Extract<Sample, { kind: 'no-data' }>,
  names: JudgeNames,
  action: InconclusiveAction,
): Verdict {
  const found = cause === 'noTraffic' ? 'no traffic to measure' : 'no values found';
  const verdict = { kind: 'inconclusive', cause, action, text: `${found} for ${name}` } as const;
  const because = `${found} for metric ${name}: ${reason}`;
  if (action === 'pass')
    return { ...verdict, event: warning(`${names.canary} is inconclusive, counted as passed: ${because}`) };
  // Flagger's words mean that a check has failed, and know of no difference between silence and absence.
  if (action === 'fail' && cause === 'noSeries')
    return { ...verdict, event: warning(noDataText(name, kind, reason, names)) };
  const counted = action === 'fail' ? 'counted as failed' : 'held';
  return { ...verdict, event: warning(`Halt ${names.canary} advancement inconclusive, ${counted}: ${because}`) };
}

function judgeValue({ name, range }: MetricSpec, kind: MetricKind, value: number, names: JudgeNames): Verdict {
  const label = { 'success-rate': 'success rate', duration: 'request duration', query: name, template: name }[kind];
  const broken = brokenBound(range, kind, value);
  if (!broken)
    return { kind: 'passed', text: `${label} ${showValue(kind, value)}${showRange(kind, range)}`, event: undefined };
  const text = `${label} ${showValue(kind, value)} ${broken.sign} ${showBound(kind, broken.bound)}`;
  return { kind: 'failed', text, event: warning(`Halt ${names.canary} advancement ${text}`) };
}

function brokenBound(
  { min, max }: ThresholdRange,
  kind: MetricKind,
  value: number,
): { sign: '<' | '>'; bound: number } | undefined {
  // Whole milliseconds are compared with whole milliseconds, as they are shown.
  const seenBy = (bound: number): number =>
    kind === 'duration' && Number.isInteger(bound) ? Math.trunc(value) : value;
  if (min !== undefined && seenBy(min) < min) return { sign: '<', bound: min };
  if (max !== undefined && seenBy(max) > max) return { sign: '>', bound: max };
  // A value that is no number is within no bounds.
  if (Number.isNaN(value)) return { sign: '<', bound: min ?? max ?? 0 };
  return undefined;
}

/** ` >= 99%`, ` <= 500ms`, ` >= 1, <= 5`; nothing where there is no bound. */
function showRange(kind: MetricKind, { min, max }: ThresholdRange): string {
  const bounds = [
    ...(min === undefined ? [] : [`>= ${showBound(kind, min)}`]),
    ...(max === undefined ? [] : [`<= ${showBound(kind, max)}`]),
  ];
  return bounds.length === 0 ? '' : ` ${bounds.join(', ')}`;
}

function showValue(kind: MetricKind, value: number): string {
  if (kind === 'duration') return formatGoDuration(value >= 1 ? Math.trunc(value) : value);
  return kind === 'success-rate' ? `${toFixed2(value)}%` : toFixed2(value);
}

function showBound(kind: MetricKind, bound: number): string {
  if (kind === 'duration') return formatGoDuration(bound);
  return kind === 'success-rate' ? `${formatGoFloat(bound)}%` : formatGoFloat(bound);
}

function noDataText(name: string, kind: MetricKind, reason: string, { metricsProvider, target }: JudgeNames): string {
  const halt = 'Halt advancement no values found for';
  const built = `${halt} ${metricsProvider} metric ${name} probably ${target} is not receiving traffic`;
  switch (kind) {
    case 'success-rate':
      return `${built}: ${reason}`;
    case 'duration':
      return built;
    case 'query':
      return `${halt} metric: ${name}`;
    case 'template':
      return `${halt} custom metric: ${name}: ${reason}`;
  }
}

function warning(message: string): CanaryEvent {
  return { type: 'Warning', level: 'info', message };
}

function error(message: string): CanaryEvent {
  return { type: 'Warning', level: 'error', message };
}
