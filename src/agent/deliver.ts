import { notingWrites } from '../cluster/own-writes.ts';
import type { Bus } from './bus.ts';
import { createCanaryLoop } from './canaries/canary-loop.ts';
import type { Deps } from './deps.ts';
import { createEffects } from './effects/execute.ts';
import type { Observe } from './observe.ts';
import type { Outlets } from '../outlets/outlet.ts';
import type { JudgedReleases } from './releases/releases.ts';
import { aborted, ownSignal, type Runnable } from './runnable.ts';

/** How long steps under way may take when the agent stops. */
const stopPatienceMs = 5_000;

interface DeliverParts {
  readonly observe: Pick<Observe, 'views' | 'key' | 'git'>;
  readonly outlets: Pick<Outlets, 'tell'>;
  readonly releases: JudgedReleases;
  readonly bus: Bus;
}

/** Leads canaries: the loop, and the effects of what it decides. */
export function createDeliver(deps: Deps, { observe, outlets, releases, bus }: DeliverParts): Runnable {
  const { clock, cluster } = deps;
  const { views, key, git } = observe;
  const { signal, follow } = ownSignal();
  const noted = notingWrites(cluster, (object) => views.wrote(object));
  const effects = createEffects({ ...deps, cluster: noted }, { releases, outlets, key });
  const canaryLoop = createCanaryLoop({ deps, views, key, effects, outlets, releases, git, bus, signal });
  return {
    async start(until) {
      follow(until);
      canaryLoop.start();
      await aborted(signal);
    },
    async drain() {
      // Steps under way may finish; one that waits for a slow webhook is cut, and decided again after the next start.
      const patience = new AbortController();
      await Promise.race([canaryLoop.stop(), clock.sleep(stopPatienceMs, patience.signal).catch(() => undefined)]);
      patience.abort(new Error('stopped'));
    },
  };
}
