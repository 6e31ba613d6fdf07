import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openViews } from '../../../src/agent/views/views.ts';
import { openCluster } from '../../../src/cluster/client.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { createSyncer } from '../../../src/sync/syncer.ts';
import { aKey } from '../../helpers/a-key.ts';
import { eventually } from '../../helpers/eventually.ts';
import { desired, never } from '../../sync/a-cluster.ts';

const app = (name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: default }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: app, image: 'ghcr.io/stefanprodan/podinfo:6.0.0' }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: default }
data: { a: '1' }
`;

describe('what canaries see and what two sources apply', () => {
  it('is one watch of each kind, and each sees what it needs of it', async () => {
    const sandbox = await startSandbox({ podStartMs: 20 });
    const cluster = await openCluster(
      { kind: 'text', text: sandbox.kubeconfig },
      { clock: systemClock, log: silentLogger },
    );
    const stopping = new AbortController();
    setMaxListeners(0, stopping.signal);
    const settings = { namespace: 'serin', prune: true, pruneAnything: false };
    const syncers = ['one', 'two'].map((source) =>
      createSyncer({
        cluster,
        clock: systemClock,
        log: silentLogger,
        settings,
        shared: { source, isElsewhere: () => false },
      }),
    );
    try {
      const views = openViews({ cluster, clock: systemClock, key: aKey() }, stopping.signal);
      await views.deployments.synced;
      for (const [at, syncer] of syncers.entries()) {
        const result = await syncer.sync(desired({ 'app.yaml': app(`app-${at}`) }), never);
        expect(result.failed).toEqual([]);
      }
      for (const at of [0, 1]) {
        await eventually('it is seen', () => views.deployments.get('default', `app-${at}`) !== undefined);
        expect(await views.config('default', `configmap/app-${at}`)).toBeDefined();
      }
      // What somebody takes away is put right by whose it is, so both still look.
      const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'app-1' };
      const drifted: string[] = [];
      for (const syncer of syncers) syncer.onDrift((refs) => drifted.push(...refs.map(({ name }) => name)));
      await cluster.remove(ref, {}, never);
      await eventually('it is noticed', () => drifted.includes('app-1'));
      expect(drifted).toEqual(['app-1']);

      const watched = sandbox.watches().toSorted();
      expect(watched).toEqual([...new Set(watched)]);
      expect(watched).toEqual(expect.arrayContaining(['apps/v1/Deployment', 'v1/ConfigMap', 'v1/Service']));
    } finally {
      for (const syncer of syncers) syncer.stop();
      stopping.abort(new Error('the test is over'));
      await cluster.close();
      await sandbox.stop();
    }
  });
});
