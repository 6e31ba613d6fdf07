import { type AppKey, keyOf, partsOf } from '../../lib/key.ts';
import type { AppFacts } from '../../report/types.ts';
import type { UiAgent } from '../../ui/feed.ts';
import type { Bus } from '../bus.ts';
import type { Deps } from '../deps.ts';
import type { Pipeline } from '../source/pipeline.ts';
import type { Views } from '../views/views.ts';
import type { Tell } from '../../outlets/tell.ts';
import { UiError } from '../../ui/told.ts';
import { createPullSecrets } from '../images/pull-secrets.ts';
import { type AppSource, createFromGit } from './from-git.ts';
import { createImages } from './images.ts';
import { createPerform } from './perform.ts';
import { createPods } from './pods.ts';
import { createReviews } from './reviews.ts';
import type { Tidings } from './tidings.ts';

export interface DashboardParts {
  readonly views: Views;
  readonly bus: Pick<Bus, 'on'>;
  readonly tidings: Tidings;
  readonly pipelines: readonly Pipeline[];
  readonly pipelineOf: (app: AppKey) => Pipeline;
  readonly tell: Tell;
  /** What a person should know of the agent as a whole. */
  readonly notes: () => readonly string[];
}

/** Of the looks of a release under way. */
const mostLooks = 300;

/** The agent as the dashboard sees it: all that changes nothing is answered of what is known here already. */
export function createDashboard(deps: Deps, parts: DashboardParts, signal: AbortSignal): UiAgent {
  const { clock, cluster, log, registry, settings, sources } = deps;
  const { views, bus, tidings, pipelines, pipelineOf, notes } = parts;
  const listeners = new Set<(app: AppKey) => void>();
  const changed = (app: AppKey): void => {
    for (const listener of listeners) listener(app);
  };
  views.canaries.onChange(({ object }) => changed(keyOf(object.metadata)));
  bus.on('phase-changed', ({ app }) => changed(app));
  bus.on('canary-gone', ({ app }) => changed(app));
  bus.on('ledger-read', ({ app }) => changed(app));

  const facts = (app: AppKey): AppFacts | undefined => {
    const { namespace, name } = partsOf(app);
    const canary = views.canaries.get(namespace, name);
    if (!canary) return undefined;
    const pipeline = pipelineOf(app);
    const told = pipeline.releases.told(app);
    const ledger = pipeline.ledger(app);
    return {
      canary,
      provider: settings.provider,
      events: tidings.said(app),
      ...(told ? { record: told.record, evidence: told.evidence.slice(-mostLooks) } : {}),
      ...(ledger ? { ledger } : {}),
    };
  };

  const placesOf = (app: AppKey) => {
    const { source } = pipelineOf(app);
    const own = sources.find(({ name }) => name === source) ?? sources[0];
    if (!own) throw new UiError(503, 'Nothing is followed.');
    const { path, ledgerDir, defaultNamespace } = own.settings;
    return { repo: own.repo, path, ledgerDir, defaultNamespace };
  };
  const sourceOf = (app: AppKey): AppSource => {
    const { repo, path, ledgerDir } = placesOf(app);
    const pipeline = pipelineOf(app);
    return { repo, app: pipeline.app(app), synced: pipeline.state.synced, places: { path, ledgerDir } };
  };
  const fromGit = createFromGit(sourceOf);
  const images = createImages(
    {
      registry,
      pullSecrets: createPullSecrets({ cluster, log }),
      pipelineOf,
      elapsedMs: () => clock.elapsed(),
    },
    signal,
  );

  return {
    apps: () => views.canaries.list().map(({ metadata }) => keyOf(metadata)),
    facts,
    about: () => ({
      version: settings.version,
      cluster: settings.clusterName,
      sources: pipelines.map(({ source, state }) => {
        const own = sources.find(({ name }) => name === source);
        return {
          name: source,
          branch: own?.repo.branch ?? '',
          path: own?.settings.path ?? '',
          synced: state.synced,
          trouble: state.trouble?.slice(0, 500),
        };
      }),
      notes: notes()
        .slice(0, 20)
        .map((note) => note.slice(0, 500)),
    }),
    follow(listener) {
      const unfollow = tidings.follow(listener);
      const tell = (app: AppKey): void => listener.changed(app);
      listeners.add(tell);
      return () => {
        unfollow();
        listeners.delete(tell);
      };
    },
    door: {
      ...createReviews(cluster, signal),
      ...createPods({ cluster, views, facts, mayTellLogs: settings.podLogs !== false }, signal),
      ...fromGit,
      ...createPerform(
        {
          cluster,
          clock,
          facts,
          history: (app) => fromGit.history(app, { limit: 100 }),
          pipelineOf,
          placesOf,
          images,
          tell: parts.tell,
        },
        signal,
      ),
      images: (app) => images.images(app),
    },
  };
}
