import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { createHistory } from '../../../src/sandbox/api/history.ts';
import { createStore } from '../../../src/sandbox/api/store.ts';
import type { StoredObject } from '../../../src/sandbox/types.ts';

const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', ...more },
});

function storeWithDefault() {
  const store = createStore(systemClock);
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  return store;
}

describe('the store without HTTP', () => {
  test('tells writes that are made while it tells one afterwards, in order', () => {
    const store = storeWithDefault();
    const heard: string[] = [];
    store.onEvent(({ object }) => {
      if (object.metadata.name === 'first') store.create(configMap('second'));
    });
    store.onEvent(({ object }) => heard.push(object.metadata.name));
    store.create(configMap('first'));
    expect(heard).toEqual(['first', 'second']);
  });

  test('gives out objects that nobody can write to', () => {
    const store = storeWithDefault();
    const made = store.create(configMap('one'));
    expect(() => {
      made.metadata.name = 'other';
    }).toThrow(TypeError);
  });

  test('an update that changes nothing is none', () => {
    const store = storeWithDefault();
    const made = store.create(configMap('one'));
    const heard: StoredObject[] = [];
    store.onEvent(({ object }) => heard.push(object));
    const same = store.update('v1', 'ConfigMap', 'default', 'one', () => undefined);
    expect(same?.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    expect(heard).toEqual([]);
    expect(store.update('v1', 'ConfigMap', 'default', 'none', () => undefined)).toBeUndefined();
  });

  test('a bound pod ends gracefully, an unbound one at once', () => {
    const store = storeWithDefault();
    const pod = (name: string, spec: object) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [{ name: 'a', image: 'a:1' }], ...spec },
    });
    store.create(pod('bound', { nodeName: 'n', terminationGracePeriodSeconds: 5 }));
    store.create(pod('unbound', {}));
    for (const name of ['bound', 'unbound']) store.remove('v1', 'Pod', 'default', name);
    expect(store.get('v1', 'Pod', 'default', 'unbound')).toBeUndefined();
    expect(store.get('v1', 'Pod', 'default', 'bound')?.metadata).toMatchObject({
      deletionTimestamp: expect.any(String),
      deletionGracePeriodSeconds: 5,
    });
    store.remove('v1', 'Pod', 'default', 'bound', { gracePeriodSeconds: 0 });
    expect(store.get('v1', 'Pod', 'default', 'bound')).toBeUndefined();
  });
});

describe('history', () => {
  const entry = (version: number) => ({ version, storage: '/x', event: { type: 'ADDED', object: {} } as never });

  test('forgets the oldest beyond its count and beyond its bytes', () => {
    const byCount = createHistory(0, 2);
    for (const version of [1, 2, 3]) byCount.add(entry(version), 1);
    expect(byCount.since(0, '/x')).toBeUndefined();
    expect(byCount.since(1, '/x')?.map(({ version }) => version)).toEqual([2, 3]);
    const byBytes = createHistory(0, 100, 10);
    for (const version of [1, 2, 3]) byBytes.add(entry(version), 6);
    expect(byBytes.since(2, '/x')?.map(({ version }) => version)).toEqual([3]);
    expect(byBytes.since(1, '/x')).toBeUndefined();
  });
});
