import { formatGoDuration, formatGoFloat, toFixed2 } from '../../lib/duration.ts';
import type { CanaryEvent, MetricSpec, Sample, ThresholdRange } from '../types.ts';

export interface Verdict {
  readonly passed: boolean;
  /** Short, for evidence and commit subjects: `success rate 53.42% < 99%`. */
  readonly text: string;
  /** What is told; undefined where all is well. */
  readonly event: CanaryEvent | undefined;
}

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

/** Flagger's judgement of one metric, in Flagger's words. */
export function judge(metric: MetricSpec, kind: MetricKind, sample: Sample, names: JudgeNames): Verdict {
  switch (sample.kind) {
    case 'value':
      return judgeValue(metric, kind, sample.value, names);
    case 'no-data': {
      const message = noDataText(metric.name, kind, sample.reason, names);
      return { passed: false, text: `no values found for ${metric.name}`, event: warning(message) };
    }
    case 'invalid':
    case 'unreachable':
      return { passed: false, text: sample.text, event: { type: 'Warning', level: 'error', message: sample.text } };
  }
}

function judgeValue({ name, range }: MetricSpec, kind: MetricKind, value: number, names: JudgeNames): Verdict {
  const label = { 'success-rate': 'success rate', duration: 'request duration', query: name, template: name }[kind];
  const broken = brokenBound(range, kind, value);
  if (!broken) return { passed: true, text: `${label} ${showValue(kind, value)}`, event: undefined };
  const text = `${label} ${showValue(kind, value)} ${broken.sign} ${showBound(kind, broken.bound)}`;
  return { passed: false, text, event: warning(`Halt ${names.canary} advancement ${text}`) };
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
