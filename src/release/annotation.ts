import { namedText } from '../canary/evidence-text.ts';
import { list } from './outbox.ts';
import { oneLine } from './plain-text.ts';
import type { RecordedOutcome, ReleaseRecord } from './types.ts';

const maxImages = 20;
const maxText = 300;

/**
 * What people read of a release on its Canary, as JSON of some hundred bytes. Nobody reads it back: whoever may change a Canary may
 * write there what he likes.
 */
export function renderAnnotation(record: ReleaseRecord): string {
  const { id, revision, startedAtMs, images = {}, outcome, dropped } = record;
  const waiting = list(record).length;
  return JSON.stringify({
    release: id,
    revision,
    since: time(startedAtMs),
    images: Object.fromEntries(
      Object.entries(images)
        .slice(0, maxImages)
        .map(([container, image]) => [container, told(image)]),
    ),
    ...(outcome ? { outcome: toldOutcome(outcome) } : {}),
    ...(waiting === 0 ? {} : { waitingForGit: waiting }),
    ...(dropped === undefined ? {} : { dropped }),
  });
}

function toldOutcome({ verdict, atMs, failedCheck, written, blocked }: RecordedOutcome) {
  return {
    verdict,
    at: time(atMs),
    ...(failedCheck ? { failedCheck: told(namedText(failedCheck)) } : {}),
    ...(written === undefined ? {} : { written }),
    ...(written === undefined && blocked !== undefined ? { blocked: told(blocked) } : {}),
  };
}

const told = (text: string): string => oneLine(text.slice(0, 2 * maxText), maxText);
const time = (ms: number): string =>
  Math.abs(ms) < 8.64e15 ? `${new Date(ms).toISOString().slice(0, 19)}Z` : 'not known';
