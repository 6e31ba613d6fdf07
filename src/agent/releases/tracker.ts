import { isInitialized } from '../../canary/phase.ts';
import type { Phase } from '../../canary/types.ts';
import type { Revision } from '../../git/repo.ts';
import type { ReleaseRecord } from '../../release/types.ts';

/** What is known of an app's content along the commits that were synced. */
export interface AppTrack {
  /** Content hash at the last synced revision. */
  readonly content: string;
  /** First synced revision with this content. */
  readonly firstSeen: Revision;
  /** Last synced revision at which the app had its stable content: what a revert goes back to. */
  readonly base: Revision;
}

/** What was last promoted (or adopted), from the ledger. */
export interface StableState {
  readonly content: string;
  readonly revision: Revision;
}

export interface TrackInput {
  readonly tip: Revision;
  readonly content: string;
  readonly previous: AppTrack | undefined;
  readonly stable: StableState | undefined;
  /** The record of its release; only looked at after a start. */
  readonly record: ReleaseRecord | undefined;
}

/** Carries the track of one app over to a newly synced revision. */
export function trackApp({ tip, content, previous, stable, record }: TrackInput): AppTrack {
  const isStable = stable !== undefined && stable.content === content;
  if (previous === undefined) {
    if (stable === undefined) return { content, firstSeen: tip, base: tip };
    if (isStable) return { content, firstSeen: stable.revision, base: tip };
    const back = record && takenBackAt(record);
    // Somebody has pushed it once more after it was taken back.
    if (record?.content === content && back !== undefined) return { content, firstSeen: tip, base: back };
    if (record && record.content === content) return { content, firstSeen: record.revision, base: record.base };
    return { content, firstSeen: tip, base: stable.revision };
  }
  const firstSeen = previous.content === content ? previous.firstSeen : tip;
  if (isStable) return { content, firstSeen, base: tip };
  if (previous.content === content && stable === undefined) return { content, firstSeen, base: tip };
  return { content, firstSeen, base: previous.base };
}

/** Where Git said again what it had said before this release, by the agent's hand or somebody's. Undefined: nowhere yet. */
function takenBackAt({ outcome, base }: ReleaseRecord): Revision | undefined {
  if (outcome?.verdict === 'rolled-back') return outcome.written;
  return outcome?.verdict === 'withdrawn' ? (outcome.takenBackAt ?? base) : undefined;
}

export interface OverlayInput {
  readonly track: AppTrack;
  readonly stable: StableState | undefined;
  readonly record: ReleaseRecord | undefined;
  /** Undefined: the cluster has no such Canary yet. */
  readonly phase: Phase | undefined;
}

/**
 * Which revision an app's documents are taken from instead of the tip's; undefined: the tip's.
 * 1. A rolled back release whose revert has not landed: the rejected content is not applied again, the cluster stays stable.
 * 2. A cluster without the app's primary: it is rebuilt at the stable state, the tip's content runs its canary afterwards.
 */
export function overlayOf({ track, stable, record, phase }: OverlayInput): Revision | undefined {
  const outcome = record?.outcome;
  if (record && outcome?.verdict === 'rolled-back' && outcome.written === undefined && track.content === record.content)
    return record.base;
  const notThere = phase === undefined || !isInitialized(phase);
  if (notThere && stable !== undefined && stable.content !== track.content) return stable.revision;
  return undefined;
}
