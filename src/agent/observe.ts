import type { Phase } from '../canary/types.ts';
import { type AppKey, keyOf } from '../lib/key.ts';
import type { Bus } from './bus.ts';
import { createGates, type Gates } from './canaries/gates.ts';
import type { Deps } from './deps.ts';
import { aborted, ownSignal, type Runnable } from './runnable.ts';
import { type ClusterKey, openClusterKey } from './views/cluster-key.ts';
import { createGitView } from './views/git-view.ts';
import { createPhases } from './views/phases.ts';
import { createViews, type Views } from './views/views.ts';

/** What every replica sees, whether it may write or not. */
export interface Observe extends Runnable {
  readonly views: Views;
  readonly key: ClusterKey;
  readonly git: ReturnType<typeof createGitView>;
  readonly gates: Gates;
  readonly phaseOf: (app: AppKey) => Phase | undefined;
  /** Nothing is decided before: the cluster was seen once. Never, where the agent ends before. */
  readonly seen: Promise<void>;
  /** Why it does not see everything; empty when it does. */
  trouble(): readonly string[];
}

/** Asks nothing of the cluster before it is started. */
export function createObserve({ clock, cluster, log, settings }: Deps, bus: Bus): Observe {
  const { signal, follow } = ownSignal();
  let markBegun: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    markBegun = resolve;
  });
  const key = openClusterKey({ cluster, clock, log, namespace: settings.namespace }, signal, begun);
  const views = createViews({ cluster, clock, namespace: settings.watchNamespace, key }, signal);
  views.canaries.onChange(({ kind, object }) => {
    if (kind === 'deleted') bus.tell('canary-gone', { app: keyOf(object.metadata) });
  });
  let markSeen: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => {
    markSeen = resolve;
  });
  return {
    views,
    key,
    git: createGitView(),
    gates: createGates({ cluster, canaries: views.canaries }, signal),
    phaseOf: createPhases(views.canaries, bus),
    seen,
    trouble: () => [...views.trouble(), ...(key.trouble === undefined ? [] : [key.trouble])],
    async start(until) {
      follow(until);
      markBegun();
      views.begin();
      const { canaries, deployments, services, templates } = views;
      const all = Promise.all([canaries.synced, deployments.synced, services.synced, templates.synced]);
      // Where the cluster never answers, the agent can be stopped all the same.
      await Promise.race([all, aborted(signal)]);
      if (!signal.aborted) await views.findScalers();
      if (!signal.aborted) markSeen();
      await aborted(signal);
      await key.known;
    },
    // Nothing of it has to come to an end.
    drain: () => Promise.resolve(),
  };
}
