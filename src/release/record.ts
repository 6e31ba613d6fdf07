import type { Evidence } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { RecordedOutcome, ReleaseRecord, ReleaseStrategy } from './types.ts';

/** Annotation of the Canary that holds its release under way, so that a restart goes on with it. */
export const releaseAnnotation = 'serin.dev/release';

/** Annotations are limited to 256 KiB together; the evidence of a long release is thinned to stay far below. */
const maxEvidence = 60;
/** Characters of what a metrics provider or a webhook said. */
const maxText = 300;
const maxSupersedes = 50;
const maxChanges = 21;
/** Lines of what is told of pods that did not start. */
const maxDetail = 12;

export function renderRecord(record: ReleaseRecord): string {
  const { unwritten = [], ...own } = record;
  // The longer Git takes nothing, the less each of the releases that wait may tell.
  const limit = Math.max(6, Math.floor(maxEvidence / (unwritten.length + 1)));
  const waiting = unwritten.map((release) => thinned(release, limit));
  return JSON.stringify({ ...thinned(own, limit), ...(waiting.length === 0 ? {} : { unwritten: waiting }) });
}

function thinned(whole: ReleaseRecord, limit: number): ReleaseRecord {
  const supersedes = whole.supersedes.slice(-maxSupersedes);
  const { supersededAt, changes } = whole;
  const record = {
    ...whole,
    supersedes,
    ...(supersededAt ? { supersededAt: pick(supersededAt, supersedes) } : {}),
    ...(changes ? { changes: changes.slice(0, maxChanges).map((change) => change.slice(0, maxText)) } : {}),
  };
  const { outcome, evidence } = record;
  return {
    ...record,
    ...(evidence ? { evidence: some(evidence, limit) } : {}),
    ...(outcome ? { outcome: thinnedOutcome(outcome, limit) } : {}),
  };
}

function pick<T>(values: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key)));
}

function thinnedOutcome(outcome: RecordedOutcome, limit: number): RecordedOutcome {
  const { failedCheck, evidence } = outcome;
  const detail = failedCheck?.detail?.slice(0, maxDetail).map((line) => line.slice(0, maxText));
  return {
    ...outcome,
    evidence: some(evidence, limit),
    ...(failedCheck && detail ? { failedCheck: { ...failedCheck, detail } } : {}),
  };
}

/** The first and the last. */
function some(all: readonly Evidence[], limit: number): readonly Evidence[] {
  const half = Math.floor(limit / 2);
  const left = all.length <= limit ? all : [...all.slice(0, half), ...all.slice(-half)];
  return left.map(({ checks, ...look }) => ({
    ...look,
    checks: checks.map((check) => ({ ...check, text: check.text.slice(0, maxText) })),
  }));
}

/** Undefined where there is none, or where it is not one of ours: then the release is simply not known. */
export function readRecord(canary: KubeObject): ReleaseRecord | undefined {
  const text = canary.metadata.annotations?.[releaseAnnotation];
  if (text === undefined) return undefined;
  try {
    return recordOf(JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): ReleaseRecord | undefined {
  if (!isRecord(value) || !hasTexts(value, ['id', 'revision', 'base', 'content'])) return undefined;
  const { outcome, evidence = [], unwritten = [], supersedes = [], startedAtMs = 0 } = value;
  if (outcome !== undefined && !isOutcome(outcome)) return undefined;
  if (!Array.isArray(evidence) || !Array.isArray(unwritten) || !Array.isArray(supersedes)) return undefined;
  const waiting = unwritten.flatMap((release: unknown) => recordOf(release) ?? []);
  const { supersededAt, changes, ...rest } = value as unknown as ReleaseRecord;
  return {
    ...rest,
    ...(isRecord(supersededAt) && hasTexts(supersededAt, Object.keys(supersededAt)) ? { supersededAt } : {}),
    ...(areTexts(changes) ? { changes } : {}),
    startedAtMs: typeof startedAtMs === 'number' ? startedAtMs : 0,
    supersedes: supersedes.map(String),
    ...(waiting.length === 0 ? {} : { unwritten: waiting }),
  };
}

function isOutcome(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { verdict, atMs, evidence, state, failedCheck, strategy, takenBackAt } = value;
  const isState = isRecord(state) && hasTexts(state, ['revision', 'content', 'templateHash']);
  return (
    (verdict === 'promoted' || verdict === 'rolled-back' || verdict === 'withdrawn') &&
    (takenBackAt === undefined || typeof takenBackAt === 'string') &&
    typeof atMs === 'number' &&
    Array.isArray(evidence) &&
    (failedCheck === undefined || isFailedCheck(failedCheck)) &&
    (strategy === undefined || strategies.has(strategy)) &&
    isState &&
    isRecord(state['images']) &&
    isRecord(state['configs'])
  );
}

const strategies: ReadonlySet<unknown> = new Set<ReleaseStrategy>([
  'canary',
  'a/b',
  'blue/green',
  'mirrored blue/green',
  'none',
]);
const areTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

function isFailedCheck(value: unknown): boolean {
  return (
    isRecord(value) &&
    hasTexts(value, ['name', 'reason']) &&
    (value['detail'] === undefined || areTexts(value['detail']))
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const hasTexts = (value: Record<string, unknown>, fields: readonly string[]): boolean =>
  fields.every((field) => typeof value[field] === 'string');
