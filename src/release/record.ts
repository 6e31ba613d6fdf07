import type { KubeObject } from '../manifest/types.ts';
import type { ReleaseRecord } from './types.ts';

/** Annotation of the Canary that holds its release under way, so that a restart goes on with it. */
export const releaseAnnotation = 'serin.dev/release';

/** Annotations are limited to 256 KiB together; the evidence of a long release is thinned to stay far below. */
const maxEvidence = 60;

export function renderRecord(record: ReleaseRecord): string {
  const { unwritten = [], ...own } = record;
  // The longer Git takes nothing, the less each of the releases that wait may tell.
  const limit = Math.max(6, Math.floor(maxEvidence / (unwritten.length + 1)));
  const waiting = unwritten.map((release) => thinned(release, limit));
  return JSON.stringify({ ...thinned(own, limit), ...(waiting.length === 0 ? {} : { unwritten: waiting }) });
}

function thinned(record: ReleaseRecord, limit: number): ReleaseRecord {
  const { outcome } = record;
  if (!outcome || outcome.evidence.length <= limit) return record;
  const half = Math.floor(limit / 2);
  const evidence = [...outcome.evidence.slice(0, half), ...outcome.evidence.slice(-half)];
  return { ...record, outcome: { ...outcome, evidence } };
}

/** Undefined where there is none, or where it is not one of ours: then the release is simply not known. */
export function readRecord(canary: KubeObject): ReleaseRecord | undefined {
  const text = canary.metadata.annotations?.[releaseAnnotation];
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<ReleaseRecord>;
    const complete =
      typeof value.id === 'string' &&
      typeof value.revision === 'string' &&
      typeof value.base === 'string' &&
      typeof value.content === 'string';
    return complete ? ({ supersedes: [], startedAtMs: 0, ...value } as ReleaseRecord) : undefined;
  } catch {
    return undefined;
  }
}
