import { setMaxListeners } from 'node:events';
import { schedule, validate as isSchedule } from 'node-cron';
import type { App } from '../canary/app.ts';
import { parseStatus } from '../canary/status.ts';
import { targets } from '../canary/targets/registry.ts';
import { templateHash } from '../canary/template-hash.ts';
import type { CanaryStatus, ConfigKey, Phase } from '../canary/types.ts';
import type { Reflection } from '../cluster/cluster.ts';
import type { Revision } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { type AppKey, keyOf, partsOf } from '../lib/key.ts';
import { createOutbox } from '../lib/outbox.ts';
import { ParsedFiles } from '../manifest/parsed-files.ts';
import { type KubeObject, refKey, refOf } from '../manifest/types.ts';
import type { Outcome } from '../release/types.ts';
import { createOutcomeWriter } from '../release/writer.ts';
import { createSyncer } from '../sync/syncer.ts';
import { createAppliedApps } from './applied.ts';
import { createCanaryLoop } from './canary-loop.ts';
import { createClosing } from './closing.ts';
import { openClusterKey } from './cluster-key.ts';
import type { Deps } from './deps.ts';
import { rescaled } from './desired.ts';
import { createDropReport } from './dropped.ts';
import { createEventRecorder } from './event-recorder.ts';
import { createEffects } from './execute.ts';
import { createGates, type Gates } from './gates.ts';
import { createLedgers } from './ledgers.ts';
import { createRecordStore } from './record-store.ts';
import { createReleases } from './releases.ts';
import { createStatusObject, notesOf } from './status-object.ts';
import { createSyncLoop } from './sync-loop.ts';
import { createNotices } from './notices.ts';
import { notingWrites } from './own-writes.ts';
import { openViews } from './views.ts';

export interface Agent {
  /** Reasons why it is not ready; empty when it is. */
  notReady(): readonly string[];
  /** What a person should know although it is ready. */
  notes(): readonly string[];
  /** Reasons for a restart; empty when it lives. */
  notAlive(): readonly string[];
  /** Asks Git now instead of at the next poll. */
  pollNow(): void;
  /** Last applied commit; undefined before the first. */
  readonly synced: string | undefined;
  /** The approval gates and rollback switches of its Canaries. */
  readonly gates: Gates;
  /** Outcomes that wait for their push. */
  readonly pendingOutcomes: number;
  /** Ends all work at the next safe point and waits for it. */
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

/** How long steps under way may take when the agent stops. */
const stopPatienceMs = 5_000;
/** How long events and alerts that wait may take then. */
const lastWordsMs = 2_000;
/** Messages that may wait for one receiver. */
const outboxLimit = 1_000;
/** Polls that fail for so long make the agent not ready. */
const gitSilenceMs = 300_000;

/** Starts the whole agent; it runs until it is stopped. */
export function startAgent(deps: Deps): Agent {
  const { clock, cluster, log, repo, settings, telemetry } = deps;
  if (!isSchedule(settings.resyncSchedule)) {
    throw new AgentError(
      'CONFIG_INVALID',
      `--resync-schedule: "${settings.resyncSchedule}" is no cron schedule; write it like */10 * * * *`,
    );
  }
  const ending = new AbortController();
  const { signal } = ending;
  // As many wait for it as there are canaries.
  setMaxListeners(0, signal);
  log.info(
    { version: settings.version, cluster: settings.clusterName },
    `Starting serin version ${settings.version} mesh provider ${settings.provider}`,
  );

  const key = openClusterKey({ cluster, clock, log, namespace: settings.namespace }, signal);
  const views = openViews({ cluster, clock, namespace: settings.watchNamespace, key }, signal);
  const recorder = createEventRecorder(
    { cluster, clock, log, component: settings.eventSource, onDropped: (count) => telemetry.eventsDropped.inc(count) },
    signal,
  );
  const ledgers = createLedgers(deps);
  const parsed = new ParsedFiles(deps.fileReader);
  const bounds = {
    ...(settings.own === undefined ? {} : { own: settings.own }),
    ...(settings.tenancy === undefined ? {} : { tenancy: settings.tenancy }),
    placeOf: (key: string) => syncer.placeOf(key),
  };
  const writer = createOutcomeWriter({
    repo,
    clock,
    log,
    parsed,
    kustomize: deps.kustomize,
    editor: deps.fileReader?.edit ? { edit: deps.fileReader.edit } : undefined,
    settings: {
      path: settings.path,
      ledgerDir: settings.ledgerDir,
      author: settings.author,
      cluster: settings.clusterName,
      agentVersion: settings.version,
      write: settings.write,
      tagPrefix: settings.tagPrefix,
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
    deps,
    submit: (outcome) => {
      writer.submit(outcome);
      telemetry.outcomesPending.set(writer.pending().length);
      showStatus();
    },
    store: createRecordStore(cluster, settings.namespace, settings.watchNamespace),
    isWriting: settings.write !== 'none',
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
  const outbox = createOutbox({
    clock,
    limit: outboxLimit,
    onDropped: createDropReport(deps),
    onError: (_receiver, error) => log.error({ reason: messageOf(error) }, 'a message could not be sent'),
  });
  const statusObject = createStatusObject({ cluster, clock, log, recorder, namespace: settings.namespace }, signal);
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
  const noted = notingWrites(cluster, (object) => views.wrote(object));
  const effects = createEffects({ ...deps, cluster: noted }, { recorder, releases, outbox, key });
  const syncer = createSyncer({ cluster, clock, log, settings });

  const phases = new Map<AppKey, Phase>();
  const phaseOf = (key: AppKey): Phase | undefined => {
    const canary = canaryOf(key);
    // The view follows our own status write by a moment; what was written counts.
    if (!canary) phases.delete(key);
    return canary && (phases.get(key) ?? parseStatus(canary).phase);
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
      effects.tell(canary, id, { type: 'Warning', level: 'error', message });
    }
  };
  const notices = createNotices(canaryOf, (canary, spec, event) => effects.tell(canary, spec, event));
  const closing = createClosing({
    ledgers,
    canaries: views.canaries,
    clock,
    submit: (outcome) => writer.submit(outcome),
  });
  // Its Canary may take its time to hand everything back.
  views.canaries.onChange((change) => {
    if (change.kind !== 'deleted') return;
    releases.left(keyOf(change.object.metadata));
    closing.look();
  });
  let apps: readonly App[] = [];
  let appByKey: ReadonlyMap<AppKey, App> = new Map();
  const syncLoop = createSyncLoop({
    deps,
    syncer,
    releases,
    applied,
    ledgers,
    parsed,
    phaseOf,
    takenOver: (synced) => new Set(synced.flatMap((app) => apexOf(app, views.services))),
    onPass: showStatus,
    onSynced: (synced, checked, tree) => {
      notices.know(checked);
      // No view tells of it: the number of pods of a target is not applied to it.
      for (const key of rescaled(apps, synced)) canaryLoop.wake(key);
      if (apps !== synced) appByKey = new Map(synced.map((app) => [keyOf(app.id), app]));
      apps = synced;
      for (const key of applied.takeAwaited()) canaryLoop.wake(key);
      tellRefusals(synced);
      adoptAll(synced);
      closing.note(tree);
      closing.look();
    },
    signal,
  });
  const onPhase = (key: AppKey, status: CanaryStatus): void => {
    phases.set(key, status.phase);
    notices.tell(key);
    const app = appByKey.get(key);
    if (app && status.phase === 'Initialized') adoptAll([app], status);
    if (['Initialized', 'Failed', 'Succeeded'].includes(status.phase)) syncLoop.wake(status.phase);
  };
  const canaryLoop = createCanaryLoop({
    deps,
    views,
    key,
    effects,
    releases,
    desiredReplicas: (namespace, target) => syncLoop.desiredReplicas(namespace, target),
    workloadsInGit: (namespace) => syncLoop.workloads(namespace),
    onPhase,
    signal,
  });

  const countPending = (): void => {
    const pending = writer.pending();
    telemetry.outcomesPending.set(pending.length);
    telemetry.outcomesBlocked.set(pending.filter(({ blocked }) => blocked !== undefined).length);
  };
  const noteSettled = (outcome: Outcome, revision: Revision): void => {
    releases.written(outcome, revision).then(
      () => syncLoop.wake('an outcome landed'),
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
      effects.tell(canary, { namespace, name }, { type: 'Warning', level: 'info', message });
    noteSettled(outcome, tip);
  });
  writer.onBlocked((outcome, reason) => {
    telemetry.outcomes.inc({ verdict: outcome.verdict, result: 'blocked' });
    countPending();
    showStatus();
    const { namespace, name } = outcome.app;
    const canary = views.canaries.get(namespace, name);
    if (canary)
      effects.tell(
        canary,
        { namespace, name },
        {
          type: 'Warning',
          level: 'error',
          message: `${titleOf(outcome)} cannot be written to Git: ${reason}`,
        },
      );
    releases
      .blocked(outcome, reason)
      .catch((error: unknown) => log.error({ reason: messageOf(error) }, 'a pending outcome could not be noted'));
  });
  syncer.onDrift((refs) => syncLoop.drifted(refs));
  const resync = schedule(settings.resyncSchedule, () => syncLoop.resync());

  let died: string | undefined;
  const keep = (work: Promise<void>, what: string): Promise<void> =>
    work.catch((error: unknown) => {
      if (signal.aborted) return;
      died = `${what} ended: ${messageOf(error)}`;
      log.error({ error: error instanceof Error ? error.stack : String(error) }, died);
    });
  const start = async (): Promise<void> => {
    // Nothing is decided before the world has been seen once.
    const { canaries, deployments, services, templates } = views;
    const seen = Promise.all([canaries.synced, deployments.synced, services.synced, templates.synced]);
    // Where the cluster never answers, the agent can be stopped all the same.
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([seen, stopped]);
    if (signal.aborted) return;
    await views.findScalers();
    await releases.load(views.canaries.list());
    await syncLoop.run();
  };
  const work = [keep(start(), 'the sync'), keep(writer.run(signal), 'the writer'), key.known];

  return {
    get synced() {
      return syncLoop.state.synced;
    },
    get pendingOutcomes() {
      return writer.pending().length;
    },
    gates: createGates({ cluster, canaries: views.canaries }, signal),
    pollNow: () => syncLoop.wake('asked to'),
    notAlive: () => (died === undefined ? [] : [died]),
    notReady() {
      const { synced, lastPollMs, trouble, isGitSilent } = syncLoop.state;
      const reasons = [...views.trouble(), ...[key.trouble, releases.trouble].filter((reason) => reason !== undefined)];
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
      return notesOf({ errors, held, blocked: blockedOutcomes() }, settings.namespace);
    },
    async stop() {
      await resync.stop();
      // Steps under way may finish; one that waits for a slow webhook is cut, and decided again after the next start.
      const patience = new AbortController();
      await Promise.race([canaryLoop.stop(), clock.sleep(stopPatienceMs, patience.signal).catch(() => undefined)]);
      patience.abort(new Error('stopped'));
      await Promise.all([recorder.drain(lastWordsMs), outbox.close(lastWordsMs)]);
      ending.abort(new Error('the agent stops'));
      syncer.stop();
      await deps.fileReader?.close?.();
      await Promise.all(work);
    },
  };
}

/** The apex service's key once the Canary controls it or has pointed it to the primary. */
function apexOf({ id: { namespace }, canary, targetKind }: App, services: Reflection): readonly string[] {
  // Only where there are pods that a selector could lead to.
  if (targets[targetKind].scaling === undefined) return [];
  const spec = canary.object['spec'] as { service?: { name?: string }; targetRef?: { name?: string } } | undefined;
  const name = spec?.service?.name ?? spec?.targetRef?.name ?? '';
  const selector =
    (services.get(namespace, name)?.['spec'] as { selector?: Record<string, string> } | undefined)?.selector ?? {};
  const isTaken = Object.values(selector).some((value) => value.endsWith('-primary'));
  return isTaken ? [refKey({ apiVersion: 'v1', kind: 'Service', namespace, name })] : [];
}
