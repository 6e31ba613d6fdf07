import { setMaxListeners } from 'node:events';
import { schedule } from 'node-cron';
import { backoffMs } from '../lib/backoff.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { createInTurn } from '../lib/in-turn.ts';
import { type AppKey, partsOf } from '../lib/key.ts';
import { identityKey } from '../manifest/identity.ts';
import type { Bus } from './bus.ts';
import { defaultSource, type Deps } from './deps.ts';
import type { Listings } from './images/listings.ts';
import { openListings } from './images/open-listings.ts';
import type { Observe } from './observe.ts';
import type { EventRecorder } from '../outlets/event-recorder.ts';
import type { Outlets } from '../outlets/outlet.ts';
import { createTell } from '../outlets/tell.ts';
import type { JudgedReleases } from './releases/releases.ts';
import { createRoutedReleases } from './releases/routed-releases.ts';
import { aborted, ownSignal, type Runnable } from './runnable.ts';
import { createClaims } from './source/claims.ts';
import { tellFormerSources } from './source/former-sources.ts';
import { createPipeline, type Pipeline } from './source/pipeline.ts';
import { sourceTelemetry } from './source-telemetry.ts';

interface PublishParts {
  readonly observe: Pick<Observe, 'views' | 'key' | 'git' | 'phaseOf' | 'seen'>;
  readonly recorder: EventRecorder;
  readonly outlets: Pick<Outlets, 'tell'>;
  readonly bus: Bus;
  /** Something of it has ended that never should. */
  readonly onEnded: (what: string, error: unknown) => void;
}

/** Carries sources to the cluster, and outcomes to Git. */
export interface Publish extends Runnable {
  /** What is known of the releases of all sources. */
  readonly releases: JudgedReleases;
  readonly pipelines: readonly Pipeline[];
  /** The one that has an app, or looks after it where none has. */
  pipelineOf(app: AppKey): Pipeline;
  /** Of the first source. */
  readonly first: Pipeline;
  /** What registries have; undefined: no source upgrades images. */
  readonly listings: Listings | undefined;
}

/** Throws CONFIG_INVALID where there is no source. */
export function createPublish(deps: Deps, { observe, recorder, outlets, bus, onEnded }: PublishParts): Publish {
  const { cluster, clock, log, settings, sources, telemetry } = deps;
  const { views, key, git, phaseOf, seen } = observe;
  const { signal, follow } = ownSignal();
  // As many wait for it as there are objects under way.
  setMaxListeners(0, signal);
  const isShared = sources.length > 1;
  const claims = isShared
    ? createClaims(
        sources.map(({ name }) => name),
        (source) => bus.tell('claim-freed', { source }),
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
          git,
          bus,
          phaseOf,
          recorder,
          tell: createTell(outlets),
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
  const knowing = (app: AppKey): Pipeline =>
    isShared ? (pipelineOf(ownerOf(app)) ?? pipelines.find((one) => one.releases.isReady(app)) ?? first) : first;
  const releases = isShared ? createRoutedReleases((app) => knowing(app).releases) : first.releases;

  const sync = async (): Promise<void> => {
    await Promise.race([seen, aborted(signal)]);
    if (signal.aborted) return;
    const names = sources.map(({ name }) => name);
    await tellFormerSources({ cluster, log, namespace: settings.namespace }, names, signal);
    // Whose an object is, is known before any source is looked at.
    if (isShared) await openAll(pipelines, { clock, log }, signal);
    if (signal.aborted) return;
    await Promise.all(
      pipelines.map(async (one) => {
        await one.load(views.canaries.list());
        await one.sync();
      }),
    );
  };
  const keep = (work: Promise<void>, what: string): Promise<void> =>
    work.catch((error: unknown) => {
      if (!signal.aborted) onEnded(what, error);
    });
  let endResync: () => Promise<void> = () => Promise.resolve();

  return {
    releases,
    pipelines,
    pipelineOf: knowing,
    first,
    listings,
    async start(until) {
      follow(until);
      const resync = schedule(settings.resyncSchedule, () => {
        for (const one of pipelines) one.resync();
      });
      endResync = async () => {
        await resync.stop();
      };
      const work = [
        keep(sync(), 'the sync'),
        ...pipelines.map((one) => keep(one.write(), 'the writer')),
        ...(listings ? [keep(listings.run(signal), 'the look at registries')] : []),
      ];
      await aborted(signal);
      await Promise.all(pipelines.map((one) => one.stop()));
      await Promise.all(work);
    },
    // What is being applied or pushed is safe at every moment, and goes on with the next start.
    drain: () => endResync(),
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
