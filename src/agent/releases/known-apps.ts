import type { App } from '../../canary/app.ts';
import { changesBetween } from '../../canary/changes.ts';
import type { Phase } from '../../canary/types.ts';
import type { Revision } from '../../git/repo.ts';
import { type AppKey, keyOf, shownKey } from '../../lib/key.ts';
import { list } from '../../release/outbox.ts';
import { releaseId } from '../../release/release-id.ts';
import type { Outcome, ReleaseRecord } from '../../release/types.ts';
import type { AppliedApps } from './applied-apps.ts';
import type { LedgerView } from './ledgers.ts';
import { createSeenContents } from './seen-contents.ts';
import { type AppTrack, overlayOf, type StableState, trackApp } from './tracker.ts';

/** A release that would begin, or is under way. */
type Candidate = Pick<ReleaseRecord, 'id' | 'revision' | 'base' | 'content'> & Pick<Required<ReleaseRecord>, 'images'>;

/** What Git says of apps, commit by commit, and which of it is stable, applied, or to be judged. */
export interface KnownApps {
  /** Git was looked at since the start. */
  readonly isReady: boolean;
  /** It is known what Git says of the app, or said last: also that it does not say it. */
  isLookedAt(key: AppKey): boolean;
  /** As Git says the app at the tip; undefined: it does not. */
  app(key: AppKey): App | undefined;
  track(key: AppKey): AppTrack | undefined;
  /** The last promoted state, also one that its ledger does not tell yet. */
  stableOf(key: AppKey): StableState | undefined;
  /** Revision that this app's documents are to be taken from; undefined: the tip. */
  overlay(key: AppKey, phase: Phase | undefined): Revision | undefined;
  /** Whether all that Git says of the app's judged objects stands in the cluster. */
  isApplied(key: AppKey, phase: Phase | undefined): boolean;
  /** The release that what runs now belongs to. Undefined: none that Git knows of. */
  candidateOf(key: AppKey, phase: Phase | undefined): Candidate | undefined;
  /** Takes over a fetched revision; see `Releases.advance`. Gives the apps that Git does not say any more. */
  advance(
    tip: Revision,
    found: readonly App[],
    landed: ReadonlySet<AppKey>,
    isUnread?: (key: AppKey) => boolean,
  ): readonly AppKey[];
  /** An outcome has landed, and the sync may not have seen it yet. */
  landed(outcome: Outcome): void;
  landedOutcomes(): ReadonlySet<AppKey>;
  /** The tip that was taken over since has what had landed. */
  seen(landed: ReadonlySet<AppKey>): void;
  /** What a record that is believed says was promoted is stable. */
  believe(key: AppKey, record: ReleaseRecord): void;
  /** The release of this record was promoted. */
  promoted(key: AppKey, record: Pick<ReleaseRecord, 'content' | 'revision'>): void;
  /** What Git says at the tip is stable from now on, without a release. */
  adopt(key: AppKey): void;
  /** Paths and names that differ between what is stable and this content; undefined: that is not known. */
  changesTo(key: AppKey, content: string): ReturnType<typeof changesBetween> | undefined;
  /** What a person is told when a version that failed before is tried again. */
  failedBefore(key: AppKey): string | undefined;
}

export interface KnownAppsOptions {
  /** Stable states and quarantine as the ledgers tell them. */
  readonly ledger: (key: AppKey) => LedgerView | undefined;
  readonly recordOf: (key: AppKey) => ReleaseRecord | undefined;
  /** Absent: all is applied. */
  readonly applied: AppliedApps | undefined;
}

/** Where a revert has gone by unseen, the version that it took back, if it is there again, was pushed once more: it is not the old one. */
function afterRevert(track: AppTrack | undefined, landed: Outcome | undefined): AppTrack | undefined {
  if (!track || landed?.verdict !== 'rolled-back' || landed.state.content !== track.content) return track;
  return { ...track, content: '' };
}

export function createKnownApps({ ledger, recordOf, applied }: KnownAppsOptions): KnownApps {
  const tracks = new Map<AppKey, AppTrack>();
  const apps = new Map<AppKey, App>();
  /** As Git last said them with their stable content; missing where it was not read since the start. */
  const stableApps = new Map<AppKey, App>();
  /** Stable states that are known here before their ledger entry has landed. */
  const stables = new Map<AppKey, StableState>();
  /** Outcomes that have landed and that the sync may not have seen yet. */
  const landing = new Map<AppKey, Outcome>();
  const lastSeen = createSeenContents();
  let isReady = false;
  let isUnknown: (key: AppKey) => boolean = () => false;
  const isLookedAt = (key: AppKey): boolean => isReady && (tracks.has(key) || !isUnknown(key));

  const stableOf = (key: AppKey): StableState | undefined => stables.get(key) ?? ledger(key)?.stable;
  const overlay = (key: AppKey, phase: Phase | undefined): Revision | undefined => {
    const track = tracks.get(key);
    const landed = landing.get(key);
    // The tip at hand was asked for before the revert landed: it still says what was rejected.
    if (landed?.verdict === 'rolled-back' && track?.content === landed.state.content) return landed.base;
    return track && overlayOf({ track, stable: stableOf(key), record: recordOf(key), phase });
  };
  /** Git says something of the app that a sync brings to the cluster. */
  const isSynced = (key: AppKey): boolean => apps.get(key)?.target !== undefined && !applied?.isSuspended;

  return {
    get isReady() {
      return isReady;
    },
    isLookedAt,
    app: (key) => apps.get(key),
    track: (key) => tracks.get(key),
    stableOf,
    overlay,
    isApplied(key, phase) {
      const track = tracks.get(key);
      if (!applied || !track || !isSynced(key)) return isLookedAt(key);
      return applied.isApplied(key, { content: track.content, held: overlay(key, phase) });
    },
    candidateOf(key, phase) {
      const [track, app, record] = [tracks.get(key), apps.get(key), recordOf(key)];
      // A Canary that is not in Git runs as with Flagger: there is nothing to write its outcome to.
      if (!track || !app) return undefined;
      if (applied && !isSynced(key)) {
        // Nothing of Git has come to the cluster: what changes there belongs to the release under way, if there is one.
        const isOpen = record && !record.outcome && (!app.target || record.content === track.content);
        return isOpen ? { ...record, images: record.images ?? app.images } : undefined;
      }
      // What runs its canary is not what Git says now (it is held, or somebody changed the cluster by hand): nothing of Git is judged.
      if (stableOf(key)?.content === track.content || (applied && overlay(key, phase) !== undefined)) return undefined;
      const { content, firstSeen: revision, base } = track;
      return { id: releaseId(app.id, content, revision), revision, base, content, images: app.images };
    },
    advance(tip, found, landed, isUnread = () => false) {
      isReady = true;
      isUnknown = isUnread;
      const present = new Set<AppKey>();
      for (const app of found) {
        const key = keyOf(app.id);
        present.add(key);
        apps.set(key, app);
        const input = {
          tip,
          content: app.content,
          previous: landed.has(key) ? afterRevert(tracks.get(key), landing.get(key)) : tracks.get(key),
          stable: stableOf(key),
          record: recordOf(key),
        };
        tracks.set(key, trackApp(input));
        if (input.stable === undefined || input.stable.content === app.content) stableApps.set(key, app);
        lastSeen.note(key, app.content, tip);
      }
      const gone = [...tracks.keys()].filter((key) => !present.has(key) && !isUnread(key));
      for (const key of gone) {
        for (const map of [tracks, apps, stableApps, stables, landing]) map.delete(key);
        lastSeen.forget(key);
      }
      return gone;
    },
    landed: (outcome) => void landing.set(keyOf(outcome.app), outcome),
    landedOutcomes: () => new Set(landing.keys()),
    seen(landed) {
      for (const key of landed) {
        const outcome = landing.get(key);
        landing.delete(key);
        // From now on the ledger tells the stable state, also where a person changes it.
        const isTold = outcome?.verdict !== 'rolled-back' && stables.get(key)?.content === outcome?.state.content;
        if (isTold && ledger(key)?.stable) stables.delete(key);
      }
    },
    believe(key, record) {
      for (const { content, revision, outcome } of list(record))
        if (outcome?.verdict === 'promoted') stables.set(key, { content, revision });
    },
    promoted(key, { content, revision }) {
      const former = stableOf(key);
      stables.set(key, { content, revision });
      const app = apps.get(key);
      if (app?.content === content) stableApps.set(key, app);
      else stableApps.delete(key);
      const track = tracks.get(key);
      // A newer push may be there already: what failed of it goes back to what has just been promoted.
      const base = lastSeen.of(key, content) ?? revision;
      // One that goes back to what was stable before is another release than the one that made it so.
      const isBack = track?.content === former?.content && track?.firstSeen === former?.revision;
      const again = track && isBack ? lastSeen.of(key, track.content) : undefined;
      if (track) tracks.set(key, { ...track, base, firstSeen: again ?? track.firstSeen });
    },
    adopt(key) {
      const track = tracks.get(key);
      if (!track) return;
      stables.set(key, { content: track.content, revision: track.firstSeen });
      tracks.set(key, { ...track, base: lastSeen.of(key, track.content) ?? track.firstSeen });
    },
    changesTo(key, content) {
      const [stable, app] = [stableApps.get(key), apps.get(key)];
      return stable && app?.content === content ? changesBetween(stable, app) : undefined;
    },
    failedBefore(key) {
      const content = tracks.get(key)?.content;
      if (content === undefined) return undefined;
      const images = apps.get(key)?.images ?? {};
      const view = ledger(key);
      const reason = view?.failed({ content, images, templateHash: '' });
      if (reason !== undefined) return `This version of ${shownKey(key)} failed before: ${reason}`;
      const rejected = view?.rejectedImage(images);
      if (!rejected) return undefined;
      const { revision, reason: why } = rejected.entry;
      const where = revision === '' ? '' : ` at ${revision.slice(0, 12)}`;
      return `Image ${rejected.image} of ${shownKey(key)} failed before${where}, with other settings: ${why === '' ? 'in quarantine' : why}`;
    },
  };
}
