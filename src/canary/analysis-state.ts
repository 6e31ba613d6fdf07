import { canonicalJson, shortHash } from '../lib/hash.ts';
import { perObject } from '../lib/memo.ts';
import { jsonOf } from '../lib/json.ts';
import type { CanarySpec, CanaryStatus } from './types.ts';

/*
 * How far the analysis of a release has come. `decide` gets it with the status and gives it back with the status, and both are written in one
 * request, so neither is ever ahead of the other. Flagger's columns show what Flagger's would.
 */

/** Version 1. An agent that finds another one goes by Flagger's columns. */
export interface AnalysisState {
  readonly version: 1;
  /** Checks that failed: `status.failedChecks`. */
  readonly failedChecks: number;
  /** The last of them in a row, since a check passed; at least 1. Absent: none, or the Canary sets no bound to them. */
  readonly consecutive?: number;
  /** Rounds that were passed, of an A/B test or a blue/green release: `status.iterations`. Never negative. */
  readonly iterations: number;
  /** Looks that changed something of it: a step, a round, a failed check. */
  readonly looks: number;
  /** Since when it is judged by `measured`. Epoch milliseconds, whole seconds. */
  readonly sinceMs: number;
  /** What is measured: the version, as `status.lastAppliedSpec` names it, and a digest of the metrics. Empty: not known. */
  readonly measured: { readonly version: string; readonly metrics: string };
  /** Absent: none. */
  readonly mark?: Mark;
  /**
   * Since when the target's pods are without users and stay for what is still open, of `scaleDownDelay`; a condition of its own keeps it. Whole
   * seconds. Absent: they do not.
   */
  readonly drainsSinceMs?: number;
  /** Checks find nothing out, or the primary cannot get what has passed, and the canary is held for it. Absent: it is not. */
  readonly held?: Hold;
}

/**
 * Of a weighted canary. `prepared`: at weight 0, with its pre-rollout tests behind it. `halted`: it has been told that the next traffic waits
 * for approval; at weight 0 its pre-rollout tests are behind it too.
 */
export type Mark = 'prepared' | 'halted';

export interface Hold {
  /** Whole seconds. */
  readonly sinceMs: number;
  readonly cause: 'unknown' | 'unpromotable';
}

type Columns = Pick<CanaryStatus, 'failedChecks' | 'iterations' | 'lastAppliedSpec'>;

/** The state of a status; that of a former agent's, or of Flagger's, where it has none of its own. */
export function analysisOf(status: CanaryStatus): AnalysisState {
  return status.analysis ?? formerAnalysis(status, undefined, 0);
}

/** Nothing is judged yet. */
export function freshAnalysis(spec: CanarySpec, version: string, nowMs: number): AnalysisState {
  const measured = { version, metrics: metricsOf(spec.analysis) };
  return { version: 1, failedChecks: 0, iterations: 0, looks: 0, sinceMs: wholeSeconds(nowMs), measured };
}

/** Whether a release is rolled back for the checks that failed, and for which of them. */
export function failedEnough(
  { failedChecks, consecutive = 0 }: Pick<AnalysisState, 'failedChecks' | 'consecutive'>,
  spec: CanarySpec,
): 'in all' | 'in a row' | undefined {
  const bounds = spec.analysis;
  if (failedChecks >= bounds.threshold) return 'in all';
  return bounds.consecutive !== undefined && consecutive >= bounds.consecutive ? 'in a row' : undefined;
}

/** As `state`, with so many failed checks in a row. */
export function withConsecutive(state: AnalysisState, count: number | undefined): AnalysisState {
  const { consecutive: _before, ...others } = state;
  return count === undefined || count === 0 ? others : { ...others, consecutive: count };
}

/** Looks at one version by one set of metrics are counted; where either has changed, the count begins anew. */
export function ofPresentMetrics(state: AnalysisState, spec: CanarySpec, nowMs: number): AnalysisState {
  const metrics = metricsOf(spec.analysis);
  if (state.measured.metrics === metrics) return state;
  const measured = { ...state.measured, metrics };
  // What is not known has not changed.
  if (state.measured.metrics === '') return { ...state, measured };
  return { ...state, measured, looks: 0, sinceMs: wholeSeconds(nowMs) };
}

/** Marks of agents of before 0.1 in `status.iterations`. */
const formerMarks: ReadonlyMap<number, Mark> = new Map([
  [-1, 'prepared'],
  [-2, 'halted'],
]);

/**
 * What Flagger's columns tell of it, and the condition that says that it is held. An agent of before wrote its marks as negative iterations;
 * Flagger writes -1 where it waits for a promotion.
 */
export function formerAnalysis(
  { failedChecks, iterations, lastAppliedSpec }: Columns,
  held: Hold | undefined,
  sinceMs: number,
): AnalysisState {
  const mark = formerMarks.get(iterations);
  return {
    version: 1,
    failedChecks,
    iterations: Math.max(iterations, 0),
    looks: 0,
    sinceMs: wholeSeconds(sinceMs),
    measured: { version: lastAppliedSpec, metrics: '' },
    ...(mark === undefined ? {} : { mark }),
    ...(held === undefined ? {} : { held }),
  };
}

/** As text for a condition of the status. */
export function renderAnalysis({ sinceMs, held, drainsSinceMs: _ofAnotherCondition, ...state }: AnalysisState): string {
  const kept = held && { cause: held.cause, since: rfc3339(held.sinceMs) };
  return JSON.stringify({ ...state, since: rfc3339(sinceMs), ...(kept ? { held: kept } : {}) });
}

/** More than this is not ours. */
const maxLength = 2_000;

/** Undefined where it is none of this version, or not of these columns: somebody else has written them since. */
export function parseAnalysis(text: string, columns: Columns): AnalysisState | undefined {
  if (text.length > maxLength) return undefined;
  let given: Readonly<Record<string, unknown>>;
  try {
    given = jsonOf(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { version, failedChecks, consecutive, iterations, looks, since, mark } = given;
  const { version: judged, metrics } = jsonOf(given['measured']);
  const sinceMs = timeOf(since);
  const held = holdOf(given['held']);
  const isOurs =
    version === 1 &&
    isCount(looks) &&
    Number.isFinite(sinceMs) &&
    typeof metrics === 'string' &&
    (mark === undefined || mark === 'prepared' || mark === 'halted') &&
    (consecutive === undefined || isCount(consecutive)) &&
    (given['held'] === undefined || held !== undefined);
  const isOfThese =
    failedChecks === columns.failedChecks && iterations === columns.iterations && judged === columns.lastAppliedSpec;
  if (!isOurs || !isOfThese) return undefined;
  return {
    version,
    failedChecks: columns.failedChecks,
    ...(consecutive === undefined || consecutive === 0 ? {} : { consecutive }),
    iterations: columns.iterations,
    looks,
    sinceMs,
    measured: { version: columns.lastAppliedSpec, metrics },
    ...(mark === undefined ? {} : { mark }),
    ...(held === undefined ? {} : { held }),
  };
}

function holdOf(value: unknown): Hold | undefined {
  const { since, cause } = jsonOf(value);
  const sinceMs = timeOf(since);
  if (!Number.isFinite(sinceMs) || (cause !== 'unknown' && cause !== 'unpromotable')) return undefined;
  return { sinceMs, cause };
}

const timeOf = (text: unknown): number => Date.parse(typeof text === 'string' ? text : '');
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const wholeSeconds = (ms: number): number => (Number.isFinite(ms) ? Math.floor(ms / 1_000) * 1_000 : 0);

/** What a canary is measured by, short. */
const metricsOf = perObject(({ metrics }: CanarySpec['analysis']): string => shortHash(canonicalJson(metrics)));
