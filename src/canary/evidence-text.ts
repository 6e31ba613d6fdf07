import { formatGoDuration, formatGoFloat, toFixed2 } from '../lib/duration.ts';
import { toldRequest } from './requests.ts';
import type { AskedAct, CheckResult, FailedCheck, Finding, Load, Measurement, MetricKind, Unit } from './evidence.ts';
import type { AlertSeverity, CanaryEvent, InconclusiveAction } from './types.ts';

/*
 * The one place that makes texts of evidence: of events, alerts, commits, trailers, ledgers and annotations. Flagger's words where Flagger
 * has any. Texts go to people; who needs a number takes it from the finding.
 */

/** As they stand in messages. */
export interface ToldNames {
  /** `<name>.<namespace>` */
  readonly canary: string;
  readonly target: string;
  /** How Flagger calls where the built-in metrics come from, e.g. `linkerd`. */
  readonly metricsProvider: string;
}

/** Short, for a table and a commit subject: `success rate 53.42% < 99%`, `success rate 100.00% >= 99%`. */
export function textOf({ name, found }: Pick<CheckResult | FailedCheck, 'name' | 'found'>): string {
  switch (found.kind) {
    case 'measured':
      return measured(name, found.metric, found.measurement);
    case 'no-data':
      return `${nothingFound(found)} for ${name}`;
    case 'unanswered':
    case 'said':
      return found.text;
    case 'unknown-metric':
      return `metric ${name} is unknown`;
    case 'hook':
      return found.refusal === undefined
        ? `check ${name} passed${loadText(found.load)}`
        : `check ${name} failed: ${found.refusal}`;
    case 'approved':
      return 'promotion approved';
    case 'pods':
      return found.role === 'primary' ? `primary not ready: ${found.summary}` : found.summary;
    case 'not-ready':
      return `${found.role} not ready: ${found.why}`;
    case 'failed-checks':
      return found.consecutive === undefined
        ? `${found.count} failed checks`
        : `${found.consecutive} failed checks in a row`;
    case 'called-back':
      return `rollback asked for by ${name}`;
    case 'asked':
      return `${askedWords[found.act]} ${toldRequest(found)}`;
    case 'metrics-lost':
      return `metrics unreachable for ${formatGoDuration(Math.round(found.forMs / 1_000) * 1_000)}`;
    case 'unpromotable':
      return found.why;
    case 'ended-before':
      return 'rolled back before';
  }
}

const askedWords: Readonly<Record<AskedAct, string>> = {
  approve: 'approved',
  hold: 'held',
  resume: 'resumed',
  promote: 'promoted before the end of its analysis',
  abort: 'rollback asked for',
};

/** ` (600 requests, 3 failed, p99 12.4ms)`, or with two sides each by its name; empty where nothing is known. */
function loadText(load: Load = {}): string {
  const sides = (['canary', 'primary'] as const).flatMap((side) => {
    const figures = load[side];
    if (!figures) return [];
    const { requests, failed, p99Ms } = figures;
    const text = `${requests} requests, ${failed} failed, p99 ${formatGoFloat(Math.round(p99Ms * 10) / 10)}ms`;
    return [load.primary ? `${side} ${text}` : text];
  });
  return sides.length === 0 ? '' : ` (${sides.join('; ')})`;
}

/** More about it, line by line. */
export function linesOf(found: Finding): readonly string[] {
  return 'lines' in found ? (found.lines ?? []) : [];
}

/** `<name>: <text>`, for a trailer and an annotation. */
export function namedText(check: FailedCheck): string {
  return `${check.name}: ${textOf(check)}`;
}

/** What is told at once of the check of a metric. Undefined: nothing, all is well. `action`: what is done where nothing was found out. */
export function metricEvent(
  check: Pick<CheckResult, 'name' | 'found'>,
  names: ToldNames,
  action: InconclusiveAction | undefined,
): CanaryEvent | undefined {
  const { found } = check;
  switch (found.kind) {
    case 'measured':
      if (found.measurement.broken === undefined) return undefined;
      return warning(`Halt ${names.canary} advancement ${textOf(check)}`);
    case 'no-data':
      return warning(noDataText(check.name, found, names, action));
    case 'unknown-metric':
      return error('Metric query failed for no usable metrics template and query were configured');
    default:
      return error(textOf(check));
  }
}

/** What is told at once of a webhook that does not agree. */
export function hookEvent(name: string, refusal: string, type: 'pre-rollout' | 'external', canary: string): string {
  return `Halt ${canary} advancement ${type} check ${name} failed ${refusal}`;
}

/** Why a release ends, as it is told before its rollback. */
export interface RollbackText {
  readonly event: string;
  readonly alert: string;
  readonly severity: AlertSeverity;
}

export function rollbackText(check: FailedCheck, canary: string): RollbackText {
  const { found } = check;
  const text = textOf(check);
  switch (found.kind) {
    case 'failed-checks': {
      const { count, consecutive } = found;
      const reached = consecutive === undefined ? `threshold reached ${count}` : `in a row reached ${consecutive}`;
      return {
        event: `Rolling back ${canary} failed checks ${reached}`,
        alert: `Failed checks ${reached}`,
        severity: 'error',
      };
    }
    case 'called-back':
      return {
        event: `Rolling back ${canary} manual webhook invoked`,
        alert: 'Rolling back manual webhook invoked',
        severity: 'warn',
      };
    case 'asked':
      return { event: `Rolling back ${canary} ${text}`, alert: `Rolling back, ${text}`, severity: 'warn' };
    case 'unpromotable': {
      const why = `it cannot be promoted: ${text}`;
      return { event: `Rolling back ${canary} ${why}`, alert: `Rolling back, ${why}`, severity: 'error' };
    }
    default:
      return { event: `Rolling back ${canary} ${text}`, alert: `Rolling back, ${text}`, severity: 'error' };
  }
}

function measured(name: string, metric: MetricKind, measurement: Measurement): string {
  const { value, unit, min, max, broken } = measurement;
  const label = { 'success-rate': 'success rate', duration: 'request duration', query: name, template: name }[metric];
  const shown = `${label} ${showValue(unit, value)}`;
  if (broken === undefined) return `${shown}${showRange(measurement)}`;
  // A value that is no number is told as below what it should be.
  if (Number.isNaN(value)) return `${shown} < ${showBound(unit, min ?? max ?? 0)}`;
  return broken === 'min' ? `${shown} < ${showBound(unit, min ?? 0)}` : `${shown} > ${showBound(unit, max ?? 0)}`;
}

/** ` >= 99%`, ` <= 500ms`, ` >= 1, <= 5`; nothing where there is no bound. */
function showRange({ unit, min, max }: Measurement): string {
  const bounds = [
    ...(min === undefined ? [] : [`>= ${showBound(unit, min)}`]),
    ...(max === undefined ? [] : [`<= ${showBound(unit, max)}`]),
  ];
  return bounds.length === 0 ? '' : ` ${bounds.join(', ')}`;
}

function showValue(unit: Unit, value: number): string {
  if (unit === 'milliseconds') return formatGoDuration(value >= 1 ? Math.trunc(value) : value);
  return unit === 'percent' ? `${toFixed2(value)}%` : toFixed2(value);
}

function showBound(unit: Unit, bound: number): string {
  if (unit === 'milliseconds') return formatGoDuration(bound);
  return unit === 'percent' ? `${formatGoFloat(bound)}%` : formatGoFloat(bound);
}

type NoData = Extract<Finding, { kind: 'no-data' }>;

const nothingFound = ({ cause }: NoData): string =>
  cause === 'noTraffic' ? 'no traffic to measure' : 'no values found';

function noDataText(name: string, found: NoData, names: ToldNames, action: InconclusiveAction | undefined): string {
  const because = `${nothingFound(found)} for metric ${name}: ${found.reason}`;
  if (action === 'pass') return `${names.canary} is inconclusive, counted as passed: ${because}`;
  // Flagger's words mean that a check has failed, and know of no difference between silence and absence.
  if (action === 'fail' && found.cause === 'noSeries') return flaggersNoData(name, found, names);
  const counted = action === 'fail' ? 'counted as failed' : 'held';
  return `Halt ${names.canary} advancement inconclusive, ${counted}: ${because}`;
}

function flaggersNoData(name: string, { metric, reason }: NoData, { metricsProvider, target }: ToldNames): string {
  const halt = 'Halt advancement no values found for';
  const built = `${halt} ${metricsProvider} metric ${name} probably ${target} is not receiving traffic`;
  switch (metric) {
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
