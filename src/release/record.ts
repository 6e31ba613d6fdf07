import type { Evidence } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { RecordedOutcome, ReleaseRecord, ReleaseStrategy } from './types.ts';

/** Looks of a release that its record keeps, the first and the last. */
const maxLooks = 60;
/** Characters of what a metrics provider or a webhook said. */
const maxText = 300;
const maxName = 200;
const maxSupersedes = 50;
const maxChanges = 21;
/** Lines of what is told of pods that did not start. */
const maxDetail = 12;
/** Bytes of one release; its evidence is thinned until it fits. */
const maxReleaseBytes = 128 * 1024;
/** More than this is not read: an object of Kubernetes holds less. */
const maxRecordLetters = 2 * 1024 * 1024;

/** The record as text, its own release thinned; those that wait have been thinned when they were kept (see outbox.ts). */
export function renderRecord({ unwritten = [], ...own }: ReleaseRecord): string {
  return JSON.stringify({ ...thinned(own), ...(unwritten.length === 0 ? {} : { unwritten }) });
}

/** One release with as much of its evidence as fits. */
export function thinned(release: ReleaseRecord, looks = maxLooks, bytes = maxReleaseBytes): ReleaseRecord {
  for (let limit = looks; ; limit = Math.floor(limit / 2)) {
    const found = cut(release, limit);
    if (limit === 0 || bytesOf(found) <= bytes) return found;
  }
}

export const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');

function cut(whole: ReleaseRecord, limit: number): ReleaseRecord {
  const supersedes = whole.supersedes.slice(-Math.min(maxSupersedes, Math.max(limit, 10)));
  const { supersededAt, changes, outcome, evidence, ...rest } = whole;
  return {
    ...rest,
    supersedes,
    ...(supersededAt ? { supersededAt: pick(supersededAt, supersedes) } : {}),
    ...(changes ? { changes: changes.slice(0, maxChanges).map((change) => change.slice(0, maxText)) } : {}),
    ...(evidence ? { evidence: some(evidence, limit) } : {}),
    ...(outcome ? { outcome: cutOutcome(outcome, limit) } : {}),
  };
}

function pick<T>(values: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  const wanted = new Set(keys);
  return Object.fromEntries(Object.entries(values).filter(([key]) => wanted.has(key)));
}

function cutOutcome(outcome: RecordedOutcome, limit: number): RecordedOutcome {
  const { failedCheck, blocked, evidence } = outcome;
  const detail = failedCheck?.detail?.slice(0, maxDetail).map((line) => line.slice(0, maxText));
  return {
    ...outcome,
    evidence: some(evidence, limit),
    ...(failedCheck
      ? {
          failedCheck: {
            name: failedCheck.name.slice(0, maxName),
            reason: failedCheck.reason.slice(0, 2 * maxText),
            ...(detail ? { detail } : {}),
          },
        }
      : {}),
    ...(blocked === undefined ? {} : { blocked: blocked.slice(0, 2 * maxText) }),
  };
}

/** The first and the last. */
function some(all: readonly Evidence[], limit: number): readonly Evidence[] {
  const half = Math.floor(limit / 2);
  const left = all.length <= limit ? all : half === 0 ? [] : [...all.slice(0, half), ...all.slice(-half)];
  return left.map(({ checks, ...look }) => ({
    ...look,
    checks: checks.map((check) => ({
      ...check,
      name: check.name.slice(0, maxName),
      text: check.text.slice(0, maxText),
    })),
  }));
}

/** Undefined where it is not one of ours: then the release is simply not known. */
export function parseRecord(text: string): ReleaseRecord | undefined {
  if (text.length > maxRecordLetters) return undefined;
  try {
    return recordOf(JSON.parse(text) as unknown, true);
  } catch {
    return undefined;
  }
}

/** Annotation of the Canary that people read its release from (see annotation.ts). */
export const releaseAnnotation = 'serin.dev/release';

/**
 * What an agent of before 0.1 kept as annotation of the Canary. Whoever may change the Canary may have written it, so nothing of it is
 * believed that Git does not prove. Undefined: there is none.
 */
export function formerRecord({ metadata }: KubeObject): ReleaseRecord | undefined {
  const text = metadata.annotations?.[releaseAnnotation];
  return text === undefined ? undefined : parseRecord(text);
}

function recordOf(value: unknown, isWhole: boolean): ReleaseRecord | undefined {
  if (!isRecord(value) || !hasTexts(value, ['id', 'revision', 'base', 'content'])) return undefined;
  const { outcome, evidence, unwritten = [], supersedes = [], startedAtMs = 0, dropped } = value;
  if (outcome !== undefined && !isOutcome(outcome)) return undefined;
  if (evidence !== undefined && !isEvidence(evidence)) return undefined;
  if (!Array.isArray(unwritten) || !Array.isArray(supersedes)) return undefined;
  const waiting = isWhole ? unwritten.flatMap((release: unknown) => recordOf(release, false) ?? []) : [];
  const {
    supersededAt,
    changes,
    judged,
    images,
    dropped: _dropped,
    unwritten: _unwritten,
    ...rest
  } = value as unknown as ReleaseRecord;
  return {
    ...rest,
    ...(isJudged(judged) ? { judged } : {}),
    ...(areTextsByName(images) ? { images } : {}),
    ...(areTextsByName(supersededAt) ? { supersededAt } : {}),
    ...(areTexts(changes) ? { changes } : {}),
    startedAtMs: typeof startedAtMs === 'number' ? startedAtMs : 0,
    supersedes: supersedes.map(String),
    ...(waiting.length === 0 ? {} : { unwritten: waiting }),
    ...(typeof dropped === 'number' && dropped > 0 ? { dropped } : {}),
  };
}

function isOutcome(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { verdict, atMs, evidence, state, failedCheck, strategy, takenBackAt, written, blocked } = value;
  const isState = isRecord(state) && hasTexts(state, ['revision', 'content', 'templateHash']);
  return (
    (verdict === 'promoted' || verdict === 'rolled-back' || verdict === 'withdrawn') &&
    [takenBackAt, written, blocked].every((text) => text === undefined || typeof text === 'string') &&
    typeof atMs === 'number' &&
    isEvidence(evidence) &&
    (failedCheck === undefined || isFailedCheck(failedCheck)) &&
    (strategy === undefined || strategies.has(strategy)) &&
    isState &&
    areTextsByName(state['images']) &&
    areTextsByName(state['configs'])
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
const areTextsByName = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((one) => typeof one === 'string');
const isJudged = (value: unknown): boolean =>
  isRecord(value) && typeof value['templateHash'] === 'string' && areTextsByName(value['configs']);

function isEvidence(value: unknown): value is readonly Evidence[] {
  const isCheck = (check: unknown): boolean => isRecord(check) && hasTexts(check, ['name', 'text']);
  return (
    Array.isArray(value) &&
    value.every(
      (look) =>
        isRecord(look) &&
        ['atMs', 'canaryWeight', 'iterations'].every((field) => typeof look[field] === 'number') &&
        Array.isArray(look['checks']) &&
        look['checks'].every(isCheck),
    )
  );
}

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
