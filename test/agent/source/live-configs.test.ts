import { expect, it } from 'vitest';
import { createLiveConfigs } from '../../../src/agent/source/live-configs.ts';
import type { Views } from '../../../src/agent/views/views.ts';
import type { ConfigSeen } from '../../../src/canary/types.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

type Told = Parameters<Parameters<Views['onChange']>[0]>;

/** A cluster with one ConfigMap, as watches and requests show it. */
function world() {
  const clock = manualClock();
  const listeners: ((...told: Told) => void)[] = [];
  const changes: string[] = [];
  const state = { data: 'one' as string | undefined, error: undefined as Error | undefined, requests: 0 };
  const live = createLiveConfigs(
    {
      clock,
      cluster: {
        get: (ref) => {
          state.requests += 1;
          if (state.error) return Promise.reject(state.error);
          const { data } = state;
          return Promise.resolve(
            data === undefined
              ? undefined
              : ({ ...ref, metadata: { name: ref.name }, data: { data } } as unknown as KubeObject),
          );
        },
      },
      views: {
        config: () => Promise.resolve(state.data === undefined ? undefined : ({ checksum: state.data } as ConfigSeen)),
        onChange: (listener) => void listeners.push(listener),
      },
      onChange: (what) => void changes.push(what),
    },
    new AbortController().signal,
  );
  const tell = async (name = 'vars'): Promise<void> => {
    for (const listener of listeners) listener('ConfigMap', 'shop', name, false);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, clock, live, changes, tell };
}

const ref = { kind: 'ConfigMap', namespace: 'shop', name: 'vars' } as const;

it('what a rendering was made with is asked for once, and told when it says something else, or is there at last', async () => {
  const { state, live, changes, tell } = world();
  await tell();
  state.data = undefined;
  expect(await live.read(ref)).toBeUndefined();
  await tell();
  expect(changes).toEqual([]);
  state.data = 'one';
  await tell();
  expect(changes).toEqual(['ConfigMap shop/vars']);
  expect(await live.read(ref)).toMatchObject({ data: { data: 'one' } });
  // As leases in ConfigMaps do: written again and again with the same content.
  for (let again = 0; again < 10; again += 1) await tell();
  await tell('another');
  expect([changes.length, state.requests]).toEqual([1, 2]);
  state.data = 'two';
  await tell();
  expect(changes).toHaveLength(2);
});

it('what cannot be read is asked for again, the later the less hope there is', async () => {
  const { state, clock, live, changes } = world();
  const later = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  state.error = new Error('connection refused');
  await expect(live.read(ref)).rejects.toThrow('connection refused');
  await later(30_000);
  expect(changes).toHaveLength(1);
  state.error = new AgentError('CLUSTER_REFUSED', 'forbidden', { details: { status: 403 } });
  await expect(live.read(ref)).rejects.toThrow('forbidden');
  await expect(live.read(ref)).rejects.toThrow('forbidden');
  await later(60_000);
  expect(changes).toHaveLength(1);
  await later(240_000);
  expect(changes).toHaveLength(2);
});
