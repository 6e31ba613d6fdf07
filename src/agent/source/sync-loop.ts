import { type App, writtenInto } from '../../canary/app.ts';
import type { Workload } from '../../canary/overlap.ts';
import type { Phase } from '../../canary/types.ts';
import type { Revision } from '../../git/repo.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { AgentError, stackOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, namespacedName } from '../../lib/key.ts';
import type { LoadedTree } from '../../manifest/load.ts';
import type { ParsedFiles } from '../../manifest/parsed-files.ts';
import { type Manifest, type ObjectRef, type Problem, refKey } from '../../manifest/types.ts';
import type { Desired, Syncer, SyncResult } from '../../sync/syncer.ts';
import type { AppliedApps } from '../releases/applied-apps.ts';
import type { SyncedTree } from './ledger-closer.ts';
import type { SourceDeps } from '../deps.ts';
import { replicasOf, withLeftAlone, withOverlays } from './overlays.ts';
import { createPinnedApps, type StableApps } from './pinned-apps.ts';
import type { Ledgers } from '../releases/ledgers.ts';
import type { Releases } from '../releases/releases.ts';
import { createSnapshots, type Snapshot } from './snapshots.ts';
import { createBranchTip } from './branch-tip.ts';
import { errorsOf, isUnreadOf, syncedOf, wantedOf, wholeIn } from './pass-result.ts';
import { createPastApps } from './past-apps.ts';
import { createProblemLog } from './problem-log.ts';
import { strayAt } from './stray-at.ts';
import { workloadsOf } from '../../checks/workloads.ts';

export interface SyncLoop {
  /** Asks Git and looks again now: a new commit may be there, or an overlay may have changed. */
  wake(reason: string): void;
  /** Something that objects are made with, and Git does not have, says something else. */
  outdated(reason: string): void;
  /** Objects that somebody else changed. */
  drifted(refs: readonly ObjectRef[]): void;
  /** Everything is compared again, whatever the watches said. */
  resync(): void;
  readonly state: SyncState;
  desiredReplicas(namespace: string, target: string): number | undefined;
  /** Those that Git has; none before it was read. */
  workloads(namespace: string): readonly Workload[];
  run(): Promise<void>;
}

export interface SyncState {
  /** Last revision that was looked at; undefined before the first. */
  tip: Revision | undefined;
  /** Last revision that was applied. */
  synced: Revision | undefined;
  /** Why Git or the cluster cannot be reached at the moment. */
  trouble: string | undefined;
  lastPollMs: number;
  /** Whether the trouble is that Git does not answer, which may pass. */
  isGitSilent: boolean;
  syncedAtMs: number | undefined;
  /** What of Git is not in the cluster, or stays although Git does not name it; each file and line once. */
  errors: readonly Problem[];
  /** Why nothing was deleted although something is gone from Git, and what lets it go. */
  held: string | undefined;
}

export interface SyncLoopOptions {
  readonly deps: Pick<SourceDeps, 'clock' | 'log' | 'repo' | 'settings' | 'telemetry' | 'tools'>;
  readonly syncer: Syncer;
  readonly releases: Releases;
  readonly applied: AppliedApps;
  readonly ledgers: Ledgers;
  /** Takes what was parsed of the repository, for others that read it. Absent: nobody does. */
  readonly parsed?: ParsedFiles;
  readonly phaseOf: (key: AppKey) => Phase | undefined;
  /** Apex services that a Canary has taken over, by refKey. */
  readonly takenOver: (apps: readonly App[]) => ReadonlySet<string>;
  /** Where several sources share a cluster. Absent: there is one. */
  readonly shared?: {
    /** What of a commit is this source's. The same snapshot where nothing is refused, and the very same answer while nothing changes. */
    readonly within: (snapshot: Snapshot, lookedAtMs: number) => Promise<Snapshot>;
    /** What another source, which did not look at Git since then, may still say. */
    readonly pruneWaitsFor: (sinceMs: number) => { readonly held: string | undefined } | undefined;
  };
  /** Called with each commit that was read, once its ledgers were, before anything of it is applied. Absent: nobody is. */
  readonly onRead?: (snapshot: Snapshot) => void;
  /** What is to be applied of what was read. Absent: all of it. */
  readonly toApply?: (manifests: readonly Manifest[]) => Promise<readonly Manifest[]>;
  /** Called after each pass, also one that failed. */
  readonly onPass: () => void;
  /** Called after each pass that was brought to its end, for what waits on it. */
  readonly onSynced: (apps: readonly App[], checked: readonly Problem[], tree: SyncedTree) => void;
  readonly signal: AbortSignal;
}

const nothingToDo = {
  applied: [],
  pruned: [],
  failed: [],
  warnings: [],
  unfinished: [],
  versions: new Map(),
  refused: new Map(),
};

/** Somebody who pushes all the time must not keep everything from being read, or from being applied. */
const tries = 3;

export function createSyncLoop(options: SyncLoopOptions): SyncLoop {
  const {
    deps,
    syncer,
    releases,
    applied: appliedApps,
    ledgers,
    phaseOf,
    takenOver,
    onPass,
    onSynced,
    shared,
    signal,
  } = options;
  const { clock, log, repo, settings, telemetry } = deps;
  const state: SyncState = {
    tip: undefined,
    synced: undefined,
    trouble: undefined,
    lastPollMs: 0,
    isGitSilent: false,
    syncedAtMs: undefined,
    errors: [],
    held: undefined,
  };
  /** Something was refused, which may be taken the next time. */
  let isRefused = false;
  /** Syncs in a row after which units waited for others. */
  let waited = 0;
  let snapshot: Snapshot | undefined;
  /** As it was read, with what is not this source's. */
  let whole: Snapshot | undefined;
  /** When the manifests at hand were seen first. */
  let sinceSeen = { revision: '', atMs: 0 };
  let replicas: ReadonlyMap<string, number> = new Map();
  let woken = false;
  let wakeUp: () => void = () => undefined;
  let everything = true;
  /** What was applied last, to its end. */
  let done:
    | {
        readonly loaded: LoadedTree;
        readonly overlays: string;
        readonly held: string | undefined;
        readonly guarded: string | undefined;
        readonly errors: readonly Problem[];
        /** It is not brought to its end: somebody hands back, waits, or is not ready. */
        readonly isOpen: boolean;
      }
    | undefined;
  /** Syncs in a row that were not brought to their end, because the tip had moved. */
  let outdated = 0;
  const driftedRefs = new Map<string, ObjectRef>();

  const placed = { ...settings, placeOf: (key: string) => syncer.placeOf(key) };
  const snapshots = createSnapshots(repo, placed, options.parsed, deps.tools, () => {
    woken = true;
    wakeUp();
  });
  const pastApps = createPastApps({
    repo,
    snapshots,
    tenancy: settings.tenancy,
    isWriting: settings.write !== 'none',
    stable: (key) => ledgers.get(key)?.stable,
    signal,
  });
  const stableApps = createPinnedApps({ appsAt: (at, keys) => pastApps.on(at, keys, snapshot), log, phaseOf });
  const tip = createBranchTip({
    repo,
    clock,
    onPoll(result) {
      telemetry.gitPolls.inc({ result });
      state.isGitSilent = result !== 'ok';
      if (result === 'ok') state.lastPollMs = clock.now();
    },
  });

  /** The tip. Reading it may take long, and meanwhile somebody else may have applied a newer one. */
  const lookAtTip = async (): Promise<Snapshot> => {
    let found = await snapshots.at(await tip.ask(signal), whole, signal);
    for (let again = 1; again < tries; again += 1) {
      const now = await tip.now(signal);
      if (now === found.revision) break;
      found = await snapshots.at(now, found, signal);
    }
    return found;
  };

  const heldNow = (apps: readonly App[]): Map<AppKey, Revision> => {
    const held = new Map<AppKey, Revision>();
    for (const { id } of apps) {
      const key = keyOf(id);
      const revision = releases.overlay(key, phaseOf(key));
      if (revision !== undefined) held.set(key, revision);
    }
    return held;
  };

  const report = createProblemLog(log);

  /** Undefined: Git has moved on, and what is left of it is not applied. */
  const apply = async (next: Snapshot, { stable, lost }: StableApps): Promise<SyncResult | undefined> => {
    const { revision, since, loaded, apps } = next;
    const drifted = [...driftedRefs.values()];
    driftedRefs.clear();
    const all = everything;
    everything = false;
    const notDone = (): void => {
      for (const ref of drifted) driftedRefs.set(refKey(ref), ref);
      everything ||= all;
    };
    const manifests = withLeftAlone(withOverlays(loaded.manifests, apps, stable), apps, lost);
    // An app that is held at its stable documents goes back to them whatever its unit waits for.
    const ofTip = new Set(loaded.needs && loaded.needs.size > 0 ? loaded.manifests.map(({ origin }) => origin) : []);
    const desired: Desired = {
      revision: since,
      manifests: options.toApply ? await options.toApply(manifests) : manifests,
      problems: loaded.problems,
      unreadablePaths: loaded.unreadablePaths,
      strays: loaded.strays,
      areas: loaded.areas,
      standing: (path) => strayAt(repo, path, next),
      takenOver: takenOver(apps),
      canaryTargets: writtenInto(apps),
      everything: all,
      drifted,
      ...(loaded.health ? { health: loaded.health } : {}),
      ...(loaded.needs && loaded.needs.size > 0
        ? { needs: loaded.needs, waitsForNobody: ({ origin }: Manifest) => !ofTip.has(origin) }
        : {}),
      ...(shared ? { pruneWaitsFor: () => shared.pruneWaitsFor(sinceSeen.atMs) } : {}),
      ...(outdated < tries ? { isCurrent: async (until) => (await tip.now(until)) === revision } : {}),
    };
    let result: SyncResult;
    try {
      result = await syncer.sync(desired, signal);
    } catch (error) {
      notDone();
      throw error;
    }
    if (!result.isOutdated) {
      outdated = 0;
      return result;
    }
    outdated += 1;
    log.info({ revision, applied: result.applied.length }, 'Git moved on meanwhile: the newer commit is taken');
    notDone();
    woken = true;
    return undefined;
  };

  const pass = async (): Promise<void> => {
    const landed = releases.landedOutcomes();
    const startedMs = clock.now();
    // Whose a second definition of an object is told by which of them was applied.
    if (!settings.suspend) await syncer.open(signal);
    whole = await lookAtTip();
    const next = shared ? await shared.within(whole, startedMs) : whole;
    const { revision, since, loaded, checked, apps } = next;
    if (since !== sinceSeen.revision) sinceSeen = { revision: since, atMs: clock.now() };
    if (revision !== snapshot?.revision) await ledgers.read(next.ledgers);
    const isUnread = isUnreadOf(next, settings.tenancy);
    await releases.prove(pastApps.proveBy(next), isUnread);
    if (revision !== snapshot?.revision || apps !== snapshot.apps || next.unread !== snapshot.unread) {
      releases.advance(revision, apps, landed, isUnread);
      if (apps !== snapshot?.apps) replicas = new Map([...(next.unread ? replicas : []), ...replicasOf(apps)]);
      snapshot = next;
      state.tip = revision;
    }
    releases.seen(landed);
    options.onRead?.(next);
    const pinnedApps = heldNow(apps);
    const stable = await stableApps(pinnedApps, signal);
    const overlays = [...pinnedApps].join(';');
    // A commit that changes other files only, as our own outcomes do, leaves nothing to plan.
    const isDone =
      done?.loaded === loaded &&
      !done.isOpen &&
      done.overlays === overlays &&
      !everything &&
      driftedRefs.size === 0 &&
      !isRefused &&
      !(done.guarded !== undefined && (await syncer.mayPrune(since, done.guarded, signal)));
    if (isDone && state.synced === revision) return;
    if (settings.suspend) {
      appliedApps.suspend();
      report(since, [...loaded.problems, ...checked]);
      state.errors = errorsOf(loaded.problems);
      return;
    }
    const wanted = wantedOf(apps, pinnedApps);
    appliedApps.begin(wanted, isUnread);
    const result =
      isDone && done
        ? { ...nothingToDo, isHandingBack: false, isWaiting: false, held: done.held, guarded: done.guarded }
        : await apply(next, stable);
    if (!result) return;
    appliedApps.end(syncedOf(apps, stable.stable, wanted, result));
    const { applied, pruned, failed, warnings, held, guarded, unfinished = [] } = result;
    const isUnfinished = unfinished.length > 0;
    if (isUnfinished) woken = true;
    const late = [...(next.unread?.values() ?? []), ...unfinished];
    const errors =
      isDone && done ? done.errors : errorsOf([...loaded.problems, ...failed, ...warnings], [...failed, ...late]);
    if (!isDone) report(since, [...loaded.problems, ...checked, ...failed, ...warnings]);
    const isOpen = (result.isHandingBack ?? false) || isUnfinished || result.isWaiting === true;
    done = { loaded, overlays, held, guarded, errors, isOpen };
    const isNews = state.synced !== revision;
    state.synced = revision;
    if (isNews) state.syncedAtMs = clock.now();
    state.errors = errors;
    state.held = held;
    isRefused = failed.length > 0;
    waited = result.isWaiting === true ? waited + 1 : 0;
    telemetry.syncFailures.set(errors.length);
    telemetry.pruneHeld.set(held === undefined ? 0 : 1);
    if (errors.length === 0) telemetry.syncedAt.set(Math.floor(clock.now() / 1000));
    telemetry.syncDuration.observe((clock.now() - startedMs) / 1000);
    if (isNews || applied.length + pruned.length > 0) {
      const counts = { applied: applied.length, pruned: pruned.length, failed: errors.length };
      log.info({ revision, ...counts, ...(held === undefined ? {} : { held }) }, `Synced ${revision.slice(0, 10)}`);
    }
    const isWhole =
      held === undefined &&
      failed.length === 0 &&
      loaded.unreadablePaths.size === 0 &&
      loaded.problems.every(({ severity }) => severity !== 'error');
    const keys = new Set(apps.map(({ id }) => keyOf(id)));
    const hasStrays = loaded.strays.size > 0;
    const isWholeIn = settings.tenancy && wholeIn(settings.tenancy, loaded, result);
    onSynced(apps, checked, { revision: since, keys, isWhole, hasStrays, ...(isWholeIn ? { isWholeIn } : {}) });
  };

  return {
    state,
    wake() {
      woken = true;
      wakeUp();
    },
    drifted(refs) {
      for (const ref of refs) driftedRefs.set(refKey(ref), ref);
      this.wake('drift');
    },
    outdated(reason) {
      snapshots.outdate();
      this.wake(reason);
    },
    resync() {
      everything = true;
      snapshots.outdate();
      this.wake('resync');
    },
    desiredReplicas: (namespace, target) => replicas.get(namespacedName({ namespace, name: target })),
    workloads: (namespace) =>
      snapshot ? workloadsOf(snapshot.loaded.manifests, snapshot.apps, deps.settings.selectorLabels).in(namespace) : [],
    async run() {
      let failures = 0;
      while (!signal.aborted) {
        woken = false;
        let waitMs = settings.pollIntervalMs;
        try {
          await pass();
          failures = 0;
          state.trouble = undefined;
          telemetry.syncFailing.set(0);
          // Objects that were refused are tried again at least this often.
          if (isRefused) waitMs = Math.min(waitMs, 15_000);
          if (waited > 0) waitMs = Math.min(waitMs, 1_000 * 2 ** Math.min(waited, 4));
        } catch (error) {
          if (signal.aborted) return;
          const said = error instanceof AgentError ? error.message : stackOf(error);
          if (said !== state.trouble) log.error(error instanceof AgentError ? { code: error.code } : {}, said);
          state.trouble = said;
          telemetry.syncFailing.set(1);
          failures += 1;
          waitMs = Math.max(waitMs, backoffMs(failures - 1, { baseMs: 500, capMs: 60_000 }, Math.random()));
        }
        onPass();
        if (woken) continue;
        const pause = new AbortController();
        wakeUp = () => pause.abort(new Error('woken'));
        await clock.sleep(waitMs, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
        wakeUp = () => undefined;
      }
    },
  };
}
