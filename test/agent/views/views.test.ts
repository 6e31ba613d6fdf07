import { describe, expect, it } from 'vitest';
import { openViews } from '../../../src/agent/views/views.ts';
import type { Cluster, Reflection } from '../../../src/cluster/cluster.ts';
import { skippingClock } from '../../helpers/skipping-clock.ts';
import { aKey } from '../../helpers/a-key.ts';

/** A server that has never listed anything, and once it has, has nothing. */
function views(isSynced: boolean) {
  const reflection: Reflection = {
    synced: new Promise<void>(() => undefined),
    isSynced,
    lastContactMs: 0,
    trouble: 'connection refused',
    isForbidden: false,
    get: () => undefined,
    list: () => [],
    onChange: () => () => undefined,
  };
  const cluster = { reflect: () => reflection } as unknown as Cluster;
  return openViews({ cluster, clock: skippingClock(), key: aKey() }, new AbortController().signal);
}

describe('a config that cannot be read because the API server is down', () => {
  it.each(['configmap/app', 'secret/app'] as const)('is an error, not an absent %s [WC06] [R53]', async (key) => {
    await expect(views(false).config('demo', key)).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('connection refused') as unknown,
    });
  });

  it('is not taken for one that no other primary reads while primaries are not listed', async () => {
    await expect(views(false).readByOthers('demo', ['configmap/app-primary'], undefined)).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
    });
  });

  it('is known from the last list for as long as it is down afterwards', async () => {
    await expect(views(true).config('demo', 'configmap/app')).resolves.toBeUndefined();
  });
});
