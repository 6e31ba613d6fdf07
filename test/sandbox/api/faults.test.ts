import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import type { ApiServer } from '../../../src/sandbox/api/http/server.ts';
import { startServer } from '../../../src/sandbox/api/http/server.ts';
import type { ApiStore } from '../../../src/sandbox/api/store.ts';
import { createStore } from '../../../src/sandbox/api/store.ts';
import type { ClusterApi } from '../../contract/cluster-api.ts';
import { openApi } from '../../contract/cluster-api.ts';

const path = '/api/v1/namespaces/default/configmaps';

describe('faults on order', () => {
  let folder: string;
  let store: ApiStore;
  let server: ApiServer;
  let api: ClusterApi;
  const make = (name: string): unknown =>
    store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
  const version = async (): Promise<string> => (await api.call('GET', path)).body.metadata.resourceVersion;
  const watchFrom = (resourceVersion: string) => api.watch(`${path}?watch=true&resourceVersion=${resourceVersion}`);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'faults-'));
    store = createStore(systemClock);
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
    server = await startServer(store, () => undefined);
    const kubeconfig = join(folder, 'kubeconfig');
    const context = 'current-context: a\ncontexts: [{name: a, context: {cluster: a}}]\n';
    const cluster = `clusters: [{name: a, cluster: {server: "http://127.0.0.1:${server.port}"}}]\n`;
    await writeFile(kubeconfig, context + cluster);
    api = openApi(kubeconfig);
  });
  afterEach(async () => {
    await api.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('a reset breaks the connections of watches, an end closes them', async () => {
    const broken = await watchFrom(await version());
    server.faults.resetWatches();
    await expect(broken.ended).rejects.toThrow();
    const ended = await watchFrom(await version());
    server.faults.endWatches();
    await ended.ended;
  });

  test('frozen watches say nothing until they are thawed, and then everything', async () => {
    const watch = await watchFrom(await version());
    server.faults.freezeWatches(true);
    make('one');
    make('two');
    const early = await Promise.race([
      watch.until((all) => all.length > 0),
      new Promise((resolve) => setTimeout(resolve, 50, 'quiet')),
    ]);
    expect(early).toBe('quiet');
    server.faults.freezeWatches(false);
    const events = await watch.until((all) => all.length >= 2);
    expect(events.map(({ object }) => object.metadata.name)).toEqual(['one', 'two']);
    watch.stop();
  });

  test('after a compaction an old version is gone, the newest is not', async () => {
    const old = await version();
    make('one');
    server.faults.compact();
    const watch = await watchFrom(old);
    const [event] = await watch.until((all) => all.length >= 1);
    await watch.ended;
    expect(event).toMatchObject({ type: 'ERROR', object: { kind: 'Status', reason: 'Expired', code: 410 } });
    const fresh = await watchFrom(await version());
    make('two');
    expect(await fresh.until((all) => all.length >= 1)).toMatchObject([{ type: 'ADDED' }]);
    fresh.stop();
  });

  test('a version of another life, older or newer, is gone too', async () => {
    for (const unknown of ['1', String(Number(await version()) + 1_000)]) {
      const watch = await watchFrom(unknown);
      const [event] = await watch.until((all) => all.length >= 1);
      expect(event).toMatchObject({ type: 'ERROR', object: { code: 410 } });
    }
  });

  test('ordered failures hit as many requests as ordered, watches included', async () => {
    server.faults.failRequests(2, 429, 3);
    const refused = await api.call('GET', path);
    expect(refused).toMatchObject({ status: 429, body: { reason: 'TooManyRequests', code: 429 } });
    expect(refused.headers['retry-after']).toBe('3');
    expect((await api.call('GET', `${path}?watch=true`)).status).toBe(429);
    expect((await api.call('GET', path)).status).toBe(200);
    server.faults.failRequests(1, 500);
    expect((await api.call('GET', path)).body).toMatchObject({ reason: 'InternalError' });
  });

  test('a restart drops all connections and keeps port and objects', async () => {
    make('one');
    const watch = await watchFrom(await version());
    const ended = expect(watch.ended).rejects.toThrow();
    await server.faults.restart(20);
    await ended;
    const { body } = await api.call('GET', path);
    expect(body.items.map(({ metadata }) => metadata.name)).toContain('one');
  });
});
