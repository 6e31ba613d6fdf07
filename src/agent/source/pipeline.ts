import { footprintOf, isTakenOver } from '../../canary/footprint.ts';
import type { App } from '../../canary/app.ts';
import type { Phase } from '../../canary/types.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import { type AppKey, keyOf, partsOf, shownKey } from '../../lib/key.ts';
import { ParsedFiles } from '../../manifest/parsed-files.ts';
import { type KubeObject, refKey } from '../../manifest/types.ts';
import type { BranchEdit } from '../../release/branch-edit.ts';
import type { PreviewedEdit } from '../../release/edit-writer.ts';
import type { Ledger } from '../../release/ledger.ts';
import { agentTrailers } from '../../release/message.ts';
import { createOutcomeWriter, type OutcomeWriter } from '../../release/writer.ts';
import { createSyncer } from '../../sync/syncer.ts';
import { createAppliedApps } from '../releases/applied-apps.ts';
import type { Claims } from './claims.ts';
import { createFirstStates } from './first-states.ts';
import { createLedgerCloser } from './ledger-closer.ts';
import { createLiveConfigs } from './live-configs.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { SourceDeps } from '../deps.ts';
import { blockedOutcomes, reportOutcomes } from './outcome-reports.ts';
import { rescaled } from './overlays.ts';
import { createOwnPart } from './own-part.ts';
import { createRefusals } from './refusals.ts';
import type { EventRecorder } from '../../outlets/event-recorder.ts';
import type { Tell } from '../../outlets/tell.ts';
import { createLedgers } from '../releases/ledgers.ts';
import { createPeopleEdits, type EditResult } from './people-edits.ts';
import { createNotices } from './notices.ts';
import { createRecordStore } from '../releases/record-store.ts';
import { createReleases, type JudgedReleases } from '../releases/releases.ts';
import type { Snapshot } from './snapshots.ts';
import { createStatusObject, notesOf } from './status-object.ts';
import { createUnserved } from './unserved.ts';
import { createSyncLoop, type SyncState } from './sync-loop.ts';
import type { Listings } from '../images/listings.ts';
import type { Look } from '../images/look.ts';
import { imageGroup } from '../images/marked.ts';
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
  /** An app as the last synced commit has it. Undefined: it has none. */
  app(key: AppKey): App | undefined;
  /** How policies look at an app's images; of what has none there is nothing. */
  looks(key: AppKey): readonly Look[];
  /** Makes a commit for a person. Undefined: commits are not written here. */
  readonly edit: ((edit: Omit<BranchEdit, 'key'>) => Promise<EditResult>) | undefined;
  /** Trees of commits, for what people want back. */
  readonly trees: OutcomeWriter['trees'];
  /** What such a commit would be. Undefined: there is no branch. Rejects where Git does not answer. */
  preview(edit: Omit<BranchEdit, 'key'>, signal: AbortSignal): Promise<PreviewedEdit | undefined>;
  /** The ledger of an app as Git last told it. Undefined: it has none that was read. */
  ledger(key: AppKey): Ledger | undefined;
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

/** Polls that fail for so long make the source not ready. */
const gitSilenceMs = 300_000;

const noEdits = { onWritten: () => undefined, onNeedless: () => undefined, onBlocked: () => undefined };

export function createPipeline(deps: SourceDeps, shared: PipelineShared, signal: AbortSignal): Pipeline {
  const { clock, cluster, log, repo, settings, source, telemetry } = deps;
  const { views, key, git, bus, recorder, tell, phaseOf, claims, isOwn, troubleOf, suffix, listings } = shared;
  const named = suffix === undefined ? {} : { source: suffix };
  const ledgers = createLedgers(deps, (app) => bus.tell('ledger-read', { app }));
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
  const people = createPeopleEdits((edit) => writer.submitEdit(edit), upgrades?.edits ?? noEdits);
  const writer = createOutcomeWriter({
    repo,
    clock,
    log,
    parsed,
    tools,
    fence: deps.fence,
    ...(deps.inTurn ? { inTurn: deps.inTurn } : {}),
    edits: people.listeners,
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
    ...(settings.repositoryUrl === undefined ? {} : { repositoryUrl: settings.repositoryUrl }),
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
      blocked: blockedOutcomes(writer),
    });
  };
  const recordFirstStates = createFirstStates({ cluster, views, key, releases, log, signal });
  const releaseOf = (app: AppKey): string => releases.releaseId(app, phaseOf(app));
  const tellRefusals = createRefusals({ applied, canaryOf, releaseOf, tell });
  const notices = createNotices(canaryOf, tell);
  const closing = createLedgerCloser({
    ledgers,
    canaries: views.canaries,
    clock,
    submit: (outcome) => writer.submit(outcome),
  });
  const ownPart = claims && createOwnPart({ source, claims, troubleOf, defaultNamespace: settings.defaultNamespace });
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
    ...(ownPart ? { shared: ownPart } : {}),
    ...(upgrades ? { onRead: (snapshot: Snapshot) => upgrades.know(snapshot) } : {}),
    toApply: createUnserved(
      async (kind) => (await cluster.resource(kind, signal)) !== undefined,
      log,
      new Set(upgrades ? [imageGroup] : []),
    ),
    onPass: showStatus,
    onSynced: (synced, checked, tree) => {
      notices.know(checked);
      // No view tells of it: the number of pods of a target is not applied to it.
      for (const app of rescaled(apps, synced)) bus.tell('app-synced', { app });
      if (apps !== synced) appByKey = new Map(synced.map((app) => [keyOf(app.id), app]));
      apps = synced;
      for (const app of applied.takeAwaited()) bus.tell('app-synced', { app });
      tellRefusals(synced);
      recordFirstStates(synced);
      closing.note(tree);
      closing.look();
      claims?.settle(source, syncer.known());
    },
    signal,
  });
  reportOutcomes({ source, writer, releases, canaryOf, tell, bus, log, telemetry, onChange: showStatus });
  syncer.onDrift((refs) => syncLoop.drifted(refs));
  git.add(syncLoop);
  // The sync may have waited for it.
  bus.on('phase-changed', ({ app, status }) => {
    notices.tell(app);
    const known = appByKey.get(app);
    if (known && status.phase === 'Initialized') recordFirstStates([known], status);
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
    ledger: (key) => ledgers.whole(key),
    app: (key) => appByKey.get(key),
    looks: (key) =>
      (upgrades?.looks() ?? []).flatMap(([{ canaries }, look]) =>
        canaries.some((id) => keyOf(id) === key) ? [look] : [],
      ),
    edit:
      settings.write === 'none'
        ? undefined
        : async (edit) => {
            const result = await people.make(edit);
            if (result.kind === 'landed') syncLoop.wake('a person has made a commit');
            return result;
          },
    trees: writer.trees,
    preview: (edit, until) => writer.previewEdit({ ...edit, key: 'preview' }, until),
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
      return notesOf({ errors, held, blocked: blockedOutcomes(writer) }, settings.namespace, suffix);
    },
    async stop() {
      syncer.stop();
      await deps.fileReader?.close?.();
    },
  };
}

/** The key of the Service that the Canary takes over, once it leads to a primary. */
function apexOf({ id: { namespace }, canary, target }: App, services: Reflection): readonly string[] {
  const { apex } = footprintOf(canary.object);
  if (!apex || !isTakenOver(services.get(namespace, apex.name), target?.object)) return [];
  return [refKey({ ...apex, namespace })];
}
