import { setMaxListeners } from 'node:events';
import { validate as isSchedule } from 'node-cron';
import { AgentError, messageOf, stackOf } from '../lib/errors.ts';
import { readReference, repositoryOf } from '../images/reference.ts';
import { createBus } from './bus.ts';
import type { Gates } from './canaries/gates.ts';
import { createDashboard } from './dashboard/dashboard.ts';
import { createBaseline } from './dashboard/baseline.ts';
import { createTidings } from './dashboard/tidings.ts';
import { createDeliver } from './deliver.ts';
import type { Deps } from './deps.ts';
import type { UiAgent } from '../ui/feed.ts';
import { createObserve } from './observe.ts';
import { createEventRecorder } from '../outlets/event-recorder.ts';
import { openOutlets } from '../outlets/open-outlets.ts';
import { createTell } from '../outlets/tell.ts';
import { createPublish } from './publish.ts';
import type { Pipeline } from './source/pipeline.ts';

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
  /** As the dashboard sees it. */
  readonly dashboard: UiAgent;
  /** Ends all work at the next safe point and waits for it. */
  stop(): Promise<void>;
}

/** How long events and alerts that wait may take when the agent stops. */
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

  let died: string | undefined;
  const onEnded = (what: string, error: unknown): void => {
    if (signal.aborted) return;
    died = `${what} ended: ${messageOf(error)}`;
    log.error({ error: stackOf(error) }, died);
  };
  const bus = createBus(log);
  const recorder = createEventRecorder(
    { cluster, clock, log, component: settings.eventSource, onDropped: (count) => telemetry.eventsDropped.inc(count) },
    signal,
  );
  const tidings = createTidings(clock, createBaseline(deps, signal));
  const outlets = openOutlets(deps, recorder, [tidings.outlet]);
  const observe = createObserve(deps, bus);
  const publish = createPublish(deps, { observe, recorder, outlets, bus, onEnded });
  const deliver = createDeliver(deps, { observe, outlets, releases: publish.releases, bus });
  const running = Object.entries({ observe, deliver, publish }).map(([name, runnable]) =>
    runnable.start(signal).catch((error: unknown) => onEnded(name, error)),
  );

  const { first, listings, pipelines } = publish;
  const isShared = sources.length > 1;
  /** With whose trouble it is, where there are several. */
  const named = (said: (one: Pipeline) => readonly string[]): readonly string[] =>
    pipelines.flatMap((one) => said(one).map((text) => (isShared ? `source ${one.source}: ${text}` : text)));

  const notes = (): readonly string[] => {
    const isAnyReady = pipelines.some((one) => one.notReady().length === 0);
    return named((one) => [...(isAnyReady ? one.notReady() : []), ...one.notes()]);
  };
  const { views } = observe;
  const dashboard = createDashboard(
    deps,
    { ...publish, views, bus, tidings, tell: createTell(outlets), notes },
    signal,
  );

  return {
    dashboard,
    get synced() {
      return first.state.synced;
    },
    get pendingOutcomes() {
      return pipelines.reduce((sum, one) => sum + one.pendingOutcomes, 0);
    },
    gates: observe.gates,
    pollNow() {
      for (const one of pipelines) one.wake('asked to');
    },
    notAlive: () => (died === undefined ? [] : [died]),
    notReady() {
      const own = observe.trouble();
      // One that fails must not take the others' gates and rollouts along: it is a note then.
      const isAnyReady = pipelines.some((one) => one.notReady().length === 0);
      return isAnyReady ? own : [...own, ...named((one) => one.notReady())];
    },
    notes,
    imagePushed(image) {
      const named = readReference(image);
      if ('problem' in named || !listings) return 0;
      return listings.poke((one) => repositoryOf(one) === repositoryOf(named));
    },
    async stop() {
      await publish.drain();
      await deliver.drain();
      await outlets.close(lastWordsMs);
      await observe.drain();
      ending.abort(new Error('the agent stops'));
      await Promise.all(running);
    },
  };
}
