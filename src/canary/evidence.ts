import { isRecord } from '../lib/json.ts';
import type { InconclusiveAction, InconclusiveCause } from './spec.ts';

/*
 * What a release was judged by, as numbers and names. What people read of it is made in evidence-text.ts and nowhere else, and nothing is
 * ever read back out of a text.
 */

/** What one tick contributes to the evidence of a release. */
export interface Evidence {
  readonly atMs: number;
  readonly canaryWeight: number;
  readonly iterations: number;
  readonly checks: readonly CheckResult[];
}

export interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  /** It found nothing out, and this is what it did by the policy. Absent: it did find out. */
  readonly inconclusive?: InconclusiveAction;
  readonly found: Finding;
}

/** Why a release was rolled back. */
export interface FailedCheck {
  readonly name: string;
  readonly found: Finding;
}

/** Which words a metric is told in: the built-in ones by their own, others by their name. */
export type MetricKind = 'success-rate' | 'duration' | 'query' | 'template';

/** What people ask of a release under way. */
export type AskedAct = 'approve' | 'hold' | 'resume' | 'promote' | 'abort';

export type Finding =
  | { readonly kind: 'measured'; readonly metric: MetricKind; readonly measurement: Measurement }
  /** The provider answers and has no value. `reason`: its own, in words of ours. */
  | {
      readonly kind: 'no-data';
      readonly metric: MetricKind;
      readonly cause: Exclude<InconclusiveCause, 'unreachable'>;
      readonly reason: string;
      /** Absent: not known. */
      readonly source?: MetricSource;
    }
  /** No answer, or one that is no measurement. `text` is the whole message, made where the provider was asked. */
  | { readonly kind: 'unanswered'; readonly text: string }
  /** A metric that is neither built in nor has a query. */
  | { readonly kind: 'unknown-metric' }
  /** A webhook. `refusal`: why it did not agree. Absent: it did. `load`: what it has sent so far. Absent: it sends none, or does not tell. */
  | { readonly kind: 'hook'; readonly refusal?: string; readonly load?: Load }
  /** A gate before the promotion was opened. */
  | { readonly kind: 'approved' }
  /** The pods of a workload do not start, and tell why. Redacted. */
  | {
      readonly kind: 'pods';
      readonly role: 'primary' | 'canary';
      readonly summary: string;
      /** All that is known, line by line, for the body of a commit. */
      readonly lines: readonly string[];
    }
  /** A workload that is not ready in time; `why` without its name. */
  | { readonly kind: 'not-ready'; readonly role: 'primary' | 'canary'; readonly why: string }
  /** So many in all. `consecutive`: it ends for so many in a row. */
  | { readonly kind: 'failed-checks'; readonly count: number; readonly consecutive?: number }
  /** A rollback webhook asked for it. */
  | { readonly kind: 'called-back' }
  /** A person asked for it (see requests.ts); `by` as he calls himself. `reason`: empty where he gave none. */
  | { readonly kind: 'asked'; readonly act: AskedAct; readonly by: string; readonly reason: string }
  /** For so long no provider answered. */
  | { readonly kind: 'metrics-lost'; readonly forMs: number }
  /** It has passed, and the primary cannot get it. */
  | { readonly kind: 'unpromotable'; readonly why: string }
  /** Its outcome was recorded before, and what it failed at is not known any more. */
  | { readonly kind: 'ended-before' }
  /** Only a text is known, as in records of former agents. */
  | { readonly kind: 'said'; readonly text: string; readonly lines?: readonly string[] };

/** What a load tester has sent in this release, by whom it went to. */
export type Load = Readonly<Partial<Record<'canary' | 'primary', LoadFigures>>>;

interface LoadFigures {
  readonly requests: number;
  /** Without an answer, or with one of 500 and above. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

const loadFields = ['requests', 'failed', 'p50Ms', 'p95Ms', 'p99Ms'] as const;

/** Of what a server, or a record, says: numbers only. Undefined: it is no load. */
export function readLoad(value: unknown): Load | undefined {
  if (!isRecord(value)) return undefined;
  const read = (side: 'canary' | 'primary'): Load => {
    const given = Object.hasOwn(value, side) ? value[side] : undefined;
    if (!isRecord(given) || !loadFields.every((field) => isCount(given[field]))) return {};
    const [requests = 0, failed = 0, p50Ms = 0, p95Ms = 0, p99Ms = 0] = loadFields.map((field) => Number(given[field]));
    return { [side]: { requests, failed, p50Ms, p95Ms, p99Ms } };
  };
  const load = { ...read('canary'), ...read('primary') };
  return Object.keys(load).length === 0 ? undefined : load;
}

const isCount = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1e12;

/** One value that a metrics provider gave, and what it was compared with. */
export interface Measurement extends Partial<MetricSource> {
  /** In `unit`. NaN is within no bounds. */
  readonly value: number;
  readonly unit: Unit;
  /** The bounds that it was compared with, in `unit`. Absent: none on this side. */
  readonly min?: number;
  readonly max?: number;
  /** The bound that the value is beyond. Absent: it is within both. */
  readonly broken?: 'min' | 'max';
  /** Whose pods were measured. */
  readonly side: 'canary' | 'primary';
}

/** `own`: whatever unit the query has. */
export type Unit = 'percent' | 'milliseconds' | 'own';

/** How a value came about. Never with the provider's address or credentials. */
export interface MetricSource {
  /** The kind of provider, as a MetricTemplate names it. */
  readonly provider: string;
  /** As it was asked. Absent: it holds what must not be told, or is too long (see analysis/told-query.ts), or an earlier look of the release tells it. */
  readonly query?: string;
  /** The window ends at `measuredAtMs`. */
  readonly windowMs: number;
  readonly measuredAtMs: number;
}

/** A look without the queries that those before it tell, each under the name of its check: most are the same at every look. */
export function withoutToldQueries(look: Evidence, before: readonly Evidence[]): Evidence {
  const told = new Map<string, string>();
  for (const { checks } of before) for (const check of checks) noteQuery(told, check);
  return { ...look, checks: look.checks.map((check) => (noteQuery(told, check) ? withoutQuery(check) : check)) };
}

/** True: it is told already. */
function noteQuery(told: Map<string, string>, { name, found }: CheckResult): boolean {
  const query = sourceOf(found)?.query;
  if (query === undefined || told.get(name) === query) return query !== undefined;
  told.set(name, query);
  return false;
}

function sourceOf(found: Finding): Partial<MetricSource> | undefined {
  if (found.kind === 'measured') return found.measurement;
  return found.kind === 'no-data' ? found.source : undefined;
}

function withoutQuery(check: CheckResult): CheckResult {
  const { found } = check;
  if (found.kind === 'measured') {
    const { query: _told, ...measurement } = found.measurement;
    return { ...check, found: { ...found, measurement } };
  }
  if (found.kind !== 'no-data' || !found.source) return check;
  const { query: _told, ...source } = found.source;
  return { ...check, found: { ...found, source } };
}

/** What people asked for in a look, which is told also where the look itself has been told before. Undefined: nothing. */
export function askedOf(look: Evidence): Evidence | undefined {
  const checks = look.checks.filter(({ found }) => found.kind === 'asked');
  return checks.length === 0 ? undefined : { ...look, checks };
}

/** Whether a person had the rest of the analysis skipped: what was promoted so was not judged to the end. */
export const isSkipped = (looks: readonly Evidence[]): boolean =>
  looks.some(({ checks }) => checks.some(({ found }) => found.kind === 'asked' && found.act === 'promote'));

/** Why a release is about to be rolled back: the last check of its evidence that failed. */
export function lastFailedCheckOf(evidence: readonly Evidence[]): FailedCheck | undefined {
  const failed = evidence
    .flatMap(({ checks }) => checks)
    .findLast(({ passed, inconclusive }) => !passed && inconclusive !== 'hold');
  return failed && { name: failed.name, found: failed.found };
}
