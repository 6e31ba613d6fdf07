import { asRevision, type Revision } from '../git/repo.ts';
import { bytesOf, thinned } from './record.ts';
import type { ReleaseRecord } from './types.ts';

/*
 * The outcomes of one app that Git does not tell yet. They stand in the record of its release, which is one object of Kubernetes, so they
 * are bounded in number and in bytes: what Git takes nothing of for long loses its oldest, with a count.
 */

/** Outcomes of earlier releases that wait, at most. */
export const keptReleases = 64;
const keptBytes = 256 * 1024;
/** Looks that one of them may tell, and its bytes. */
const keptLooks = 8;
const keptReleaseBytes = 16 * 1024;

type Waiting = Pick<ReleaseRecord, 'unwritten' | 'dropped'>;

/** What waits once the next release takes this one's place. The last promotion is never dropped: it says what runs. */
export function keep(record: ReleaseRecord): Waiting {
  const { unwritten = [], dropped = 0, ...own } = record;
  const isOpen = own.outcome === undefined || own.outcome.written !== undefined;
  const waiting = isOpen ? [...unwritten] : [...unwritten, thinned(own, keptLooks, keptReleaseBytes)];
  const stable = waiting.findLast(({ outcome }) => outcome?.verdict === 'promoted');
  let bytes = waiting.reduce((sum, release) => sum + bytesOf(release), 0);
  let lost = 0;
  while (waiting.length > 1 && (waiting.length > keptReleases || bytes > keptBytes)) {
    const at = waiting[0] === stable ? 1 : 0;
    const [oldest] = waiting.splice(at, 1);
    bytes -= bytesOf(oldest);
    lost += 1;
  }
  const all = dropped + lost;
  return { ...(waiting.length === 0 ? {} : { unwritten: waiting }), ...(all === 0 ? {} : { dropped: all }) };
}

/** Releases whose outcome is not in Git yet, oldest first. */
export function list(record: ReleaseRecord): readonly ReleaseRecord[] {
  const { unwritten = [], dropped: _dropped, ...own } = record;
  return own.outcome && own.outcome.written === undefined ? [...unwritten, own] : unwritten;
}

/** The record after the outcome of one of its releases has landed. Undefined: it knows no such release. */
export function settle(record: ReleaseRecord, releaseId: string, revision: Revision): ReleaseRecord | undefined {
  const { unwritten = [], ...own } = record;
  const left = unwritten.filter(({ id }) => id !== releaseId);
  const rest = left.length === 0 ? {} : { unwritten: left };
  if (own.id === releaseId && own.outcome) {
    const { blocked: _blocked, ...outcome } = own.outcome;
    return { ...own, ...rest, outcome: { ...outcome, written: asRevision(revision) } };
  }
  return left.length === unwritten.length ? undefined : { ...own, ...rest };
}
