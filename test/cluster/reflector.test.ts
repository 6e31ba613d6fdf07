import { describe, expect, it } from 'vitest';
import { fastClock } from '../helpers/fast-clock.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { eventually } from '../helpers/eventually.ts';
import {
  aConfigMap,
  aWidget,
  configMapKind,
  ours,
  shown,
  useCluster,
  widgetDefinition,
  widgetKind,
} from './a-cluster.ts';

const start = useCluster();
const byOther = { manager: 'other' };

describe('a live view', () => {
  it('holds what is there, follows every change, and tells each once', async () => {
    const { other, signal, reflect } = await start();
    await other.create(aConfigMap('a'), byOther, signal);
    const { view, changes } = reflect();
    await view.synced;
    expect(shown(view)).toEqual(['a=1']);
    await other.create(aConfigMap('b'), byOther, signal);
    await other.mergePatch(
      { ...configMapKind, namespace: 'default', name: 'a' },
      { data: { a: '2' } },
      byOther,
      signal,
    );
    await other.remove({ ...configMapKind, namespace: 'default', name: 'b' }, {}, signal);
    await eventually('the deletion arrives', () => changes.includes('deleted b'));
    expect(changes).toEqual(['added a', 'added b', 'modified a', 'deleted b']);
    expect(shown(view)).toEqual(['a=2']);
    expect(view.get('default', 'a')?.kind).toBe('ConfigMap');
    expect(view.get('default', 'b')).toBeUndefined();
    expect(view.trouble).toBeUndefined();
  });

  it('keeps only what the projection leaves, and no managed fields', async () => {
    const { other, signal, reflect } = await start();
    await other.apply(aConfigMap('a'), { manager: 'other' }, signal);
    const { view } = reflect(configMapKind, {
      namespace: 'default',
      project: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata }),
    });
    await view.synced;
    const held = view.get('default', 'a');
    expect(held).not.toHaveProperty('data');
    expect(held?.metadata).not.toHaveProperty('managedFields');
    const { view: whole } = reflect(configMapKind, { namespace: 'default', keepManagedFields: true });
    await whole.synced;
    expect(whole.get('default', 'a')?.metadata).toHaveProperty('managedFields');
  });

  it('sees by label and namespace', async () => {
    const { other, signal, reflect } = await start();
    const labelled = aConfigMap('mine');
    labelled.metadata.labels = { team: 'x' };
    await other.create(labelled, byOther, signal);
    await other.create(aConfigMap('foreign'), byOther, signal);
    const { view, changes } = reflect(configMapKind, { labelSelector: 'team=x' });
    await view.synced;
    expect(shown(view)).toEqual(['mine=1']);
    const ref = { ...configMapKind, namespace: 'default', name: 'foreign' };
    await other.mergePatch(ref, { metadata: { labels: { team: 'x' } } }, byOther, signal);
    await eventually('it joins', () => changes.includes('added foreign'));
    await other.mergePatch(ref, { metadata: { labels: { team: null } } }, byOther, signal);
    await eventually('it leaves', () => changes.includes('deleted foreign'));
  });

  it('reads lists in pages', async () => {
    const { sandbox, reflect } = await start();
    for (let index = 0; index < 1_203; index += 1) sandbox.store.create({ ...aConfigMap(`c${index}`) });
    const { view, changes } = reflect();
    await view.synced;
    expect(ours(view)).toHaveLength(1_203);
    expect(new Set(changes).size).toBe(1_203);
  });

  it('goes on telling the others when one listener throws', async () => {
    const { other, signal, reflect } = await start();
    const { view } = reflect();
    await view.synced;
    const heard: string[] = [];
    view.onChange(() => {
      throw new Error('a bug');
    });
    const forget = view.onChange(({ object }) => heard.push(object.metadata.name));
    await other.create(aConfigMap('a'), byOther, signal);
    await eventually('it is heard', () => heard.length === 1);
    forget();
    await other.create(aConfigMap('b'), byOther, signal);
    await eventually('the view goes on', () => view.get('default', 'b') !== undefined);
    expect(heard).toEqual(['a']);
  });
});

describe('a live view of a bad connection', () => {
  it.each([
    ['a reset', 'resetWatches'],
    ['a clean end', 'endWatches'],
  ] as const)('survives %s without a new list', async (_, fault) => {
    const { sandbox, client, other, signal, reflect } = await start();
    const { view, changes } = reflect();
    await view.synced;
    await eventually('the watch is open', async () => {
      await other.apply(aConfigMap('first'), byOther, signal);
      return changes.includes('added first');
    });
    const before = client.statistics.requests;
    for (let round = 0; round < 5; round += 1) {
      sandbox.faults[fault]();
      await other.create(aConfigMap(`c${round}`), byOther, signal);
      await eventually('the change arrives', () => changes.includes(`added c${round}`));
    }
    expect(client.statistics.requests).toBe(before);
    expect(changes).toEqual(['added first', 'added c0', 'added c1', 'added c2', 'added c3', 'added c4']);
  });

  it.each([
    ['notices a stream that fell silent, and opens another', 0],
    ['notices it as soon when the clock was set back by a day', 86_400_000],
  ])('%s', async (_name, setBackMs) => {
    const clock = fastClock(500);
    let aheadMs = setBackMs;
    const { sandbox, other, signal, reflect } = await start({ ...clock, now: () => clock.now() + aheadMs });
    const { view } = reflect();
    await view.synced;
    sandbox.faults.freezeWatches(true);
    await other.create(aConfigMap('a'), byOther, signal);
    const frozenMs = view.lastContactMs;
    aheadMs = 0;
    // The old streams stay frozen; only new ones speak.
    await eventually('the next stream is tried', () => view.lastContactMs !== frozenMs);
    sandbox.faults.freezeWatches(false);
    await eventually('the change arrives', () => view.get('default', 'a') !== undefined);
    expect(view.lastContactMs).toBeGreaterThan(0);
  });

  it('lists again when the server has forgotten where it was, and finds what it missed', async () => {
    const { sandbox, other, signal, reflect } = await start();
    for (const name of ['gone', 'changed', 'stays', 'replaced']) await other.create(aConfigMap(name), byOther, signal);
    const { view, changes } = reflect();
    await view.synced;
    sandbox.faults.freezeWatches(true);
    await other.remove({ ...configMapKind, namespace: 'default', name: 'gone' }, {}, signal);
    await other.remove({ ...configMapKind, namespace: 'default', name: 'replaced' }, {}, signal);
    await other.create(aConfigMap('replaced', { a: '9' }), byOther, signal);
    await other.apply(aConfigMap('changed', { a: '2' }), { manager: 'other', force: true }, signal);
    await other.create(aConfigMap('new'), byOther, signal);
    changes.length = 0;
    sandbox.faults.compact();
    sandbox.faults.resetWatches();
    sandbox.faults.freezeWatches(false);
    await eventually('all is seen', () => shown(view).join() === 'changed=2,new=1,replaced=9,stays=1');
    expect(changes.toSorted()).toEqual([
      'added new',
      'added replaced',
      'deleted gone',
      'deleted replaced',
      'modified changed',
    ]);
  });

  it('keeps what it knows while the server refuses, and comes back by itself', async () => {
    const { sandbox, other, signal, reflect } = await start();
    await other.create(aConfigMap('a'), byOther, signal);
    const { view, changes } = reflect();
    await view.synced;
    for (const [status, retryAfter] of [[500], [503], [429, 1]] as const) {
      sandbox.faults.failRequests(8, status, retryAfter);
      sandbox.faults.resetWatches();
      await eventually('it says so', () => view.trouble?.includes(String(status)) === true);
      expect(shown(view)).toContain('a=1');
      sandbox.faults.failRequests(0, 500);
      await other.create(aConfigMap(`after-${status}`), byOther, signal);
      await eventually('it is back', () => changes.includes(`added after-${status}`));
      expect(view.trouble).toBeUndefined();
    }
  });

  it('survives a restart of the server', async () => {
    const { sandbox, other, signal, reflect } = await start();
    await other.create(aConfigMap('a'), byOther, signal);
    const { view, changes } = reflect();
    await view.synced;
    await sandbox.faults.restart(60);
    expect(shown(view)).toEqual(['a=1']);
    await other.create(aConfigMap('b'), byOther, signal).catch(() => other.create(aConfigMap('b'), byOther, signal));
    await eventually('the change arrives', () => changes.includes('added b'));
    expect(changes).toEqual(['added a', 'added b']);
  });

  it('begins with a server that does not answer yet', async () => {
    const { sandbox, reflect } = await start();
    sandbox.faults.failRequests(5, 500);
    const { view } = reflect();
    expect(view.isSynced).toBe(false);
    await view.synced;
    expect(view.isSynced).toBe(true);
  });

  it('makes a list again whose later pages were lost', async () => {
    const { sandbox, reflect } = await start();
    for (let index = 0; index < 1_100; index += 1) sandbox.store.create({ ...aConfigMap(`c${index}`) });
    const { view, changes } = reflect();
    await eventually('the first page is there', () => changes.length >= 500);
    sandbox.faults.failRequests(1, 500);
    await view.synced;
    expect(ours(view)).toHaveLength(1_100);
  });

  it('reads large objects in small pages, the first time and after a watch that broke', async () => {
    const { sandbox, client, reflect } = await start();
    const large = 'x'.repeat(1024 * 1024 - 2_000);
    for (let index = 0; index < 10; index += 1) sandbox.store.create(aConfigMap(`c${index}`, { a: large }));
    const project = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({ apiVersion, kind, metadata });
    const { view, changes } = reflect(configMapKind, { namespace: 'default', project });
    await view.synced;
    expect(ours(view)).toHaveLength(10);
    const before = client.statistics.requests;
    changes.length = 0;
    sandbox.faults.freezeWatches(true);
    sandbox.store.create(aConfigMap('new', { a: large }));
    sandbox.faults.compact();
    sandbox.faults.resetWatches();
    sandbox.faults.freezeWatches(false);
    await eventually('what it missed is seen', () => changes.includes('added new'));
    // Four at a time.
    expect(client.statistics.requests - before).toBeGreaterThanOrEqual(3);
  });

  it('ends with its signal and leaves nothing open', async () => {
    const { client, other, signal } = await start();
    const stop = new AbortController();
    const view = client.reflect(configMapKind, { namespace: 'default' }, stop.signal);
    await view.synced;
    stop.abort(new Error('enough'));
    await other.create(aConfigMap('later'), byOther, signal);
    await client.reflect(configMapKind, { namespace: 'default' }, signal).synced;
    expect(view.get('default', 'later')).toBeUndefined();
  });
});

describe('a live view of a kind that the cluster does not serve', () => {
  it('is empty and says so, fills when the kind is installed, and empties when it is removed', async () => {
    const { sandbox, client, other, signal, reflect } = await start();
    const { view, changes } = reflect(widgetKind);
    await view.synced;
    expect(view.list()).toEqual([]);
    expect(view.trouble).toMatch(/does not serve Widget/);
    expect(await client.get({ ...widgetKind, namespace: 'default', name: 'w' }, signal)).toBeUndefined();
    expect(await client.list(widgetKind, {}, signal)).toEqual([]);

    await other.create(widgetDefinition, byOther, signal);
    await eventually('it is served', async () => (await other.resource(widgetKind, signal)) !== undefined);
    await other.create(aWidget('w'), byOther, signal);
    await eventually('it is seen', () => changes.includes('added w'));
    expect(view.trouble).toBeUndefined();

    await other.remove({ ...widgetDefinition, name: 'widgets.example.test' }, {}, signal);
    await eventually('it is gone', () => view.list().length === 0);
    // A server ends the watches of a kind that it does not serve any more.
    sandbox.faults.endWatches();
    await eventually('it says so', () => view.trouble?.includes('does not serve Widget') === true);
    await other.create(widgetDefinition, byOther, signal);
    await eventually('it can be made again', () =>
      other.create(aWidget('again'), byOther, signal).then(
        () => true,
        () => false,
      ),
    );
    await eventually('it is seen again', () => view.get('default', 'again') !== undefined);
  });
});
