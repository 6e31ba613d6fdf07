import type { OwnWrites } from '../../cluster/own-writes.ts';
import type { App } from '../../canary/app.ts';
import { changesBetween } from '../../canary/changes.ts';
import { lastFailedCheckOf, withoutToldQueries } from '../../canary/evidence.ts';
import { isUnderAnalysis } from '../../canary/phase.ts';
import { isOf, recordedOf } from '../../canary/recorded.ts';
import { parseStatus } from '../../canary/status.ts';
import type { CanaryStatus, Evidence, FailedCheck, Phase, Recorded } from '../../canary/types.ts';
import type { Revision } from '../../git/repo.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, partsOf, shownKey } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { list, settle } from '../../release/outbox.ts';
import { formerRecord } from '../../release/record.ts';
import { releaseId } from '../../release/release-id.ts';
import type { AppState, Outcome, Proof, ReleaseRecord, ReleaseStrategy } from '../../release/types.ts';
import type { AppliedApps } from './applied-apps.ts';
import type { Deps } from '../deps.ts';
import { createFirstRead } from './first-read.ts';
import { ended, followed, isSameState, type Judged, outcomeOf } from './judged-state.ts';
import type { LedgerView } from './ledgers.ts';
import type { Prove, Unproven } from './proof.ts';
import type { RecordStore } from './record-store.ts';
import { createRecords } from './records.ts';
import { createSeenContents } from './seen-contents.ts';
import { type AppTrack, overlayOf, type StableState, trackApp } from './tracker.ts';

const evidenceLimit = 2_000;

interface EndedRelease {
  readonly verdict: 'promoted' | 'rolled-back';
  readonly failedCheck: FailedCheck | undefined;
  /** Absent: not known. */
  readonly strategy?: ReleaseStrategy;
  readonly templateHash: string;
  readonly configs: Readonly<Record<string, string>>;
}

/** What is known of the apps' releases: tracks along the commits, the stable states, the records. */
export interface Releases {
  /**
   * Reads the records, once, after the world was seen; until then nothing else of them is answered rightly. Where an agent of before kept
   * them as annotations, those of these Canaries are looked at this once.
   */
  load(canaries: readonly KubeObject[]): Promise<void>;
  /** Why the records are not read; undefined while nothing is in the way. */
  readonly trouble: string | undefined;
  /** Holds what was read against Git, before `advance`: what Git does not prove is not believed. Rejects where Git cannot be asked. */
  prove(prove: Prove): Promise<void>;
  /** Takes over a newly fetched revision. Called before anything of it is applied. `landed` had landed before Git was asked for it. */
  advance(tip: Revision, apps: readonly App[], landed: ReadonlySet<AppKey>): void;
  /** Apps whose outcome has landed at a commit that `seen` has not told of yet. Asked before Git is. */
  landedOutcomes(): ReadonlySet<AppKey>;
  /** What had landed before Git was asked is in the tip that was taken over since. */
  seen(landed: ReadonlySet<AppKey>): void;
  /** Revision that this app's documents are to be taken from; undefined: the tip. */
  overlay(key: AppKey, phase: Phase | undefined): Revision | undefined;
  /** Whether Git was looked at since the start. Before that it is not known what a new revision is, so none begins. */
  isReady(key: AppKey): boolean;
  /**
   * Whether all that Git says of the app's judged objects stands in the cluster: what differs from it, of an app of which only a part is
   * applied, is no release yet. True for a Canary that is not in Git, and while nothing is applied.
   */
  isApplied(key: AppKey, phase: Phase | undefined): boolean;
  /** Id of the release that a canary in this phase would begin now; empty: one that Git knows nothing of. */
  releaseId(key: AppKey, phase: Phase | undefined): string;
  /**
   * What is judged is `judged` from now on, also where the release is the one that is under way already. Rejects with CLUSTER_CONFLICT where
   * it would be another release than the one that was seen, by `seenId`; absent: whatever it is.
   */
  begin(canary: KubeObject, judged?: Judged, seenId?: string): Promise<void>;
  /** A failed check is also written down, so that a restart can still tell why. Gives whether the Canary was written. */
  note(key: AppKey, evidence: Evidence): Promise<boolean>;
  /** The last check of the release under way that did not pass; undefined where none is known. */
  lastFailedCheck(key: AppKey): FailedCheck | undefined;
  /** What the record says of the release with this status; undefined: nothing that the status does not say. */
  recorded(canary: KubeObject, status: CanaryStatus): Recorded | undefined;
  /** Whether what was rolled back, as this status still says, was pushed once more and applied since: it is a release of its own. */
  isPushedAgain(canary: KubeObject, status: CanaryStatus): boolean;
  /**
   * Whether Git says a version that was rejected and has been pushed once more: also one that the primary runs is judged. True while it is
   * being applied, too: what is there by then must not be taken for what was promoted.
   */
  isRejectedTip(canary: KubeObject, status: CanaryStatus): boolean;
  /** The earlier promotion, told by the ledger, for which the release with this status needs no analysis; undefined: it needs one. */
  proven(canary: KubeObject, status: CanaryStatus): Proof | undefined;
  end(canary: KubeObject, ended: EndedRelease): Promise<void>;
  /** The release under way was taken back in Git before it was judged to the end. Nothing where Git says something else. */
  withdraw(canary: KubeObject): Promise<void>;
  /** An app at rest without a ledger entry: its present state becomes its stable state. */
  adopt(
    canary: KubeObject,
    templateHash: string,
    configs: Readonly<Record<string, string>>,
    /** Content that was looked at; absent: the last synced one. */
    content?: string,
  ): void;
  /**
   * Waits until the records were read, or could not be for a minute: then users are led home from what fails, but no release begins or
   * ends. Where somebody else wrote the Canary's annotation, the record is read again.
   */
  resume(canary: KubeObject): Promise<void>;
  /** A Canary has gone: the record of an app that Git does not have either goes too, once all of it is told. */
  left(key: AppKey): void;
  written(outcome: Outcome, revision: Revision): Promise<void>;
  blocked(outcome: Outcome, reason: string): Promise<void>;
  stableOf(key: AppKey): StableState | undefined;
  /** What a person is told when a version that failed before is tried again. */
  failedBefore(key: AppKey): string | undefined;
}

/** What a canary and its effects ask and tell of releases. */
export type JudgedReleases = Pick<
  Releases,
  | 'isReady'
  | 'isApplied'
  | 'releaseId'
  | 'begin'
  | 'note'
  | 'lastFailedCheck'
  | 'recorded'
  | 'isPushedAgain'
  | 'isRejectedTip'
  | 'proven'
  | 'end'
  | 'withdraw'
  | 'resume'
  | 'failedBefore'
>;

export interface ReleasesOptions {
  readonly deps: Pick<Deps, 'cluster' | 'clock' | 'log'>;
  readonly store: RecordStore;
  /** Which of our notes the watch of Canaries has. */
  readonly own: OwnWrites;
  /** False: outcomes are not written to Git, so those of before a restart are not handed over again. Absent: they are. */
  readonly isWriting?: boolean;
  /** Whether records are held against Git before they are believed. Absent: they are believed. */
  readonly isProving?: boolean;
  /** Whether the cluster has this Canary. Absent: it has. */
  readonly isThere?: (key: AppKey) => boolean;
  /** What a person should know of an app's record. */
  readonly onTold?: (key: AppKey, message: string) => void;
  readonly submit: (outcome: Outcome) => void;
  /** How long what an analysis promoted may be gone back to without another one. Absent: never. */
  readonly rollbackWindowMs?: number | undefined;
  /** Stable states and quarantine as the ledgers tell them. */
  readonly ledger: (key: AppKey) => LedgerView | undefined;
  /** Which apps the sync has applied. Absent: all of them. */
  readonly applied?: AppliedApps;
  readonly signal: AbortSignal;
}

/** Where a revert has gone by unseen, the version that it took back, if it is there again, was pushed once more: it is not the old one. */
function afterRevert(track: AppTrack | undefined, landed: Outcome | undefined): AppTrack | undefined {
  if (!track || landed?.verdict !== 'rolled-back' || landed.state.content !== track.content) return track;
  return { ...track, content: '' };
}

/** A release that has ended and waits for Git. */
const isKept = (record: ReleaseRecord, id: string): boolean => list(record).some((release) => release.id === id);

export function createReleases(options: ReleasesOptions): Releases {
  const { deps, store, submit, ledger, applied, signal, isThere, onTold } = options;
  const { isWriting = true, isProving = false, rollbackWindowMs } = options;
  const { clock, log } = deps;
  const tracks = new Map<AppKey, AppTrack>();
  const apps = new Map<AppKey, App>();
  /** As Git last said them with their stable content; missing where it was not read since the start. */
  const stableApps = new Map<AppKey, App>();
  /** Stable states that are known here before their ledger entry has landed. */
  const stables = new Map<AppKey, StableState>();
  /** Records that were read and not held against Git yet. */
  const unproven = new Map<AppKey, Unproven>();
  const onTaken = (key: AppKey): void => {
    evidence.delete(key);
    if (isProving) unproven.set(key, {});
    else begun(key);
  };
  const records = createRecords({ ...deps, own: options.own }, store, onTaken, signal);
  let isLoaded: Promise<void> | undefined;
  let whenLoaded: () => void = () => undefined;
  const loaded = new Promise<void>((resolve) => (whenLoaded = resolve));
  const evidence = new Map<AppKey, Evidence[]>();
  const submitted = new Set<string>();
  /** Outcomes that have landed and that the sync may not have seen yet. */
  const landing = new Map<AppKey, Outcome>();
  const lastSeen = createSeenContents();

  const stableOf = (key: AppKey): StableState | undefined => stables.get(key) ?? ledger(key)?.stable;

  const recordOf = (canary: KubeObject): ReleaseRecord | undefined => records.get(keyOf(canary.metadata));
  /** An outcome that comes before Git was looked at: people are told why it is not written yet. */
  const waitForGit = (key: AppKey, { outcome }: ReleaseRecord): void => {
    if (!outcome || outcome.written !== undefined || outcome.blocked !== undefined) return;
    const reason = 'Git was not reached since the agent was started';
    const what = { promoted: 'Promotion', 'rolled-back': 'Rollback', withdrawn: 'Withdrawal' }[outcome.verdict];
    onTold?.(key, `${what} of ${shownKey(key)} cannot be written to Git: ${reason}`);
    log.warn({ canary: shownKey(key), verdict: outcome.verdict }, `The outcome is not in Git yet: ${reason}`);
    const change = (now: ReleaseRecord | undefined): ReleaseRecord | undefined =>
      now?.outcome && now.outcome.blocked === undefined
        ? { ...now, outcome: { ...now.outcome, blocked: reason } }
        : undefined;
    records.change(key, change, true).catch((error: unknown) => {
      log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the pending outcome could not be noted');
    });
  };
  /** Hands over all outcomes that are not in Git yet, once Git was looked at. */
  const send = (key: AppKey, record: ReleaseRecord): void => {
    // What another agent wrote, or this one, whose answer got lost, waits for the next look at Git only.
    if (unproven.has(key)) return isReady ? undefined : waitForGit(key, record);
    const app = partsOf(key);
    for (const release of list(record)) {
      const outcome = outcomeOf(app, release);
      if (!outcome || submitted.has(release.id)) continue;
      submitted.add(release.id);
      submit(outcome);
    }
  };

  /** What was read is believed: what it promoted is stable, and what Git does not tell yet is handed over. */
  const begun = (key: AppKey): void => {
    const record = unproven.has(key) ? undefined : records.get(key);
    if (!record) return;
    for (const { content, revision, outcome } of list(record))
      if (outcome?.verdict === 'promoted') stables.set(key, { content, revision });
    if (isWriting) send(key, record);
  };
  /** Nothing of an app that is neither in Git nor in the cluster is kept once all of it is told. */
  const clear = (key: AppKey): void => {
    const record = records.get(key);
    if (tracks.has(key) || !isReady || (record && list(record).length > 0) || !isThere || isThere(key)) return;
    records.remove(key).catch((error: unknown) => {
      if (!signal.aborted)
        log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the record of an app that is gone stays');
    });
  };

  /** After a restart what the record holds goes on. */
  const evidenceOf = (key: AppKey): Evidence[] => evidence.get(key) ?? [...(records.get(key)?.evidence ?? [])];

  /** Apps of whose release under way Git says nothing; an older one may still be recorded. */
  const unrecorded = new Set<AppKey>();
  let isReady = false;

  const overlay = (key: AppKey, phase: Phase | undefined): Revision | undefined => {
    const track = tracks.get(key);
    const landed = landing.get(key);
    // The tip at hand was asked for before the revert landed: it still says what was rejected.
    if (landed?.verdict === 'rolled-back' && track?.content === landed.state.content) return landed.base;
    return track && overlayOf({ track, stable: stableOf(key), record: records.get(key), phase });
  };
  /** Git says something of the app that a sync brings to the cluster. */
  const isSynced = (key: AppKey): boolean => apps.get(key)?.target !== undefined && !applied?.isSuspended;
  const isApplied = (key: AppKey, phase: Phase | undefined): boolean => {
    const track = tracks.get(key);
    if (!applied || !track || !isSynced(key)) return isReady;
    return applied.isApplied(key, { content: track.content, held: overlay(key, phase) });
  };
  /** The release that what runs now belongs to. Undefined: none that Git knows of. */
  const candidateOf = (key: AppKey, phase: Phase | undefined): Candidate | undefined => {
    const [track, app, record] = [tracks.get(key), apps.get(key), records.get(key)];
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
  };

  const proveOne = async (key: AppKey, what: Unproven, prove: Prove): Promise<void> => {
    const before = records.get(key);
    const { record, reasons } = before ? await prove(key, before, what) : { record: undefined, reasons: [] };
    // A tick went on with it meanwhile.
    if (records.get(key) !== before) return;
    if (what.former && record) {
      records.remember(key, () => record);
      await records.change(key, (now) => now, true);
    } else if (record) records.remember(key, () => record);
    else records.distrust(key);
    unproven.delete(key);
    for (const reason of reasons) {
      const message = `What is recorded of a release of ${shownKey(key)} is not believed: ${reason}`;
      log.error({ canary: shownKey(key) }, message);
      onTold?.(key, message);
    }
    begun(key);
  };
  let isNew = false;
  const firstRead = createFirstRead({ clock, log, read: () => records.load() }, signal);
  /** What would be noted in a record that is not read. */
  const mustBeRead = (): void => {
    const { trouble } = firstRead;
    if (trouble !== undefined) throw new AgentError('CLUSTER_UNREACHABLE', `a release cannot end: ${trouble}`);
  };
  /** An agent that lacks the right to read records is no reason to leave users with what fails. */
  const goOnUnread = (canaries: readonly KubeObject[], why: string): void => {
    whenLoaded();
    for (const canary of canaries) {
      const key = keyOf(canary.metadata);
      if (isUnderAnalysis(parseStatus(canary).phase))
        onTold?.(key, `The release of ${shownKey(key)} is judged, but can neither be promoted nor told to Git: ${why}`);
    }
  };
  const load = async (canaries: readonly KubeObject[]): Promise<void> => {
    ({ isNew } = await firstRead.run((why) => goOnUnread(canaries, why)));
    // Looks of the time before they were read come after those that were noted.
    for (const [key, looks] of evidence) evidence.set(key, [...(records.get(key)?.evidence ?? []), ...looks]);
    if (isNew && isProving)
      for (const canary of canaries) {
        const [key, former] = [keyOf(canary.metadata), formerRecord(canary)];
        if (!former || records.get(key)) continue;
        records.remember(key, () => former);
        unproven.set(key, { former: parseStatus(canary) });
      }
    for (const key of records.keys()) {
      if (isProving && !unproven.has(key)) unproven.set(key, {});
      begun(key);
    }
  };
  /**
   * Another agent that runs at once may have ended this very release, or have begun one of a commit that is not known here yet: begun once
   * more under the same id, its end would be taken for the one that Git tells already. The next look at Git says what is to be judged.
   */
  const mustFollow = (key: AppKey, before: ReleaseRecord | undefined, id: string): void => {
    const isEnded = before !== undefined && (before.id === id ? before.outcome !== undefined : isKept(before, id));
    if (isEnded || unproven.has(key))
      throw new AgentError(
        'CLUSTER_CONFLICT',
        `another agent has written the record of ${shownKey(key)}: Git is looked at first`,
      );
  };

  return {
    stableOf,
    isApplied,
    overlay,
    isReady: () => isReady,
    get trouble() {
      return firstRead.trouble;
    },
    advance(tip, found, landed) {
      isReady = true;
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
          record: records.get(key),
        };
        tracks.set(key, trackApp(input));
        if (input.stable === undefined || input.stable.content === app.content) stableApps.set(key, app);
        lastSeen.note(key, app.content, tip);
      }
      for (const key of tracks.keys()) {
        if (present.has(key)) continue;
        for (const map of [tracks, apps, stableApps, stables, evidence, landing]) map.delete(key);
        lastSeen.forget(key);
        unrecorded.delete(key);
      }
      // Also of those that went while no agent ran.
      for (const key of records.keys()) if (!present.has(key)) clear(key);
    },
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
    releaseId: (key, phase) => candidateOf(key, phase)?.id ?? '',
    async begin(canary, judged, seenId) {
      const key = keyOf(canary.metadata);
      if (!isReady) throw new AgentError('GIT_UNREACHABLE', 'a new revision waits until Git was looked at');
      const { phase } = parseStatus(canary);
      if (!isApplied(key, phase))
        throw new AgentError('CLUSTER_CONFLICT', `what Git says of ${shownKey(key)} is not applied yet`);
      await records.look(key, canary);
      const candidate = candidateOf(key, phase);
      // A sync has gone by since: what was looked at is not what Git says now.
      if (seenId !== undefined && seenId !== (candidate?.id ?? ''))
        throw new AgentError('CLUSTER_CONFLICT', `Git says something else of ${shownKey(key)} by now`);
      unrecorded.add(key);
      if (!candidate) return;
      unrecorded.delete(key);
      const { id, revision, base, content, images } = candidate;
      const proof =
        judged && rollbackWindowMs !== undefined
          ? ledger(key)?.provenBy({ ...judged, content, images }, rollbackWindowMs)
          : undefined;
      const proven = proof ? { proven: proof } : {};
      const release = {
        id,
        revision,
        base,
        content,
        images,
        startedAtMs: clock.now(),
        ...(judged ? { judged: { templateHash: judged.templateHash, configs: judged.configs } } : {}),
        ...proven,
      };
      let isFirstLoss = false;
      const change = (before: ReleaseRecord | undefined): ReleaseRecord | undefined => {
        if (before && before.id === id && before.outcome === undefined) {
          if (!judged || isSameState(before.judged, judged)) return undefined;
          mustFollow(key, before, id);
          // The same content of Git runs as something else: a restart by hand, or a Secret that Git does not have, was renewed.
          evidence.delete(key);
          const { evidence: _ofBefore, proven: _former, ...same } = before;
          return { ...same, ...proven, judged: release.judged ?? judged };
        }
        mustFollow(key, before, id);
        evidence.delete(key);
        const [stable, app] = [stableApps.get(key), apps.get(key)];
        const next = followed(
          before,
          release,
          stable && app?.content === content ? changesBetween(stable, app) : undefined,
        );
        isFirstLoss = next.dropped !== undefined && before?.dropped === undefined;
        return next;
      };
      await records.change(key, change, true);
      if (isFirstLoss) {
        const message = `Too many outcomes of ${shownKey(key)} wait for Git: from now on the oldest are given up, and Git will not tell them`;
        log.warn({ canary: shownKey(key) }, message);
        onTold?.(key, message);
      }
    },
    async note(key, entry) {
      const looks = evidenceOf(key);
      if (looks.length < evidenceLimit) looks.push(withoutToldQueries(entry, looks));
      evidence.set(key, looks);
      // A canary that is held may be so for long, and loses nothing that its next check would not find again.
      if (entry.checks.every(({ passed, inconclusive }) => passed || inconclusive === 'hold')) return false;
      try {
        const change = (now: ReleaseRecord | undefined): ReleaseRecord | undefined =>
          now && !now.outcome ? { ...now, evidence: [...looks] } : undefined;
        await records.change(key, change, false);
      } catch (error) {
        log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'a failed check could not be noted');
      }
      return true;
    },
    lastFailedCheck(key) {
      return lastFailedCheckOf(evidenceOf(key));
    },
    recorded(canary, status) {
      const key = keyOf(canary.metadata);
      const record = recordOf(canary);
      // It was begun by hand, or by an agent that did not know the commit yet, and Git says the same by now: the commit has its outcome, too.
      const isAnothers = (): boolean => {
        const candidate = stableOf(key) && isUnderAnalysis(status.phase) ? candidateOf(key, status.phase) : undefined;
        return candidate !== undefined && candidate.id !== record?.id && isApplied(key, status.phase);
      };
      const isBegun = record?.outcome !== undefined || !unrecorded.has(key);
      return recordedOf(isBegun ? record : undefined, status, isAnothers);
    },
    isPushedAgain(canary, status) {
      const key = keyOf(canary.metadata);
      const record = recordOf(canary);
      const [outcome, candidate] = [record?.outcome, candidateOf(key, status.phase)];
      if (!record || !candidate || !isApplied(key, status.phase)) return false;
      if (outcome?.verdict === 'rolled-back')
        return isOf(outcome.state, status) && candidate.content === record.content && candidate.id !== record.id;
      // It has begun, and the status that was to say so got lost: the one that is there is of the time before.
      const isOpen = outcome === undefined && status.phase === 'Failed' && candidate.id === record.id;
      return isOpen && record.judged !== undefined && isOf(record.judged, status);
    },
    isRejectedTip(canary, status) {
      const key = keyOf(canary.metadata);
      const [record, candidate] = [recordOf(canary), candidateOf(key, status.phase)];
      if (!candidate) return false;
      // It has begun. Until a status names it, it may look like what the primary runs, as it did before it began.
      if (candidate.id === record?.id)
        return record.outcome === undefined && record.judged !== undefined && !isOf(record.judged, status);
      const { content, images } = candidate;
      if (record?.outcome?.verdict === 'rolled-back' && record.content === content) return true;
      // Others may have been released since.
      return ledger(key)?.failed({ content, images, templateHash: '' }) !== undefined;
    },
    proven(canary, status) {
      const record = recordOf(canary);
      const { proven, judged, content } = record ?? {};
      if (rollbackWindowMs === undefined || !record || !proven || !judged || !isOf(judged, status)) return undefined;
      // Only what Git says counts.
      const isTold = ledger(keyOf(canary.metadata))?.tells(proven, content ?? '') === true;
      return isTold ? proven : undefined;
    },
    async end(canary, { verdict, failedCheck, strategy, templateHash, configs }) {
      const key = keyOf(canary.metadata);
      mustBeRead();
      const record = recordOf(canary);
      if (!record) return;
      if (record.outcome) return send(key, record);
      if (record.judged && !isOf(record.judged, { lastAppliedSpec: templateHash, trackedConfigs: configs })) {
        log.warn(
          { canary: shownKey(key), release: record.id },
          'what has ended is not the release that is recorded, so Git is told nothing',
        );
        return;
      }
      const state: AppState = {
        revision: record.revision,
        // Git may say others by now, or have lost the app in a file that cannot be read.
        images: record.images ?? apps.get(key)?.images ?? {},
        templateHash,
        configs,
        content: record.content,
      };
      const outcome = {
        verdict,
        atMs: clock.now(),
        evidence: evidenceOf(key),
        state,
        ...(failedCheck ? { failedCheck } : {}),
        ...(strategy ? { strategy } : {}),
      };
      await records.change(key, ended(record, outcome), isWriting ? 'soon' : true);
      if (verdict === 'promoted') {
        const former = stableOf(key);
        stables.set(key, { content: record.content, revision: record.revision });
        const app = apps.get(key);
        if (app?.content === record.content) stableApps.set(key, app);
        else stableApps.delete(key);
        const track = tracks.get(key);
        // A newer push may be there already: what failed of it goes back to what has just been promoted.
        const base = lastSeen.of(key, record.content) ?? record.revision;
        // One that goes back to what was stable before is another release than the one that made it so.
        const isBack = track?.content === former?.content && track?.firstSeen === former?.revision;
        const again = track && isBack ? lastSeen.of(key, track.content) : undefined;
        if (track) tracks.set(key, { ...track, base, firstSeen: again ?? track.firstSeen });
      }
      send(key, records.get(key) ?? { ...record, outcome });
    },
    async withdraw(canary) {
      mustBeRead();
      const key = keyOf(canary.metadata);
      const [record, track] = [recordOf(canary), tracks.get(key)];
      if (!record || record.outcome || !track || record.content === track.content) return;
      // What was put right in the cluster alone is no decision of anybody.
      if (stableOf(key)?.content !== track.content) return;
      const { templateHash = '', configs = {} } = record.judged ?? {};
      const { revision, images = {}, content } = record;
      const outcome = {
        verdict: 'withdrawn' as const,
        atMs: clock.now(),
        takenBackAt: track.firstSeen,
        evidence: evidenceOf(key),
        state: { revision, images, templateHash, configs, content },
      };
      await records.change(key, ended(record, outcome), isWriting ? 'soon' : true);
      send(key, records.get(key) ?? { ...record, outcome });
    },
    adopt(canary, templateHash, configs, content) {
      const key = keyOf(canary.metadata);
      const track = tracks.get(key);
      const app = apps.get(key);
      // A newer commit may have come while the cluster was looked at: then it is not this state that Git tells.
      if (applied && track && !applied.stands(key, { content: track.content, held: undefined })) return;
      if (!track || !app || stableOf(key) || app.target === undefined || (content ?? track.content) !== track.content)
        return;
      stables.set(key, { content: track.content, revision: track.firstSeen });
      tracks.set(key, { ...track, base: lastSeen.of(key, track.content) ?? track.firstSeen });
      const now = clock.now();
      submit({
        app: app.id,
        releaseId: releaseId(app.id, track.content, track.firstSeen),
        verdict: 'adopted',
        atMs: now,
        startedAtMs: now,
        state: { revision: track.firstSeen, images: app.images, templateHash, configs, content: track.content },
        base: track.firstSeen,
        evidence: [],
        supersedes: [],
      });
    },
    load(canaries) {
      isLoaded ??= load(canaries).then(whenLoaded);
      return isLoaded;
    },
    async prove(prove) {
      while (unproven.size > 0) {
        for (const [key, what] of unproven) await proveOne(key, what, prove);
      }
      if (isNew) await store.begin(signal);
      isNew = false;
    },
    async resume(canary) {
      await loaded;
      await records.look(keyOf(canary.metadata), canary);
    },
    left: clear,
    async written(outcome, revision) {
      const key = keyOf(outcome.app);
      submitted.delete(outcome.releaseId);
      landing.set(key, outcome);
      const landed = (now: ReleaseRecord | undefined) => now && settle(now, outcome.releaseId, revision);
      await records.change(key, landed, true).catch((error: unknown) => {
        // Only a note to ourselves: after a restart the writer finds the outcome in Git and writes nothing.
        log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the landed outcome could not be noted');
        records.remember(key, landed);
      });
      clear(key);
    },
    async blocked(outcome, reason) {
      const key = keyOf(outcome.app);
      const change = (now: ReleaseRecord | undefined): ReleaseRecord | undefined => {
        if (!now?.outcome || now.id !== outcome.releaseId || now.outcome.blocked === reason) return undefined;
        return { ...now, outcome: { ...now.outcome, blocked: reason } };
      };
      await records.change(key, change, true).catch((error: unknown) => {
        log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the pending outcome could not be noted');
      });
    },
  };
}

type Candidate = Pick<ReleaseRecord, 'id' | 'revision' | 'base' | 'content'> & Pick<Required<ReleaseRecord>, 'images'>;
