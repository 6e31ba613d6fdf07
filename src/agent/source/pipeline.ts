import { footprintOf, isTakenOver } from '../../canary/footprint.ts';
import { type App, findApps } from '../../canary/app.ts';
import { targets } from '../../canary/targets/registry.ts';
import { templateHash } from '../../canary/template-hash.ts';
import type { CanaryStatus, ConfigKey, Phase } from '../../canary/types.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import type { Revision } from '../../git/repo.ts';
import { messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, partsOf, shownKey } from '../../lib/key.ts';
import { createTurns } from '../../lib/turns.ts';
import { ParsedFiles } from '../../manifest/parsed-files.ts';
import { type KubeObject, type Manifest, refKey, refOf } from '../../manifest/types.ts';
import type { Outcome } from '../../release/types.ts';
import { agentTrailers } from '../../release/message.ts';
import { createOutcomeWriter } from '../../release/writer.ts';
import { createSyncer } from '../../sync/syncer.ts';
import { createAppliedApps } from '../releases/applied-apps.ts';
import type { Claims } from './claims.ts';
import { createLedgerCloser } from './ledger-closer.ts';
import { createLiveConfigs } from './live-configs.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { SourceDeps } from '../deps.ts';
import { rescaled } from './overlays.ts';
import type { EventRecorder } from '../../outlets/event-recorder.ts';
import type { Tell } from '../../outlets/tell.ts';
import { createLedgers } from '../releases/ledgers.ts';
import { createNotices } from './notices.ts';
import { createRecordStore } from '../releases/record-store.ts';
import { createReleases, type JudgedReleases } from '../releases/releases.ts';
import type { Snapshot } from './snapshots.ts';
import { createStatusObject, notesOf } from './status-object.ts';
import { createSyncLoop, type SyncState } from './sync-loop.ts';
import type { Listings } from '../images/listings.ts';
import { withoutUnserved } from '../images/marked.ts';
import { createUpgrades } from '../images/upgrades.ts';
import type { GitView } from '../views/git-view.ts';
import type { Views } from '../views/views.ts';
import type { Bus } from '../bus.ts';

/** What a pipeline shares with the canaries and with other sources. */
export interface PipelineShared {
  readonly views: Views;
  readonly key: Pick<ClusterKey, 'statusOf' | 'salt'>;
  readonly recorder: EventRecorder;
  readonly tell: Tell;
  /** For what Git says of replicas and workloads. */
  readonly git: { add(source: GitView): void };
  readonly bus: Bus;
  readonly phaseOf: (key: AppKey) => Phase | undefined;
  /** Absent: there is one source. */
  readonly claims?: Claims;
  /** Whether the record of an app's release is this source's. */
  readonly isOwn: (key: AppKey) => boolean;
  /** Why another source does not answer; undefined: it does. */
  readonly troubleOf: (source: string) => string | undefined;
  /** In the names of what it keeps in the cluster. Absent: they are as where there is one source. */
  readonly suffix?: string;
  /** What registries have. Absent: no image is upgraded. */
  readonly listings?: Listings;
}

/** From one source to the cluster, and outcomes back to it. Its own trouble is nobody else's. */
export interface Pipeline {
  readonly source: string;
  readonly state: SyncState;
  readonly releases: JudgedReleases;
  readonly pendingOutcomes: number;
  /** Reads what was applied before and claims it. Throws CLUSTER_UNREACHABLE. */
  open(): Promise<void>;
  /** Reads the records of releases, once the world was seen. */
  load(canaries: readonly KubeObject[]): Promise<void>;
  /** Poll, read, plan, apply, until the agent stops. */
  sync(): Promise<void>;
  /** Outcomes to the branch, until the agent stops. */
  write(): Promise<void>;
  wake(reason: string): void;
  resync(): void;
  /** Why it is not ready; empty when it is. */
  notReady(): readonly string[];
  /** What a person should know although it is ready. */
  notes(): readonly string[];
  stop(): Promise<void>;
}

const outcomeNames = {
  promoted: 'Promotion',
  'rolled-back': 'Rollback',
  adopted: 'First state',
  removed: 'Closing',
  withdrawn: 'Withdrawal',
} as const;

const titleOf = ({ verdict, app: { namespace, name } }: Outcome): string =>
  `${outcomeNames[verdict]} of ${name}.${namespace}`;

/** Polls that fail for so long make the source not ready. */
const gitSilenceMs = 300_000;

export function createPipeline(deps: SourceDeps, shared: PipelineShared, signal: AbortSignal): Pipeline {
  const { clock, cluster, log, repo, settings, source, telemetry } = deps;
  const { views, key, git, bus, recorder, tell, phaseOf, claims, isOwn, troubleOf, suffix, listings } = shared;
  const named = suffix === undefined ? {} : { source: suffix };
  const ledgers = createLedgers(deps);
  const parsed = new ParsedFiles(deps.fileReader);
  const live = createLiveConfigs(
    { cluster, views, clock, onChange: (what) => syncLoop.outdated(`${what} changed`) },
    signal,
  );
  const tools = { ...deps.tools, live, salt: () => key.salt() };
  const syncer = createSyncer({
    cluster,
    clock,
    log,
    settings,
    fence: deps.fence,
    ...(claims ? { shared: { ...named, isElsewhere: (one) => claims.isWantedElsewhere(source, one) } } : {}),
  });
  const bounds = {
    ...(settings.repositoryUrl === undefined ? {} : { repositoryUrl: settings.repositoryUrl }),
    ...(settings.repositoryBranch === undefined ? {} : { repositoryBranch: settings.repositoryBranch }),
    ...(settings.own === undefined ? {} : { own: settings.own }),
    ...(settings.tenancy === undefined ? {} : { tenancy: settings.tenancy }),
    placeOf: (key: string) => syncer.placeOf(key),
  };
  const isUpgrading = settings.imageUpdates === 'direct' && settings.write !== 'none' && !settings.suspend;
  const upgrades =
    listings && isUpgrading
      ? createUpgrades({
          source,
          clock,
          log,
          repo,
          listings,
          settings,
          trailers: agentTrailers({ cluster: settings.clusterName, agentVersion: settings.version }),
          ledger: (app) => ledgers.whole(app),
          submit: (edit) => writer.submitEdit(edit),
          tell(app, event) {
            const canary = canaryOf(app);
            if (canary) tell(canary, partsOf(app), event, undefined);
            // Whoever is told of a Canary logs it, too.
            else log[event.type === 'Warning' ? 'warn' : 'info']({ app: shownKey(app) }, event.message);
          },
          onLanded: () => syncLoop.wake('an image was upgraded'),
          telemetry,
        })
      : undefined;
  const writer = createOutcomeWriter({
    repo,
    clock,
    log,
    parsed,
    tools,
    fence: deps.fence,
    ...(deps.inTurn ? { inTurn: deps.inTurn } : {}),
    ...(upgrades ? { edits: upgrades.edits } : {}),
    editor: deps.fileReader?.edit ? { edit: deps.fileReader.edit } : undefined,
    settings: {
      path: settings.path,
      ledgerDir: settings.ledgerDir,
      author: settings.author,
      cluster: settings.clusterName,
      agentVersion: settings.version,
      write: settings.write,
      tagPrefix: settings.tagPrefix,
      keepsProven: settings.rollbackWindowMs !== undefined,
      defaultNamespace: settings.defaultNamespace,
      ...bounds,
    },
  });
  const canaryOf = (key: AppKey): KubeObject | undefined => {
    const { namespace, name } = partsOf(key);
    return views.canaries.get(namespace, name);
  };
  const applied = createAppliedApps({ clock, hasSeen: (ref, version) => views.hasSeen(ref, version) });
  const releases = createReleases({
    own: views.own,
    deps,
    submit: (outcome) => {
      writer.submit(outcome);
      telemetry.outcomesPending.set(writer.pending().length);
      showStatus();
    },
    store: createRecordStore(cluster, settings.namespace, isOwn),
    isWriting: settings.write !== 'none',
    rollbackWindowMs: settings.write === 'none' ? undefined : settings.rollbackWindowMs,
    isProving: true,
    isThere: (key) => canaryOf(key) !== undefined,
    onTold: (key, message) => {
      const canary = canaryOf(key);
      if (canary) recorder.record(canary, { type: 'Warning', level: 'error', message });
    },
    ledger: (key) => ledgers.get(key),
    applied,
    signal,
  });
  const statusObject = createStatusObject(
    { cluster, clock, log, recorder, namespace: settings.namespace, ...named },
    signal,
  );
  const blockedOutcomes = (): readonly string[] =>
    writer
      .pending()
      .flatMap(({ outcome, blocked }) => (blocked === undefined ? [] : [`${titleOf(outcome)}: ${blocked}`]));
  const showStatus = (): void => {
    const { tip, synced, syncedAtMs, errors, held, trouble } = syncLoop.state;
    const { path } = settings;
    if (tip === undefined && trouble === undefined) return;
    statusObject.update({
      branch: repo.branch,
      path,
      revision: tip,
      synced,
      syncedAtMs,
      errors,
      held,
      trouble,
      pendingOutcomes: writer.pending().length,
      blocked: blockedOutcomes(),
    });
  };
  /**
   * An app at rest without a ledger entry is recorded. `written` is its status where the view is still behind it. Only what the primary
   * was made from: a newer push that stands in Git and in the target already has not been judged.
   */
  const adopt = async (app: App, written?: CanaryStatus): Promise<void> => {
    const { id, target } = app;
    const canary = views.canaries.get(id.namespace, id.name);
    if (!canary || !target || releases.stableOf(keyOf(id))) return;
    const status = written ?? key.statusOf(canary);
    if (status.phase !== 'Initialized' && status.phase !== 'Succeeded') return;
    const live = await cluster.get(refOf(target.object), signal);
    const revised = live && targets[app.targetKind].revised(live);
    if (revised === undefined || templateHash(revised) !== status.lastPromotedSpec) return;
    for (const [config, checksum] of Object.entries(status.trackedConfigs ?? {})) {
      if ((await views.config(id.namespace, config as ConfigKey))?.checksum !== checksum) return;
    }
    releases.adopt(canary, status.lastPromotedSpec, status.trackedConfigs ?? {}, app.content);
  };
  const adoptAll = (found: readonly App[], written?: CanaryStatus): void => {
    for (const app of found) {
      adopt(app, written).catch((error: unknown) => {
        if (!signal.aborted)
          log.warn({ reason: messageOf(error) }, 'a first state could not be looked at; the next sync does');
      });
    }
  };
  /** What was last told of each app that could not be applied as a whole. */
  const toldRefusals = new Map<AppKey, string>();
  const tellRefusals = (synced: readonly App[]): void => {
    for (const { id } of synced) {
      const { namespace, name } = id;
      const key = keyOf(id);
      const why = applied.refusal(key);
      const canary = views.canaries.get(namespace, name);
      if (why === undefined) toldRefusals.delete(key);
      if (why === undefined || why === toldRefusals.get(key) || !canary) continue;
      toldRefusals.set(key, why);
      const message = `No release of ${name}.${namespace} begins until all of what Git says is applied: ${why}`;
      tell(canary, id, { type: 'Warning', level: 'error', message }, releases.releaseId(key, phaseOf(key)));
    }
  };
  const notices = createNotices(canaryOf, tell);
  const closing = createLedgerCloser({
    ledgers,
    canaries: views.canaries,
    clock,
    submit: (outcome) => writer.submit(outcome),
  });
  const turns = createTurns();
  let bounded: { readonly whole: Snapshot; readonly own: Snapshot } | undefined;
  /** What of a commit is this source's: others may have some of its objects already. */
  const within = async (whole: Snapshot, lookedAtMs: number): Promise<Snapshot> => {
    if (!claims) return whole;
    const { loaded } = whole;
    const { manifests, refused } = claims.take(source, loaded.manifests, lookedAtMs);
    if (refused.length === 0) return whole;
    const before = bounded?.whole.loaded === loaded ? bounded.own : undefined;
    if (before && before.loaded.manifests.length === manifests.length && isEach(before.loaded.manifests, manifests))
      return { ...whole, loaded: before.loaded, apps: before.apps };
    const apps = await turns.run(findApps(manifests, settings.defaultNamespace, bounded?.own.apps));
    const own = { ...whole, loaded: { ...loaded, manifests, problems: [...loaded.problems, ...refused] }, apps };
    bounded = { whole, own };
    return own;
  };
  const waitsFor = (all: Claims, sinceMs: number): { readonly held: string | undefined } | undefined => {
    const late = all.behind(source, sinceMs);
    if (late === undefined) return undefined;
    const trouble = troubleOf(late);
    if (trouble === undefined) return { held: undefined };
    const why = `what is gone from Git may stand in the source ${late} by now, which cannot be read`;
    return { held: `nothing is deleted: ${why} (${trouble.split('\n', 1)[0] ?? ''})` };
  };
  let apps: readonly App[] = [];
  let appByKey: ReadonlyMap<AppKey, App> = new Map();
  const syncLoop = createSyncLoop({
    deps: { ...deps, tools },
    syncer,
    releases,
    applied,
    ledgers,
    parsed,
    phaseOf,
    takenOver: (synced) => new Set(synced.flatMap((app) => apexOf(app, views.services))),
    ...(claims ? { shared: { within, pruneWaitsFor: (sinceMs: number) => waitsFor(claims, sinceMs) } } : {}),
    ...(upgrades
      ? {
          onRead: (snapshot: Snapshot) => upgrades.know(snapshot),
          toApply: (manifests: readonly Manifest[]) =>
            withoutUnserved(manifests, async (kind) => (await cluster.resource(kind, signal)) !== undefined),
        }
      : {}),
    onPass: showStatus,
    onSynced: (synced, checked, tree) => {
      notices.know(checked);
      // No view tells of it: the number of pods of a target is not applied to it.
      for (const app of rescaled(apps, synced)) bus.tell('app-synced', { app });
      if (apps !== synced) appByKey = new Map(synced.map((app) => [keyOf(app.id), app]));
      apps = synced;
      for (const app of applied.takeAwaited()) bus.tell('app-synced', { app });
      tellRefusals(synced);
      adoptAll(synced);
      closing.note(tree);
      closing.look();
      claims?.settle(source, syncer.known());
    },
    signal,
  });
  const countPending = (): void => {
    const pending = writer.pending();
    telemetry.outcomesPending.set(pending.length);
    telemetry.outcomesBlocked.set(pending.filter(({ blocked }) => blocked !== undefined).length);
  };
  const noteSettled = (outcome: Outcome, revision: Revision): void => {
    releases.written(outcome, revision).then(
      () => bus.tell('outcome-landed', { source }),
      (error: unknown) => log.error({ reason: messageOf(error) }, 'a landed outcome could not be noted'),
    );
  };
  writer.onWritten((outcome, revision) => {
    telemetry.outcomes.inc({ verdict: outcome.verdict, result: 'written' });
    countPending();
    showStatus();
    noteSettled(outcome, revision);
  });
  writer.onNeedless((outcome, tip, reason) => {
    telemetry.outcomes.inc({ verdict: outcome.verdict, result: 'needless' });
    countPending();
    showStatus();
    const { namespace, name } = outcome.app;
    const canary = views.canaries.get(namespace, name);
    const message = `${titleOf(outcome)} is not written to Git: ${reason}`;
    if (canary && outcome.verdict === 'promoted')
      tell(canary, { namespace, name }, { type: 'Warning', level: 'info', message }, outcome.releaseId);
    noteSettled(outcome, tip);
  });
  writer.onBlocked((outcome, reason) => {
    telemetry.outcomes.inc({ verdict: outcome.verdict, result: 'blocked' });
    countPending();
    showStatus();
    const { namespace, name } = outcome.app;
    const canary = views.canaries.get(namespace, name);
    if (canary)
      tell(
        canary,
        { namespace, name },
        {
          type: 'Warning',
          level: 'error',
          message: `${titleOf(outcome)} cannot be written to Git: ${reason}`,
        },
        outcome.releaseId,
      );
    releases
      .blocked(outcome, reason)
      .catch((error: unknown) => log.error({ reason: messageOf(error) }, 'a pending outcome could not be noted'));
  });
  syncer.onDrift((refs) => syncLoop.drifted(refs));
  git.add(syncLoop);
  // The sync may have waited for it.
  bus.on('phase-changed', ({ app, status }) => {
    notices.tell(app);
    const known = appByKey.get(app);
    if (known && status.phase === 'Initialized') adoptAll([known], status);
    if (['Initialized', 'Failed', 'Succeeded'].includes(status.phase)) syncLoop.wake(status.phase);
  });
  // Its Canary may have taken its time to hand everything back.
  bus.on('canary-gone', ({ app }) => {
    releases.left(app);
    closing.look();
  });
  bus.on('outcome-landed', (landed) => {
    if (landed.source === source) syncLoop.wake('an outcome landed');
  });
  bus.on('claim-freed', (freed) => {
    if (freed.source === source) syncLoop.wake('another source');
  });

  return {
    source,
    get state() {
      return syncLoop.state;
    },
    releases,
    get pendingOutcomes() {
      return writer.pending().length;
    },
    async open() {
      await syncer.open(signal);
      claims?.open(source, syncer.known());
    },
    load: (canaries) => releases.load(canaries),
    sync: () => syncLoop.run(),
    async write() {
      await Promise.all([writer.run(signal), upgrades?.run(signal)]);
    },
    wake: (reason) => syncLoop.wake(reason),
    resync: () => syncLoop.resync(),
    notReady() {
      const { synced, lastPollMs, trouble, isGitSilent } = syncLoop.state;
      const reasons = releases.trouble === undefined ? [] : [releases.trouble];
      if (synced === undefined && !settings.suspend)
        reasons.push(`nothing is synced yet${trouble === undefined ? '' : `: ${trouble}`}`);
      else if (clock.now() - lastPollMs > gitSilenceMs)
        reasons.push(`Git was not reached for ${Math.round((clock.now() - lastPollMs) / 1000)} s`);
      else if (trouble !== undefined && !isGitSilent)
        reasons.push(`the last sync failed: ${trouble.split('\n')[0] ?? ''}`);
      return reasons;
    },
    notes() {
      const { errors, held } = syncLoop.state;
      return notesOf({ errors, held, blocked: blockedOutcomes() }, settings.namespace, suffix);
    },
    async stop() {
      syncer.stop();
      await deps.fileReader?.close?.();
    },
  };
}

const isEach = <Item>(one: readonly Item[], other: readonly Item[]): boolean =>
  one.every((item, at) => item === other[at]);

/** The key of the Service that the Canary takes over, once it leads to a primary. */
function apexOf({ id: { namespace }, canary, target }: App, services: Reflection): readonly string[] {
  const { apex } = footprintOf(canary.object);
  if (!apex || !isTakenOver(services.get(namespace, apex.name), target?.object)) return [];
  return [refKey({ ...apex, namespace })];
}
