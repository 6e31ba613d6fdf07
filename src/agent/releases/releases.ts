import type { OwnWrites } from '../../cluster/own-writes.ts';
import type { App } from '../../canary/app.ts';
import { lastFailedCheckOf, withoutToldQueries } from '../../canary/evidence.ts';
import { isUnderAnalysis } from '../../canary/phase.ts';
import { isOf, recordedOf } from '../../canary/recorded.ts';
import { parseStatus } from '../../canary/status.ts';
import type { CanaryStatus, Evidence, FailedCheck, Phase, Recorded } from '../../canary/types.ts';
import type { Revision } from '../../git/repo.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, shownKey } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { list, settle } from '../../release/outbox.ts';
import { commitUrl } from '../../release/commit-url.ts';
import { releaseId } from '../../release/release-id.ts';
import type { AppState, Outcome, Proof, ReleaseRecord, ReleaseStrategy } from '../../release/types.ts';
import type { AppliedApps } from './applied-apps.ts';
import type { Deps } from '../deps.ts';
import { createHandOver } from './hand-over.ts';
import { ended, followed, isSameState, type Judged } from './judged-state.ts';
import { createKnownApps, type KnownApps } from './known-apps.ts';
import type { LedgerView } from './ledgers.ts';
import type { Prove } from './proof.ts';
import type { RecordStore } from './record-store.ts';
import { createRecords } from './records.ts';
import type { StableState } from './tracker.ts';

const evidenceLimit = 2_000;
const askedLimit = 200;

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
  /**
   * Holds what was read against Git, before `advance`: what Git does not prove is not believed. Rejects where Git cannot be asked. `isUnread`:
   * of which apps it is not known yet what Git says. Absent: of none.
   */
  prove(prove: Prove, isUnread?: (key: AppKey) => boolean): Promise<void>;
  /**
   * Takes over a newly fetched revision. Called before anything of it is applied. `landed` had landed before Git was asked for it. `isUnread`:
   * as of `prove`; of such an app what was known of it stays.
   */
  advance(tip: Revision, apps: readonly App[], landed: ReadonlySet<AppKey>, isUnread?: (key: AppKey) => boolean): void;
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
  /** Id of the release that is recorded, where it is under way and this status is of it; empty: there is none such, or it is not known. */
  underWay(canary: KubeObject, status: CanaryStatus): string;
  /** The page of the commit that the release of this id is about. Undefined: it is not known, or its server shows none. */
  commitUrl(key: AppKey, phase: Phase | undefined, id: string): string | undefined;
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
  /** For people: the record as it is, and all looks of the release under way. Undefined: nothing is recorded. */
  told(key: AppKey): { readonly record: ReleaseRecord; readonly evidence: readonly Evidence[] } | undefined;
}

/** What a canary and its effects ask and tell of releases. */
export type JudgedReleases = Pick<
  Releases,
  | 'isReady'
  | 'isApplied'
  | 'releaseId'
  | 'underWay'
  | 'commitUrl'
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
  | 'told'
>;

export interface ReleasesOptions {
  readonly deps: Pick<Deps, 'cluster' | 'clock' | 'log'>;
  /** Of the repository, for links to its commits. Absent: it is not known. */
  readonly repositoryUrl?: string;
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

/** A release that has ended and waits for Git. */
const isKept = (record: ReleaseRecord, id: string): boolean => list(record).some((release) => release.id === id);

export function createReleases(options: ReleasesOptions): Releases {
  const { deps, store, submit, ledger, applied, signal, isThere, onTold } = options;
  const { isWriting = true, isProving = false, rollbackWindowMs } = options;
  const { clock, log } = deps;
  const evidence = new Map<AppKey, Evidence[]>();
  /** Apps of whose release under way Git says nothing; an older one may still be recorded. */
  const unrecorded = new Set<AppKey>();
  const records = createRecords({ ...deps, own: options.own }, store, (key) => handOver.taken(key), signal);
  const known = createKnownApps({ ledger, recordOf: (key) => records.get(key), applied });
  const stableOf: Releases['stableOf'] = (key) => known.stableOf(key);
  const isApplied: Releases['isApplied'] = (key, phase) => known.isApplied(key, phase);
  const candidateOf: KnownApps['candidateOf'] = (key, phase) => known.candidateOf(key, phase);
  const handOver = createHandOver({
    deps,
    records,
    store,
    known,
    evidence,
    isWriting,
    isProving,
    onTold,
    submit,
    signal,
  });

  const recordOf = (canary: KubeObject): ReleaseRecord | undefined => records.get(keyOf(canary.metadata));
  /** After a restart what the record holds goes on. */
  const evidenceOf = (key: AppKey): Evidence[] => evidence.get(key) ?? [...(records.get(key)?.evidence ?? [])];
  /** Nothing of an app that is neither in Git nor in the cluster is kept once all of it is told. */
  const clear = (key: AppKey): void => {
    const record = records.get(key);
    const isLeft = known.isLookedAt(key) && !known.track(key) && isThere !== undefined && !isThere(key);
    if (!isLeft || (record && list(record).length > 0)) return;
    records.remove(key).catch((error: unknown) => {
      if (!signal.aborted)
        log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the record of an app that is gone stays');
    });
  };
  /**
   * Another agent that runs at once may have ended this very release, or have begun one of a commit that is not known here yet: begun once
   * more under the same id, its end would be taken for the one that Git tells already. The next look at Git says what is to be judged.
   */
  const mustFollow = (key: AppKey, before: ReleaseRecord | undefined, id: string): void => {
    const isEnded = before !== undefined && (before.id === id ? before.outcome !== undefined : isKept(before, id));
    if (isEnded || handOver.isUnproven(key))
      throw new AgentError(
        'CLUSTER_CONFLICT',
        `another agent has written the record of ${shownKey(key)}: Git is looked at first`,
      );
  };

  return {
    stableOf,
    isApplied,
    overlay: (key, phase) => known.overlay(key, phase),
    isReady: (key) => known.isLookedAt(key),
    get trouble() {
      return handOver.trouble;
    },
    advance(tip, found, landed, isUnread) {
      for (const key of known.advance(tip, found, landed, isUnread)) {
        evidence.delete(key);
        unrecorded.delete(key);
      }
      // Also of those that went while no agent ran.
      for (const key of records.keys()) if (!known.track(key)) clear(key);
    },
    landedOutcomes: () => known.landedOutcomes(),
    seen: (landed) => known.seen(landed),
    failedBefore: (key) => known.failedBefore(key),
    told(key) {
      const record = records.get(key);
      return record && { record, evidence: evidenceOf(key) };
    },
    releaseId: (key, phase) => candidateOf(key, phase)?.id ?? '',
    underWay(canary, status) {
      const { id = '', judged, outcome } = recordOf(canary) ?? {};
      return judged !== undefined && outcome === undefined && isOf(judged, status) ? id : '';
    },
    commitUrl(key, phase, id) {
      const { repositoryUrl } = options;
      const revision = [candidateOf(key, phase), records.get(key)].find((one) => one?.id === id)?.revision;
      return repositoryUrl === undefined || revision === undefined ? undefined : commitUrl(repositoryUrl, revision);
    },
    async begin(canary, judged, seenId) {
      const key = keyOf(canary.metadata);
      if (!known.isLookedAt(key))
        throw new AgentError('GIT_UNREACHABLE', 'a new revision waits until Git was looked at');
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
        const next = followed(before, release, known.changesTo(key, content));
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
      const isAsked = entry.checks.some(({ found }) => found.kind === 'asked');
      // What people ask for is told whatever came before it.
      if (looks.length < evidenceLimit + (isAsked ? askedLimit : 0)) looks.push(withoutToldQueries(entry, looks));
      evidence.set(key, looks);
      // A canary that is held may be so for long, and loses nothing that its next check would not find again.
      if (!isAsked && entry.checks.every(({ passed, inconclusive }) => passed || inconclusive === 'hold')) return false;
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
      handOver.mustBeRead();
      const record = recordOf(canary);
      if (!record) return;
      if (record.outcome) return handOver.send(key, record);
      if (record.judged && !isOf(record.judged, { lastAppliedSpec: templateHash, trackedConfigs: configs })) {
        log.warn(
          { canary: shownKey(key), release: record.id },
          'a release ended that is not the recorded one: nothing is written to Git',
        );
        return;
      }
      const state: AppState = {
        revision: record.revision,
        // Git may say others by now, or have lost the app in a file that cannot be read.
        images: record.images ?? known.app(key)?.images ?? {},
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
      if (verdict === 'promoted') known.promoted(key, record);
      handOver.send(key, records.get(key) ?? { ...record, outcome });
    },
    async withdraw(canary) {
      handOver.mustBeRead();
      const key = keyOf(canary.metadata);
      const [record, track] = [recordOf(canary), known.track(key)];
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
      handOver.send(key, records.get(key) ?? { ...record, outcome });
    },
    adopt(canary, templateHash, configs, content) {
      const key = keyOf(canary.metadata);
      const [track, app] = [known.track(key), known.app(key)];
      // A newer commit may have come while the cluster was looked at: then it is not this state that Git tells.
      if (applied && track && !applied.stands(key, { content: track.content, held: undefined })) return;
      if (!track || !app || stableOf(key) || app.target === undefined || (content ?? track.content) !== track.content)
        return;
      known.adopt(key);
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
    load: (canaries) => handOver.load(canaries),
    prove: (prove, isUnread) => handOver.prove(prove, isUnread),
    async resume(canary) {
      await handOver.loaded;
      await records.look(keyOf(canary.metadata), canary);
    },
    left: clear,
    async written(outcome, revision) {
      const key = keyOf(outcome.app);
      handOver.settled(outcome);
      known.landed(outcome);
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
