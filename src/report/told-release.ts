import { namedText } from '../canary/evidence-text.ts';
import { isOf } from '../canary/recorded.ts';
import type { CanaryStatus } from '../canary/types.ts';
import { isRecord, jsonOf, numberOf, textOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import { oneLine } from '../release/plain-text.ts';
import { releaseAnnotation } from '../release/record.ts';
import type { ReleaseRecord } from '../release/types.ts';
import type { AppFacts, ShownRelease } from './types.ts';

const maxAnnotation = 64 * 1024;
const maxImages = 20;
const maxText = 300;

/**
 * The release that was recorded last: from its record where that may be read, else from what the Canary tells of it, which whoever may patch
 * the Canary may have written. Undefined: none is known.
 */
export function toldRelease({ canary, record }: Pick<AppFacts, 'canary' | 'record'>): ShownRelease | undefined {
  return record ? ofRecord(record) : ofAnnotation(own(canary.metadata.annotations ?? {}, releaseAnnotation));
}

/** What a request for what is under way has to name (see canary/requests.ts). */
export function requestFor(facts: Pick<AppFacts, 'canary' | 'record'>, status: CanaryStatus): string {
  const { record } = facts;
  if (record) {
    const isThis = record.outcome === undefined && record.judged !== undefined && isOf(record.judged, status);
    return isThis ? record.id : status.lastAppliedSpec;
  }
  const told = toldRelease(facts);
  return told && told.outcome === undefined ? told.id : status.lastAppliedSpec;
}

function ofRecord({ id, revision, startedAtMs, images, outcome }: ReleaseRecord): ShownRelease {
  return {
    id,
    revision,
    sinceMs: startedAtMs,
    images: plainImages(images ?? outcome?.state.images ?? {}),
    ...(outcome
      ? {
          outcome: {
            verdict: outcome.verdict,
            atMs: outcome.atMs,
            ...(outcome.failedCheck ? { failedCheck: told(namedText(outcome.failedCheck)) } : {}),
            ...(outcome.written === undefined ? {} : { commit: outcome.written }),
            ...(outcome.written === undefined && outcome.blocked !== undefined
              ? { blocked: told(outcome.blocked) }
              : {}),
          },
        }
      : {}),
  };
}

function ofAnnotation(text: string | undefined): ShownRelease | undefined {
  if (text === undefined || text.length > maxAnnotation) return undefined;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(given)) return undefined;
  const id = textOf(given['release']);
  if (id === undefined || !/^[0-9a-f]{1,64}$/.test(id)) return undefined;
  const { since, revision } = given;
  const outcome = outcomeOf(given['outcome']);
  return {
    id,
    ...(isHash(revision) ? { revision } : {}),
    ...timed('sinceMs', since),
    images: plainImages(jsonOf(given['images'])),
    ...(outcome ? { outcome } : {}),
  };
}

function outcomeOf(value: unknown): ShownRelease['outcome'] {
  if (!isRecord(value)) return undefined;
  const { verdict, at, failedCheck, written, blocked } = value;
  if (verdict !== 'promoted' && verdict !== 'rolled-back' && verdict !== 'withdrawn') return undefined;
  return {
    verdict,
    ...timed('atMs', at),
    ...(typeof failedCheck === 'string' ? { failedCheck: told(failedCheck) } : {}),
    ...(isHash(written) ? { commit: written } : {}),
    ...(typeof blocked === 'string' ? { blocked: told(blocked) } : {}),
  };
}

const isHash = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{7,64}$/.test(value);

function timed<Name extends 'sinceMs' | 'atMs'>(name: Name, value: unknown): { readonly [key in Name]?: number } {
  const ms = typeof value === 'string' && value.length < 40 ? Date.parse(value) : numberOf(value);
  return ms !== undefined && Number.isFinite(ms) ? ({ [name]: ms } as { readonly [key in Name]: number }) : {};
}

function plainImages(images: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const shown = Object.entries(images)
    .slice(0, maxImages)
    .flatMap(([container, image]) => (typeof image === 'string' ? [[told(container), told(image)] as const] : []));
  return Object.fromEntries(shown);
}

export const told = (text: string): string => oneLine(text, maxText);
