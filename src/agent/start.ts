import { setMaxListeners } from 'node:events';
import { schedule, validate as isSchedule } from 'node-cron';
import { parseStatus } from '../canary/status.ts';
import type { Phase } from '../canary/types.ts';
import { backoffMs } from '../lib/backoff.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { createInTurn } from '../lib/in-turn.ts';
import { type AppKey, keyOf, partsOf } from '../lib/key.ts';
import { readReference, repositoryOf } from '../images/reference.ts';
import { identityKey } from '../manifest/identity.ts';
import type { KubeObject } from '../manifest/types.ts';
import { createCanaryLoop } from './canaries/canary-loop.ts';
import { createClaims } from './source/claims.ts';
import { openClusterKey } from './views/cluster-key.ts';
import { defaultSource, type Deps } from './deps.ts';
import { openOutlets } from '../outlets/open-outlets.ts';
import { createEventRecorder } from '../outlets/event-recorder.ts';
import { createEffects } from './effects/execute.ts';
import { tellFormerSources } from './source/former-sources.ts';
import { openListings } from './images/open-listings.ts';
import { createGates, type Gates } from './canaries/gates.ts';
import { notingWrites } from './views/own-writes.ts';
import { createPipeline, type Pipeline } from './source/pipeline.ts';
import { createRoutedReleases } from './releases/routed-releases.ts';
import { sourceTelemetry } from './source-telemetry.ts';
import { openViews } from './views/views.ts';

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
  /** Looks at an image's registry now: `HOST/NAME`. Gives how many repositories are looked at; none, where no policy wants it. */
  imagePushed(image: string): number;
  /** Ends all work at the next safe point and waits for it. */
  stop(): Promise<void>;
}

/** How long steps under way may take when the agent stops. */
const stopPatienceMs = 5_000;
/** How long events and alerts that wait may take then. */
const lastWordsMs = 2_000;
/** Starts the whole agent; it runs until it is stopped. */
export function startAgent(deps: Deps): Agent {
  const { clock, cluster, log, settings, sources, telemetry } = deps;
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
  const canaryOf = (key: AppKey): KubeObject | undefined => {
    const { namespace, name } = partsOf(key);
    return views.canaries.get(namespace, name);
  };
  const outlets = openOutlets(deps, recorder);
  const phases = new Map<AppKey, Phase>();
  const phaseOf = (key: AppKey): Phase | undefined => {
    const canary = canaryOf(key);
    // The view follows our own status write by a moment; what was written counts.
    if (!canary) phases.delete(key);
    return canary && (phases.get(key) ?? parseStatus(canary).phase);
  };
  const isShared = sources.length > 1;
  const claims = isShared
    ? createClaims(
        sources.map(({ name }) => name),
        (name) => pipelineOf(name)?.wake('another source'),
      )
    : undefined;
  const pipelineOf = (name: string | undefined): Pipeline | undefined =>
    pipelines.find(({ source }) => source === name);
  const ownerOf = (app: AppKey): string | undefined =>
    claims?.ownerOf(identityKey({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', ...partsOf(app) }));
  const listings = openListings(deps);
  // Two that push at once only make each other late.
  const pushes = createInTurn();
  const pipelines: readonly Pipeline[] = sources.map(
    ({ name, repo, remote, fileReader, tools, settings: own }, index) => {
      const suffix = name === defaultSource ? undefined : name;
      const isOfFirst = (app: AppKey): boolean => {
        const owner = ownerOf(app);
        // What nobody has is looked after by one of them.
        return owner === undefined ? index === 0 : owner === name;
      };
      return createPipeline(
        {
          ...deps,
          source: name,
          repo,
          ...(fileReader ? { fileReader } : {}),
          ...(tools ? { tools } : {}),
          ...(remote === undefined ? {} : { inTurn: (push) => pushes(remote, push) }),
          log: isShared ? log.child({ source: name }) : log,
          settings: { ...settings, ...own },
          telemetry: sourceTelemetry(telemetry, isShared ? name : suffix),
        },
        {
          views,
          key,
          recorder,
          tell: (canary, spec, event) => effects.tell(canary, spec, event),
          wake: (app) => canaryLoop.wake(app),
          phaseOf,
          ...(claims ? { claims } : {}),
          isOwn: (app) =>
            (settings.watchNamespace === undefined || partsOf(app).namespace === settings.watchNamespace) &&
            isOfFirst(app),
          troubleOf: (other) => pipelineOf(other)?.state.trouble,
          ...(suffix === undefined ? {} : { suffix }),
          ...(listings ? { listings } : {}),
        },
        signal,
      );
    },
  );
  const [first] = pipelines;
  if (!first) throw new AgentError('CONFIG_INVALID', 'there is no source to watch');
  /** Of an app that no source has, one that knows Git says so. */
  const releases = isShared
    ? createRoutedReleases((app) => {
        const known = pipelineOf(ownerOf(app)) ?? pipelines.find((one) => one.releases.isReady(app)) ?? first;
        return known.releases;
      })
    : first.releases;
  const noted = notingWrites(cluster, (object) => views.wrote(object));
  const effects = createEffects({ ...deps, cluster: noted }, { releases, outlets, key });
  // Its Canary may take its time to hand everything back.
  views.canaries.onChange((change) => {
    if (change.kind !== 'deleted') return;
    for (const one of pipelines) one.left(keyOf(change.object.metadata));
  });
  const canaryLoop = createCanaryLoop({
    deps,
    views,
    key,
    effects,
    outlets,
    releases,
    desiredReplicas: (namespace, target) =>
      pipelines.map((one) => one.desiredReplicas(namespace, target)).find((count) => count !== undefined),
    workloadsInGit: (namespace) => pipelines.flatMap((one) => one.workloads(namespace)),
    onPhase(app, status) {
      phases.set(app, status.phase);
      for (const one of pipelines) one.onPhase(app, status);
    },
    signal,
  });
  const resync = schedule(settings.resyncSchedule, () => {
    for (const one of pipelines) one.resync();
  });

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
    const names = sources.map(({ name }) => name);
    await tellFormerSources({ cluster, log, namespace: settings.namespace }, names, signal);
    // Whose an object is, is known before any source is looked at.
    if (isShared) await openAll(pipelines, deps, signal);
    if (signal.aborted) return;
    await Promise.all(
      pipelines.map(async (one) => {
        await one.load(views.canaries.list());
        await one.sync();
      }),
    );
  };
  const work = [
    keep(start(), 'the sync'),
    ...pipelines.map((one) => keep(one.write(), 'the writer')),
    ...(listings ? [keep(listings.run(signal), 'the look at registries')] : []),
    key.known,
  ];
  /** With whose trouble it is, where there are several. */
  const named = (said: (one: Pipeline) => readonly string[]): readonly string[] =>
    pipelines.flatMap((one) => said(one).map((text) => (isShared ? `source ${one.source}: ${text}` : text)));

  return {
    get synced() {
      return first.state.synced;
    },
    get pendingOutcomes() {
      return pipelines.reduce((sum, one) => sum + one.pendingOutcomes, 0);
    },
    gates: createGates({ cluster, canaries: views.canaries }, signal),
    pollNow() {
      for (const one of pipelines) one.wake('asked to');
    },
    notAlive: () => (died === undefined ? [] : [died]),
    notReady() {
      const own = [...views.trouble(), ...(key.trouble === undefined ? [] : [key.trouble])];
      // One that fails must not take the others' gates and rollouts along: it is a note then.
      const isAnyReady = pipelines.some((one) => one.notReady().length === 0);
      return isAnyReady ? own : [...own, ...named((one) => one.notReady())];
    },
    notes() {
      const isAnyReady = pipelines.some((one) => one.notReady().length === 0);
      return named((one) => [...(isAnyReady ? one.notReady() : []), ...one.notes()]);
    },
    imagePushed(image) {
      const named = readReference(image);
      if ('problem' in named || !listings) return 0;
      return listings.poke((one) => repositoryOf(one) === repositoryOf(named));
    },
    async stop() {
      await resync.stop();
      // Steps under way may finish; one that waits for a slow webhook is cut, and decided again after the next start.
      const patience = new AbortController();
      await Promise.race([canaryLoop.stop(), clock.sleep(stopPatienceMs, patience.signal).catch(() => undefined)]);
      patience.abort(new Error('stopped'));
      await outlets.close(lastWordsMs);
      ending.abort(new Error('the agent stops'));
      await Promise.all(pipelines.map((one) => one.stop()));
      await Promise.all(work);
    },
  };
}

/** Reads the inventories of all sources; waits for a cluster that does not answer. */
async function openAll(
  pipelines: readonly Pipeline[],
  { clock, log }: Pick<Deps, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      for (const one of pipelines) await one.open();
      return;
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: messageOf(error) }, 'what was applied before cannot be read; it is tried again');
      const waitMs = backoffMs(failures, { baseMs: 500, capMs: 30_000 }, Math.random());
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }
}
