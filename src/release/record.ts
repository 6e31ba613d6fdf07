import type { KubeObject } from '../manifest/types.ts';
import type { ReleaseRecord } from './types.ts';

/** Annotation of the Canary that holds its release under way, so that a restart goes on with it. */
export const releaseAnnotation = 'serin.dev/release';

/** Annotations are limited to 256 KiB together; the evidence of a long release is thinned to stay far below. */
const maxEvidence = 60;

export function renderRecord(record: ReleaseRecord): string {
  const { outcome } = record;
  if (!outcome || outcome.evidence.length <= maxEvidence) return JSON.stringify(record);
  const first = outcome.evidence.slice(0, maxEvidence / 2);
  const last = outcome.evidence.slice(-maxEvidence / 2);
  return JSON.stringify({ ...record, outcome: { ...outcome, evidence: [...first, ...last] } });
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
