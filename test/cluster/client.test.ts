import { describe, expect, it } from 'vitest';
import type { AgentError } from '../../src/lib/errors.ts';
import { aConfigMap, configMapKind, useCluster, widgetDefinition, widgetKind, aWidget } from './a-cluster.ts';

const start = useCluster();
const us = { manager: 'us' };
const refTo = (name: string) => ({ ...configMapKind, namespace: 'default', name });
const failure = (work: Promise<unknown>): Promise<AgentError> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as AgentError,
  );

describe('the client', () => {
  it('creates, reads, changes and removes; what is absent is undefined and no error', async () => {
    const { client, signal } = await start();
    const made = await client.create(aConfigMap('a'), us, signal);
    expect(made.metadata.uid).toBeTruthy();
    expect(await client.get(refTo('a'), signal)).toEqual(made);
    await client.mergePatch(refTo('a'), { data: { b: '2', a: null } }, us, signal);
    expect((await client.get(refTo('a'), signal))?.['data']).toEqual({ b: '2' });
    await client.remove(refTo('a'), {}, signal);
    expect(await client.get(refTo('a'), signal)).toBeUndefined();
    await client.remove(refTo('a'), {}, signal);
    await client.remove({ ...widgetKind, namespace: 'default', name: 'x' }, {}, signal);
  });

  it('names the version of the cluster', async () => {
    const { client, signal } = await start();
    expect(await client.version(signal)).toMatch(/^v1\.\d+/);
  });

  it('lists in pages, with apiVersion and kind on every item', async () => {
    const { sandbox, client, signal } = await start();
    for (let index = 0; index < 1_001; index += 1) sandbox.store.create({ ...aConfigMap(`c${index}`) });
    const before = client.statistics.requests;
    const all = await client.list(configMapKind, { namespace: 'default' }, signal);
    expect(all.filter(({ metadata }) => metadata.name.startsWith('c'))).toHaveLength(1_001);
    expect(new Set(all.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`))).toEqual(new Set(['v1/ConfigMap']));
    // Discovery and three pages.
    expect(client.statistics.requests - before).toBe(4);
  });

  it('patches only the version it saw: otherwise a conflict, and nothing is written', async () => {
    const { client, signal } = await start();
    const { metadata } = await client.create(aConfigMap('a'), us, signal);
    const resourceVersion = metadata.resourceVersion ?? '';
    const replace = [{ op: 'replace' as const, path: '/data/a', value: '2' }];
    await client.jsonPatch(refTo('a'), replace, { ...us, resourceVersion }, signal);
    const again = [{ op: 'replace' as const, path: '/data/a', value: '3' }];
    const error = await failure(client.jsonPatch(refTo('a'), again, { ...us, resourceVersion }, signal));
    expect(error.code).toBe('CLUSTER_CONFLICT');
    expect((await client.get(refTo('a'), signal))?.['data']).toEqual({ a: '2' });
  });

  it('calls fields of another manager a conflict, unless it takes them', async () => {
    const { client, signal } = await start();
    await client.apply(aConfigMap('a'), { manager: 'other' }, signal);
    const error = await failure(client.apply(aConfigMap('a', { a: '2' }), us, signal));
    expect(error.code).toBe('CLUSTER_CONFLICT');
    expect(error.message).toMatch(/apply ConfigMap default\/a: .*other/);
    const taken = await client.apply(aConfigMap('a', { a: '2' }), { ...us, force: true }, signal);
    expect(taken['data']).toEqual({ a: '2' });
  });

  it('tries out without writing', async () => {
    const { client, signal } = await start();
    await client.apply(aConfigMap('a'), { ...us, dryRun: true }, signal);
    expect(await client.get(refTo('a'), signal)).toBeUndefined();
  });

  it('says what was refused and why', async () => {
    const { client, signal } = await start();
    await client.create(aConfigMap('a'), us, signal);
    const twice = await failure(client.create(aConfigMap('a'), us, signal));
    expect(twice.code).toBe('CLUSTER_REFUSED');
    expect(twice.details).toMatchObject({ status: 409, reason: 'AlreadyExists' });
    const invalid = await failure(client.create(aConfigMap('Not_A_Name'), us, signal));
    expect(invalid.code).toBe('CLUSTER_REFUSED');
    expect(invalid.details['status']).toBe(422);
    expect(invalid.message).toMatch(/^create ConfigMap default\/Not_A_Name: /);
    const unknown = await failure(client.create(aWidget('w'), us, signal));
    expect(unknown.message).toMatch(/does not serve Widget \(example\.test\/v1\).*CustomResourceDefinition/);
  });

  it('removes only the object with the right uid', async () => {
    const { client, signal } = await start();
    await client.create(aConfigMap('a'), us, signal);
    const error = await failure(client.remove(refTo('a'), { uid: 'another' }, signal));
    expect(error.code).toBe('CLUSTER_CONFLICT');
    expect(await client.get(refTo('a'), signal)).toBeDefined();
  });

  it('finds kinds that are installed later', async () => {
    const { client, signal } = await start();
    expect(await client.resource(widgetKind, signal)).toBeUndefined();
    await client.create(widgetDefinition, us, signal);
    // Asked for an unknown kind again and again, it asks the server at most once a second.
    const before = client.statistics.requests;
    await Promise.all(Array.from({ length: 50 }, () => client.resource(widgetKind, signal)));
    expect(client.statistics.requests - before).toBeLessThanOrEqual(1);
    let found = await client.resource(widgetKind, signal);
    for (let round = 0; round < 100 && !found; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      found = await client.resource(widgetKind, signal);
    }
    expect(found).toMatchObject({ plural: 'widgets', namespaced: true });
  });
});

describe('the client of a busy or broken server', () => {
  it('waits as long as a 429 says, and tries again, writes as well', async () => {
    const { sandbox, client, signal } = await start();
    await client.resource(configMapKind, signal);
    sandbox.faults.failRequests(2, 429, 2);
    const startedMs = Date.now();
    await client.create(aConfigMap('a'), us, signal);
    // Twice two seconds at twenty times the speed.
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(190);
    expect(client.statistics.throttled).toBe(2);
  });

  it('gives up in the end, and says what the server said', async () => {
    const { sandbox, client, signal } = await start();
    await client.resource(configMapKind, signal);
    sandbox.faults.failRequests(50, 429, 1);
    const busy = await failure(client.get(refTo('a'), signal));
    expect(busy.code).toBe('CLUSTER_UNREACHABLE');
    expect(busy.message).toMatch(/get ConfigMap default\/a: .*429.*too many requests/);
    sandbox.faults.failRequests(50, 500);
    const broken = await failure(client.create(aConfigMap('a'), us, signal));
    expect(broken).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    sandbox.faults.failRequests(0, 500);
  });

  it('repeats a read when the connection breaks', async () => {
    const { sandbox, client, signal } = await start();
    await client.create(aConfigMap('a'), us, signal);
    const restarted = sandbox.faults.restart(40);
    expect((await client.get(refTo('a'), signal))?.metadata.name).toBe('a');
    await restarted;
  });

  it('says so when nobody answers, and ends at once when it is told to', async () => {
    const { sandbox, client, signal } = await start();
    await client.resource(configMapKind, signal);
    await sandbox.stop();
    const error = await failure(client.create(aConfigMap('a'), us, signal));
    expect(error.code).toBe('CLUSTER_UNREACHABLE');
    expect(error.message).toContain(sandbox.apiUrl);
    const stop = new AbortController();
    const waiting = failure(client.get(refTo('a'), stop.signal));
    stop.abort(new Error('told to'));
    expect((await waiting).message).toBe('told to');
  });
});
