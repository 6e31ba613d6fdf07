import { expect, it } from 'vitest';
import { createBus } from '../../src/agent/bus.ts';
import type { Deps } from '../../src/agent/deps.ts';
import { createObserve } from '../../src/agent/observe.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMemoryCluster } from '../model/loop/memory-cluster.ts';

/** The same cluster, with the names of the methods that were called. */
function recorded(cluster: Cluster, called: string[]): Cluster {
  return Object.fromEntries(
    Object.entries(cluster).map(([name, method]: [string, unknown]) => [
      name,
      typeof method === 'function'
        ? (...args: readonly unknown[]): unknown => {
            called.push(name);
            return (method as (...given: readonly unknown[]) => unknown)(...args);
          }
        : method,
    ]),
  ) as unknown as Cluster;
}

it('asks nothing of the cluster and makes no key before it is started, and tells whoever listened before of what is there', async () => {
  const memory = createMemoryCluster(() => Date.now());
  memory.put({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { namespace: 'test', name: 'app' } });
  const called: string[] = [];
  const deps = {
    cluster: recorded(memory, called),
    clock: systemClock,
    log: silentLogger,
    settings: { namespace: 'serin' },
  } as unknown as Deps;
  const observe = createObserve(deps, createBus(silentLogger));
  const seen: string[] = [];
  observe.views.canaries.onChange(({ kind, object }) => seen.push(`${kind} ${object.metadata.name}`));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([called, observe.views.canaries.isSynced, observe.views.canaries.list()]).toEqual([[], false, []]);

  const ending = new AbortController();
  const running = observe.start(ending.signal);
  await observe.seen;
  await observe.key.known;
  expect(seen).toEqual(['added app']);
  expect(observe.views.canaries.list()).toHaveLength(1);
  expect(called.filter((name) => name === 'reflect')).toHaveLength(4);
  ending.abort(new Error('stopped'));
  await running;
});
