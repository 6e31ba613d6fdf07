import { appsOf, type App } from '../canary/app.ts';
import type { Phase } from '../canary/types.ts';
import type { Revision, TreeChange, TreeFile } from '../git/repo.ts';
import { backoffMs } from '../lib/backoff.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { isManifestFile, type LoadCache, type LoadedTree, loadTree, missingTexts } from '../manifest/load.ts';
import { type ObjectRef, type Problem, refKey, refOf } from '../manifest/types.ts';
import type { Syncer, SyncResult } from '../sync/syncer.ts';
import { checkManifests } from './check.ts';
import type { Deps } from './deps.ts';
import { replicasOf, withLeftAlone, withOverlays } from './desired.ts';
import type { Ledgers } from './ledgers.ts';
import type { Releases } from './releases.ts';
import { createTip } from './tip.ts';

export interface SyncLoop {
  /** Looks again soon: a new commit may be there, or an overlay may have changed. `fresh` also asks Git. */
  wake(reason: string): void;
  /** Objects that somebody else changed. */
  drifted(refs: readonly ObjectRef[]): void;
  /** Everything is compared again, whatever the watches said. */
  resync(): void;
  readonly state: SyncState;
  desiredReplicas(namespace: string, target: string): number | undefined;
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
  failed: number;
}

export interface SyncLoopOptions {
  readonly deps: Deps;
  readonly syncer: Syncer;
  readonly releases: Releases;
  readonly ledgers: Ledgers;
  readonly phaseOf: (key: string) => Phase | undefined;
  /** Apex services that a Canary has taken over, by refKey. */
  readonly takenOver: (apps: readonly App[]) => ReadonlySet<string>;
  /** Called after each pass, for what waits on it. */
  readonly onSynced: (apps: readonly App[]) => void;
  readonly signal: AbortSignal;
}

/** Somebody who pushes all the time must not keep everything from being read, or from being applied. */
const tries = 3;

interface Snapshot {
  readonly revision: Revision;
  readonly files: Map<string, TreeFile>;
  readonly loaded: LoadedTree;
  readonly checked: readonly Problem[];
  readonly apps: readonly App[];
}

export function createSyncLoop(options: SyncLoopOptions): SyncLoop {
  const { deps, syncer, releases, ledgers, phaseOf, takenOver, onSynced, signal } = options;
  const { clock, log, repo, settings, telemetry } = deps;
  const state: SyncState = { tip: undefined, synced: undefined, trouble: undefined, lastPollMs: 0, failed: 0 };
  let snapshot: Snapshot | undefined;
  let cache: LoadCache | undefined;
  let replicas: ReadonlyMap<string, number> = new Map();
  let woken = false;
  let wakeUp: () => void = () => undefined;
  let everything = true;
  let toldProblems = '';
  let appliedKey = '';
  /** Syncs in a row that were not brought to their end, because the tip had moved. */
  let outdated = 0;
  const heldApps = new Map<string, App>();
  const toldLost = new Set<string>();
  const driftedRefs = new Map<string, ObjectRef>();

  const tip = createTip({
    repo,
    clock,
    onPoll(result) {
      telemetry.gitPolls.inc({ result });
      if (result === 'ok') state.lastPollMs = clock.now();
    },
  });

  const load = async (files: ReadonlyMap<string, TreeFile>): Promise<LoadedTree> => {
    const wanted = new Map([...files].filter(([path]) => isManifestFile(path, settings)));
    const texts = new Map<string, string>();
    for (const path of missingTexts(wanted, cache)) {
      texts.set(path, Buffer.from(await repo.blob(wanted.get(path)?.oid ?? '')).toString('utf8'));
    }
    const result = loadTree(wanted, texts, cache, settings);
    return result;
  };

  /** The tree at a revision, from the last one that was looked at by what changed. */
  const look = async (revision: Revision, last: Snapshot | undefined): Promise<Snapshot> => {
    if (last?.revision === revision) return last;
    await repo.fetch(revision, signal);
    let files: Map<string, TreeFile>;
    if (last) {
      files = new Map(last.files);
      for (const change of await repo.diff(last.revision, revision, settings.path)) applyChange(files, change);
    } else files = new Map(await repo.tree(revision, settings.path));
    const loaded = await load(files);
    cache = loaded.cache;
    const checked = checkManifests(loaded.manifests, settings, () => undefined);
    return { revision, files, loaded, checked, apps: appsOf(loaded.manifests, settings.defaultNamespace) };
  };

  /** The tip's tree. Reading it may take long, and meanwhile somebody else may have applied a newer one. */
  const lookAtTip = async (): Promise<Snapshot> => {
    let found = await look(await tip.ask(signal), snapshot);
    for (let again = 1; again < tries; again += 1) {
      const now = await tip.now(signal);
      if (now === found.revision) break;
      found = await look(now, found);
    }
    return found;
  };

  /** An app as it was at another revision; asked again and again while it is held there. */
  const appAt = async (key: string, revision: Revision): Promise<App | undefined> => {
    const slot = `${key}@${revision}`;
    const known = heldApps.get(slot);
    if (known) return known;
    await repo.fetch(revision, signal);
    const loaded = await load(await repo.tree(revision, settings.path));
    const found = appsOf(loaded.manifests, settings.defaultNamespace).find(
      ({ id }) => `${id.namespace}/${id.name}` === key,
    );
    if (found) heldApps.set(slot, found);
    log.info({ canary: key.split('/').reverse().join('.'), revision }, 'held at its stable state');
    return found;
  };

  /**
   * The apps that are held at another revision than the tip, as they were there. `lost`: rejected ones whose stable state is not in
   * Git any more, because somebody rewrote history. One that is not in the cluster yet has nothing but the tip.
   */
  const stableApps = async (
    held: ReadonlyMap<string, Revision>,
  ): Promise<{ readonly stable: ReadonlyMap<string, App>; readonly lost: ReadonlySet<string> }> => {
    const found = new Map<string, App>();
    const lost = new Set<string>();
    for (const slot of heldApps.keys())
      if (![...held].some(([key, revision]) => slot === `${key}@${revision}`)) heldApps.delete(slot);
    for (const [key, revision] of held) {
      try {
        const app = await appAt(key, revision);
        if (app) found.set(key, app);
      } catch (error) {
        if (signal.aborted || !(error instanceof AgentError) || error.code === 'GIT_UNREACHABLE') throw error;
        const isThere = !['', 'Initializing', undefined].includes(phaseOf(key));
        if (isThere) lost.add(key);
        const slot = `${key}@${revision}`;
        if (toldLost.has(slot)) continue;
        toldLost.add(slot);
        log.error(
          { canary: key.split('/').reverse().join('.'), revision },
          `The stable state of ${key} cannot be read from Git: ${error.message}; ${isThere ? 'what runs is left as it is until Git says something else' : 'what Git says now is applied instead'}`,
        );
      }
    }
    return { stable: found, lost };
  };
  const heldNow = (apps: readonly App[]): Map<string, Revision> => {
    const held = new Map<string, Revision>();
    for (const { id } of apps) {
      const key = `${id.namespace}/${id.name}`;
      const revision = releases.overlay(key, phaseOf(key));
      if (revision !== undefined) held.set(key, revision);
    }
    return held;
  };

  const report = (revision: Revision, problems: readonly Problem[], result: SyncResult | undefined): void => {
    const all = [...problems, ...(result?.failed ?? []), ...(result?.warnings ?? [])];
    const key = JSON.stringify([revision, all]);
    if (key === toldProblems) return;
    toldProblems = key;
    for (const { severity, path, line, message, hint } of all) {
      log[severity === 'error' ? 'error' : 'warn'](
        { revision, path, line },
        `${path}:${line} ${message}${hint ? `; ${hint}` : ''}`,
      );
    }
  };

  const pass = async (): Promise<void> => {
    const landed = releases.landedOutcomes();
    const started = clock.now();
    const next = await lookAtTip();
    const { revision } = next;
    const isNew = revision !== snapshot?.revision;
    if (isNew) {
      await ledgers.read(next.files);
      releases.advance(revision, next.apps);
      snapshot = next;
      state.tip = revision;
      replicas = replicasOf(next.apps);
    }
    releases.seen(landed);
    const held = heldNow(next.apps);
    const { stable, lost } = await stableApps(held);
    const key = `${revision}|${[...held].join(';')}`;
    if (key === appliedKey && !everything && driftedRefs.size === 0 && state.failed === 0) return;
    if (settings.suspend) {
      report(revision, [...next.loaded.problems, ...next.checked], undefined);
      return;
    }
    const drifted = [...driftedRefs.values()];
    driftedRefs.clear();
    const all = everything;
    everything = false;
    const notDone = (): void => {
      for (const ref of drifted) driftedRefs.set(refKey(ref), ref);
      everything ||= all;
    };
    const result = await syncer
      .sync(
        {
          revision,
          manifests: withLeftAlone(withOverlays(next.loaded.manifests, next.apps, stable), next.apps, lost),
          problems: next.loaded.problems,
          unreadablePaths: next.loaded.unreadablePaths,
          unreadableText: next.loaded.unreadableText,
          takenOver: takenOver(next.apps),
          canaryTargets: new Set(next.apps.flatMap(({ target }) => (target ? [refKey(refOf(target.object))] : []))),
          everything: all,
          drifted,
          ...(outdated < tries ? { isCurrent: async (until) => (await tip.now(until)) === revision } : {}),
        },
        signal,
      )
      .catch((error: unknown) => {
        notDone();
        throw error;
      });
    if (result.isOutdated) {
      outdated += 1;
      log.info({ revision, applied: result.applied.length }, 'Git moved on meanwhile: the newer commit is taken');
      notDone();
      woken = true;
      return;
    }
    outdated = 0;
    appliedKey = key;
    const isNews = state.synced !== revision;
    state.synced = revision;
    state.failed = result.failed.length;
    telemetry.syncFailures.set(result.failed.length);
    if (result.failed.length === 0) telemetry.syncedAt.set(Math.floor(clock.now() / 1000));
    telemetry.syncDuration.observe((clock.now() - started) / 1000);
    report(revision, [...next.loaded.problems, ...next.checked], result);
    const { applied, pruned, failed } = result;
    if (isNews || applied.length + pruned.length > 0) {
      log.info(
        {
          revision,
          applied: applied.length,
          pruned: pruned.length,
          failed: failed.length,
          ...(result.held ? { held: result.held } : {}),
        },
        `Synced ${revision.slice(0, 10)}`,
      );
    }
    onSynced(next.apps);
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
    resync() {
      everything = true;
      this.wake('resync');
    },
    desiredReplicas: (namespace, target) => replicas.get(`${namespace}/${target}`),
    async run() {
      let failures = 0;
      while (!signal.aborted) {
        woken = false;
        let waitMs = settings.pollIntervalMs;
        try {
          await pass();
          failures = 0;
          state.trouble = undefined;
          // Objects that were refused are tried again, less and less often.
          if (state.failed > 0) waitMs = Math.min(waitMs, 15_000);
        } catch (error) {
          if (signal.aborted) return;
          const said =
            error instanceof AgentError
              ? error.message
              : error instanceof Error
                ? (error.stack ?? error.message)
                : messageOf(error);
          if (said !== state.trouble) log.error(error instanceof AgentError ? { code: error.code } : {}, said);
          state.trouble = said;
          failures += 1;
          waitMs = Math.max(waitMs, backoffMs(failures - 1, { baseMs: 500, capMs: 60_000 }, Math.random()));
        }
        if (woken) continue;
        const pause = new AbortController();
        wakeUp = () => pause.abort(new Error('woken'));
        await clock.sleep(waitMs, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
        wakeUp = () => undefined;
      }
    },
  };
}

function applyChange(files: Map<string, TreeFile>, change: TreeChange): void {
  if (change.kind === 'removed') files.delete(change.path);
  else files.set(change.path, change.after);
}
