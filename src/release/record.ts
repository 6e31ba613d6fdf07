import { isRecord } from '../lib/json.ts';
import { askedOf } from '../canary/evidence.ts';
import type { Evidence } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { keptEvidence, keptFailedCheck, readEvidence, readFailedCheck } from './evidence-record.ts';
import type { RecordedOutcome, ReleaseRecord, ReleaseStrategy } from './types.ts';

/** Looks of a release that its record keeps, the first and the last. */
const maxLooks = 60;
/** Of what people asked for, beside these. */
const maxAsked = 10;
const maxText = 300;
const maxSupersedes = 50;
const maxChanges = 21;
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
  return {
    ...outcome,
    evidence: some(evidence, limit),
    ...(failedCheck ? { failedCheck: keptFailedCheck(failedCheck) } : {}),
    ...(blocked === undefined ? {} : { blocked: blocked.slice(0, 2 * maxText) }),
  };
}

/** The first and the last, and what people asked for in between. */
function some(all: readonly Evidence[], limit: number): readonly Evidence[] {
  if (all.length <= limit) return keptEvidence(all);
  const half = Math.floor(limit / 2);
  const last = half === 0 ? [] : all.slice(-half);
  const between = all.slice(half, half === 0 ? undefined : -half).flatMap((look) => askedOf(look) ?? []);
  return keptEvidence([...all.slice(0, half), ...between.slice(-maxAsked), ...last]);
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
  const ended = outcome === undefined ? undefined : readOutcome(outcome);
  const looks = evidence === undefined ? undefined : readEvidence(evidence);
  if ((outcome !== undefined && !ended) || (evidence !== undefined && !looks)) return undefined;
  if (!Array.isArray(unwritten) || !Array.isArray(supersedes)) return undefined;
  const waiting = isWhole ? unwritten.flatMap((release: unknown) => recordOf(release, false) ?? []) : [];
  const {
    supersededAt,
    changes,
    changesTemplate,
    judged,
    images,
    proven,
    dropped: _dropped,
    unwritten: _unwritten,
    outcome: _outcome,
    evidence: _evidence,
    ...rest
  } = value as unknown as ReleaseRecord;
  return {
    ...rest,
    ...(isJudged(judged) ? { judged } : {}),
    ...(areTextsByName(images) ? { images } : {}),
    ...(isRecord(proven) && hasTexts(proven, ['releaseId', 'at']) ? { proven } : {}),
    ...(areTextsByName(supersededAt) ? { supersededAt } : {}),
    ...(areTexts(changes) ? { changes } : {}),
    ...(changesTemplate === true ? { changesTemplate } : {}),
    startedAtMs: typeof startedAtMs === 'number' ? startedAtMs : 0,
    supersedes: supersedes.map(String),
    ...(looks ? { evidence: looks } : {}),
    ...(ended ? { outcome: ended } : {}),
    ...(waiting.length === 0 ? {} : { unwritten: waiting }),
    ...(typeof dropped === 'number' && dropped > 0 ? { dropped } : {}),
  };
}

function readOutcome(value: unknown): RecordedOutcome | undefined {
  if (!isRecord(value)) return undefined;
  const { verdict, atMs, state, strategy, takenBackAt, written, blocked } = value;
  const isState = isRecord(state) && hasTexts(state, ['revision', 'content', 'templateHash']);
  const isWhole =
    (verdict === 'promoted' || verdict === 'rolled-back' || verdict === 'withdrawn') &&
    [takenBackAt, written, blocked].every((text) => text === undefined || typeof text === 'string') &&
    typeof atMs === 'number' &&
    (strategy === undefined || strategies.has(strategy)) &&
    isState &&
    areTextsByName(state['images']) &&
    areTextsByName(state['configs']);
  const evidence = readEvidence(value['evidence']);
  const failedCheck = readFailedCheck(value['failedCheck']);
  if (!isWhole || !evidence || (value['failedCheck'] !== undefined && !failedCheck)) return undefined;
  const { failedCheck: _read, ...rest } = value as unknown as RecordedOutcome;
  return { ...rest, evidence, ...(failedCheck ? { failedCheck } : {}) };
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

const hasTexts = (value: Record<string, unknown>, fields: readonly string[]): boolean =>
  fields.every((field) => typeof value[field] === 'string');
