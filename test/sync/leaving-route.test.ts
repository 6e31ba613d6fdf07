import { expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { identityKey } from '../../src/manifest/identity.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { emptyInventory, type Inventory } from '../../src/sync/inventory.ts';
import { leavingCanaries } from '../../src/sync/canary-removal.ts';

it('a Canary that stays although Git does not name it keeps its weights in the route of its users', async () => {
  const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'prod', name: 'shop' };
  const canary: KubeObject = {
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    metadata: { name: 'shop', namespace: 'prod' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' },
      service: { port: 80, routeRef: { name: 'edge' } },
    },
  };
  const cluster = { get: async () => canary } as unknown as Cluster;
  const entry = { ref, path: 'apps/canary.yaml' };
  const inventory = { ...emptyInventory, entries: new Map([[identityKey(ref), entry]]) } as unknown as Inventory;
  const input = { desired: [], inventory, going: new Set<string>(), cluster };
  const { targets, staying } = await leavingCanaries(input, new AbortController().signal);
  expect(staying).toEqual([canary]);
  expect([...targets]).toContain('gateway.networking.k8s.io/v1/HTTPRoute/prod/edge');
  expect([...targets]).toContain('gateway.networking.k8s.io/v1beta1/HTTPRoute/prod/edge');
});
