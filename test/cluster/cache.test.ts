import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openCluster } from '../../src/cluster/client.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { eventually } from '../helpers/eventually.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { aConfigMap, aWidget, configMapKind, shown, useCluster, widgetDefinition, widgetKind } from './a-cluster.ts';

const start = useCluster();
const byOther = { manager: 'other' };
const inDefault = { namespace: 'default' };
const named = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: metadata.name, namespace: 'default', resourceVersion: metadata.resourceVersion ?? '' },
});

/** How often ConfigMaps are watched. */
const watched = (sandbox: Sandbox): number => sandbox.watches().filter((kind) => kind === 'v1/ConfigMap').length;

describe('a kind that several read', () => {
  it('is watched once, and each keeps what it needs', async () => {
    const { sandbox, other, signal, reflect } = await start();
    await other.apply(aConfigMap('a'), byOther, signal);
    const [whole, names, managed] = [
      reflect(),
      reflect(configMapKind, { ...inDefault, project: named }),
      reflect(configMapKind, { ...inDefault, keepManagedFields: true }),
    ];
    await Promise.all([whole, names, managed].map(({ view }) => view.synced));
    await other.create(aConfigMap('b'), byOther, signal);
    await eventually('all have it', () =>
      [whole, names, managed].every(({ view }) => view.get('default', 'b') !== undefined),
    );
    expect(watched(sandbox)).toBe(1);
    expect(whole.view.get('default', 'a')).toHaveProperty('data');
    expect(whole.view.get('default', 'a')?.metadata).not.toHaveProperty('managedFields');
    expect(names.view.get('default', 'a')).not.toHaveProperty('data');
    expect(managed.view.get('default', 'a')?.metadata).toHaveProperty('managedFields');
    for (const { changes } of [whole, names, managed]) expect(changes).toEqual(['added a', 'added b']);
  });

  it('gives who comes later all that is there, and tells the others nothing twice', async () => {
    const { sandbox, other, signal, reflect } = await start();
    for (const name of ['a', 'b']) await other.create(aConfigMap(name), byOther, signal);
    const first = reflect();
    await first.view.synced;
    await other.remove({ ...configMapKind, ...inDefault, name: 'a' }, {}, signal);
    await eventually('it is gone', () => first.changes.includes('deleted a'));
    const second = reflect();
    await second.view.synced;
    expect(shown(second.view)).toEqual(['b=1']);
    await other.create(aConfigMap('c'), byOther, signal);
    await eventually('both have it', () => [first, second].every(({ changes }) => changes.includes('added c')));
    expect(first.changes).toEqual(['added a', 'added b', 'deleted a', 'added c']);
    expect(second.changes).toEqual(['added b', 'added c']);
    expect(watched(sandbox)).toBe(1);
  });

  it('misses nothing that happens while somebody else comes', async () => {
    const { sandbox, other, signal, reflect } = await start();
    // As many readers end with it.
    setMaxListeners(0, signal);
    const first = reflect();
    await first.view.synced;
    const readers = [first];
    for (let round = 0; round < 20; round += 1) {
      sandbox.store.create(aConfigMap(`before-${round}`));
      readers.push(reflect());
      sandbox.store.create(aConfigMap(`after-${round}`));
      if (round % 3 === 0) await Promise.all(readers.map(({ view }) => view.synced));
      expect(watched(sandbox)).toBeLessThanOrEqual(1);
    }
    await other.create(aConfigMap('last'), byOther, signal);
    await eventually('all have the last', () => readers.every(({ view }) => view.get('default', 'last') !== undefined));
    for (const { view, changes } of readers) {
      expect(shown(view)).toHaveLength(41);
      expect(new Set(changes).size).toBe(changes.length);
    }
    await eventually('it is watched', () => watched(sandbox) === 1);
  });

  it('is watched on by the others when one leaves, and by nobody when all have left', async () => {
    const { sandbox, client, other, signal } = await start();
    const [one, two] = [new AbortController(), new AbortController()];
    const [first, second] = [one, two].map((leaving) => client.reflect(configMapKind, inDefault, leaving.signal));
    await Promise.all([first?.synced, second?.synced]);
    one.abort(new Error('left'));
    await other.create(aConfigMap('a'), byOther, signal);
    await eventually('the other one has it', () => second?.get('default', 'a') !== undefined);
    expect(first?.get('default', 'a')).toBeUndefined();
    two.abort(new Error('left'));
    await eventually('the watch is over', () => watched(sandbox) === 0);
    const third = client.reflect(configMapKind, inDefault, signal);
    await third.synced;
    expect(shown(third)).toEqual(['a=1']);
  });

  it('that is not served yet says so to who comes later at once, and appears for all', async () => {
    const { other, signal, reflect } = await start();
    const first = reflect(widgetKind);
    await first.view.synced;
    const second = reflect(widgetKind);
    await second.view.synced;
    expect([first, second].map(({ view }) => view.trouble)).toEqual([
      expect.stringContaining('does not serve Widget'),
      expect.stringContaining('does not serve Widget'),
    ]);
    await other.create(widgetDefinition, byOther, signal);
    await eventually('it can be made', async () => {
      await other.create(aWidget('w'), byOther, signal).catch(() => undefined);
      return [first, second].every(({ view }) => view.get('default', 'w') !== undefined);
    });
  });

  it('waits for nothing where many come one after the other', async () => {
    const inner = fastClock(20);
    const waitsMs: number[] = [];
    const clock: Clock = {
      ...inner,
      sleep(ms, signal) {
        waitsMs.push(ms);
        return inner.sleep(ms, signal);
      },
    };
    const { sandbox, reflect, signal } = await start(clock);
    setMaxListeners(0, signal);
    for (let index = 0; index < 20; index += 1) {
      await reflect().view.synced;
      await eventually('it is watched', () => watched(sandbox) === 1);
    }
    expect(waitsMs).toEqual([]);
  });

  it('gives all to who comes while the server lists nothing', async () => {
    const { sandbox, other, signal, reflect } = await start();
    await other.create(aConfigMap('a'), byOther, signal);
    const first = reflect();
    await first.view.synced;
    sandbox.faults.failRequests(1_000, 500);
    const second = reflect();
    await eventually('the list is refused', () => first.view.trouble !== undefined);
    expect(second.view.isSynced).toBe(false);
    sandbox.faults.failRequests(0, 500);
    await second.view.synced;
    expect(shown(second.view)).toEqual(['a=1']);
  });

  it('has one trouble for all of them, and goes on for all', async () => {
    const { sandbox, other, signal, reflect } = await start();
    const [first, second] = [reflect(), reflect(configMapKind, { ...inDefault, project: named })];
    await Promise.all([first.view.synced, second.view.synced]);
    for (let round = 0; round < 3; round += 1) {
      sandbox.faults.resetWatches();
      await other.create(aConfigMap(`c${round}`), byOther, signal);
    }
    await eventually('both have all', () => [first, second].every(({ changes }) => changes.length === 3));
    expect(watched(sandbox)).toBe(1);
  });

  it('in other namespaces, or by other labels, is another watch', async () => {
    const { sandbox } = await start();
    const ending = new AbortController();
    const client = await openCluster(
      { kind: 'text', text: sandbox.kubeconfig },
      { clock: fastClock(20), log: silentLogger },
    );
    try {
      const views = [inDefault, {}, { labelSelector: 'a=b' }, { fieldSelector: 'metadata.name=a' }].map((scope) =>
        client.reflect(configMapKind, scope, ending.signal),
      );
      await Promise.all(views.map(({ synced }) => synced));
      await eventually('four are open', () => watched(sandbox) === 4);
    } finally {
      ending.abort(new Error('over'));
      await client.close();
    }
  });
});
