import { isRecord } from '../lib/json.ts';
import { readLoad } from '../canary/evidence.ts';
import { linesOf, textOf } from '../canary/evidence-text.ts';
import type { CheckResult, Evidence, FailedCheck, Finding, Measurement, MetricSource } from '../canary/types.ts';

/*
 * Evidence in the record of a release. Beside each finding stands its text, for an agent of before that may be put back; it is never read
 * where the finding is there.
 */

/** Characters of what a metrics provider or a webhook said. */
const maxText = 300;
const maxName = 200;
/** Lines of what is told of pods that did not start. */
const maxLines = 12;

/** Looks as they are kept: cut, and with their texts. */
export function keptEvidence(looks: readonly Evidence[]): readonly Evidence[] {
  return looks.map(({ checks, ...look }) => ({ ...look, checks: checks.map(keptCheck) }));
}

function keptCheck({ found, ...check }: CheckResult): CheckResult & { readonly text: string } {
  const kept = { ...check, name: check.name.slice(0, maxName), found: cut(found, maxText) };
  return { ...kept, text: textOf(kept).slice(0, maxText) };
}

export function keptFailedCheck({
  name,
  found,
}: FailedCheck): FailedCheck & { readonly reason: string; readonly detail?: readonly string[] } {
  const check = { name: name.slice(0, maxName), found: cut(found, 2 * maxText) };
  const lines = linesOf(check.found);
  const reason = textOf(check).slice(0, 2 * maxText);
  return { ...check, reason, ...(lines.length === 0 ? {} : { detail: lines }) };
}

/** Undefined where it is none. */
export function readEvidence(value: unknown): readonly Evidence[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const looks = value.map((look: unknown): Evidence | undefined => {
    if (!isRecord(look) || !Array.isArray(look['checks'])) return undefined;
    const { atMs, canaryWeight, iterations } = look;
    if (typeof atMs !== 'number' || typeof canaryWeight !== 'number' || typeof iterations !== 'number')
      return undefined;
    const checks = look['checks'].map(readCheck);
    return checks.every((check) => check !== undefined) ? { atMs, canaryWeight, iterations, checks } : undefined;
  });
  return looks.every((look) => look !== undefined) ? looks : undefined;
}

export function readFailedCheck(value: unknown): FailedCheck | undefined {
  if (!isRecord(value) || typeof value['name'] !== 'string') return undefined;
  const { name, reason, detail } = value;
  const found = readFinding(value['found']);
  if (found) return { name, found };
  if (typeof reason !== 'string' || (detail !== undefined && !areTexts(detail))) return undefined;
  return { name, found: { kind: 'said', text: reason, ...(detail === undefined ? {} : { lines: detail }) } };
}

function readCheck(value: unknown): CheckResult | undefined {
  if (!isRecord(value) || typeof value['name'] !== 'string') return undefined;
  const { name, passed, inconclusive, text } = value;
  const read = readFinding(value['found']);
  if (!read && typeof text !== 'string') return undefined;
  const found: Finding = read ?? { kind: 'said', text: String(text) };
  const action = actions.find((one) => one === inconclusive);
  return { name, passed: passed === true, ...(action === undefined ? {} : { inconclusive: action }), found };
}

const actions = ['fail', 'hold', 'pass'] as const;

/** What others have said is cut. */
function cut(found: Finding, max: number): Finding {
  switch (found.kind) {
    case 'no-data':
    case 'asked':
      return { ...found, reason: found.reason.slice(0, max) };
    case 'unanswered':
      return { ...found, text: found.text.slice(0, max) };
    case 'hook':
      return found.refusal === undefined ? found : { ...found, refusal: found.refusal.slice(0, max) };
    case 'pods':
      return { ...found, summary: found.summary.slice(0, max), lines: cutLines(found.lines) };
    case 'not-ready':
    case 'unpromotable':
      return { ...found, why: found.why.slice(0, max) };
    case 'said': {
      const { text, lines } = found;
      return { ...found, text: text.slice(0, max), ...(lines === undefined ? {} : { lines: cutLines(lines) }) };
    }
    default:
      return found;
  }
}

const cutLines = (lines: readonly string[]): readonly string[] =>
  lines.slice(0, maxLines).map((line) => line.slice(0, maxText));

/** Undefined where it is none that is known here. */
function readFinding(value: unknown): Finding | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, metric, cause, reason, text, refusal, role, summary, lines, why, count, consecutive, forMs } = value;
  const known = metrics.find((one) => one === metric);
  const whose = roles.find((one) => one === role);
  switch (kind) {
    case 'measured': {
      const measurement = readMeasurement(value['measurement']);
      return known && measurement && { kind, metric: known, measurement };
    }
    case 'no-data': {
      if (!known || (cause !== 'noTraffic' && cause !== 'noSeries') || typeof reason !== 'string') return undefined;
      const source = readSource(value['source']);
      return { kind, metric: known, cause, reason, ...(source ? { source } : {}) };
    }
    case 'unanswered':
      return typeof text === 'string' ? { kind, text } : undefined;
    case 'said':
      return typeof text === 'string' ? { kind, text, ...(areTexts(lines) ? { lines } : {}) } : undefined;
    case 'hook':
      if (refusal === undefined) {
        const load = readLoad(value['load']);
        return load ? { kind, load } : { kind };
      }
      return typeof refusal === 'string' ? { kind, refusal } : undefined;
    case 'pods':
      return whose && typeof summary === 'string' && areTexts(lines)
        ? { kind, role: whose, summary, lines }
        : undefined;
    case 'not-ready':
      return whose && typeof why === 'string' ? { kind, role: whose, why } : undefined;
    case 'unpromotable':
      return typeof why === 'string' ? { kind, why } : undefined;
    case 'failed-checks':
      if (typeof count !== 'number') return undefined;
      return { kind, count, ...(typeof consecutive === 'number' ? { consecutive } : {}) };
    case 'metrics-lost':
      return typeof forMs === 'number' ? { kind, forMs } : undefined;
    case 'asked': {
      const { act, by, reason: why } = value;
      const known = askedActs.find((one) => one === act);
      return known && typeof by === 'string' && typeof why === 'string'
        ? { kind, act: known, by, reason: why }
        : undefined;
    }
    case 'unknown-metric':
    case 'approved':
    case 'called-back':
    case 'ended-before':
      return { kind };
    default:
      return undefined;
  }
}

const askedActs = ['approve', 'hold', 'resume', 'promote', 'abort'] as const;
const metrics = ['success-rate', 'duration', 'query', 'template'] as const;
const roles = ['primary', 'canary'] as const;
const units = ['percent', 'milliseconds', 'own'] as const;

function readMeasurement(given: unknown): Measurement | undefined {
  if (!isRecord(given)) return undefined;
  const unit = units.find((one) => one === given['unit']);
  const side = roles.find((one) => one === given['side']);
  // JSON has no NaN.
  const value = given['value'] === null ? Number.NaN : given['value'];
  const { min, max, broken } = given;
  const isBound = (bound: unknown): bound is number | undefined => bound === undefined || typeof bound === 'number';
  if (!unit || !side || typeof value !== 'number' || !isBound(min) || !isBound(max)) return undefined;
  return {
    value,
    unit,
    side,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(broken === 'min' || broken === 'max' ? { broken } : {}),
    ...readSource(given),
  };
}

function readSource(given: unknown): MetricSource | undefined {
  if (!isRecord(given)) return undefined;
  const { provider, query, windowMs, measuredAtMs } = given;
  if (typeof provider !== 'string' || typeof windowMs !== 'number' || typeof measuredAtMs !== 'number')
    return undefined;
  return { provider, windowMs, measuredAtMs, ...(typeof query === 'string' ? { query } : {}) };
}

const areTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');
