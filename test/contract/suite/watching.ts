import { expect, test } from 'vitest';
import type { Given } from '../cluster-under-test.ts';
import type { WatchEvent } from '../cluster-api.ts';
import { configMap, configMaps, createConfigMap, mergePatch } from './samples.ts';

const told = (events: readonly WatchEvent[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}`);
const watchPath = (ns: string, parameters: Record<string, string>): string =>
  `${configMaps(ns)}?${new URLSearchParams({ watch: 'true', ...parameters }).toString()}`;

export function watching(given: Given): void {
  test('a watch from a version tells all that came after it, in order', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'before');
      const { resourceVersion } = (await api.call('GET', configMaps(ns))).body.metadata;
      await createConfigMap(api, ns, 'a', { x: '1' }, { labels: { w: '1' } });
      const watch = await api.watch(watchPath(ns, { resourceVersion, labelSelector: 'w' }));
      await api.call('PATCH', configMaps(ns, 'a'), { data: { x: '2' } }, mergePatch);
      await api.call('DELETE', configMaps(ns, 'a'));
      const events = await watch.until((all) => all.length >= 3);
      watch.stop();
      expect(told(events)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
      expect(events.map(({ object }) => object.data)).toEqual([{ x: '1' }, { x: '2' }, { x: '2' }]);
      const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
      expect([...versions].sort((a, b) => a - b)).toEqual(versions);
      expect(new Set(versions).size).toBe(3);
      expect(events[0]?.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
    }));

  test('a watch without a version begins with what is there', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a', {}, { labels: { w: '1' } });
      const watch = await api.watch(watchPath(ns, { labelSelector: 'w' }));
      expect(told(await watch.until((all) => all.length >= 1))).toEqual(['ADDED a']);
      watch.stop();
    }));

  test('entering and leaving a selection are told as ADDED and DELETED', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a');
      const { resourceVersion } = (await api.call('GET', configMaps(ns))).body.metadata;
      const watch = await api.watch(watchPath(ns, { resourceVersion, labelSelector: 'in=yes' }));
      const label = (value: string | null) =>
        api.call('PATCH', configMaps(ns, 'a'), { metadata: { labels: { in: value } } }, mergePatch);
      await label('yes');
      await api.call('PATCH', configMaps(ns, 'a'), { data: { x: '1' } }, mergePatch);
      await label(null);
      await api.call('PATCH', configMaps(ns, 'a'), { data: { x: '2' } }, mergePatch);
      await label('yes');
      const events = await watch.until((all) => all.length >= 4);
      watch.stop();
      expect(told(events)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED a']);
    }));

  test('one object can be watched by its name', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a');
      await createConfigMap(api, ns, 'b');
      const { resourceVersion } = (await api.call('GET', configMaps(ns))).body.metadata;
      const watch = await api.watch(watchPath(ns, { resourceVersion, fieldSelector: 'metadata.name=b' }));
      for (const name of ['a', 'b']) await api.call('PATCH', configMaps(ns, name), { data: { x: '1' } }, mergePatch);
      expect(told(await watch.until((all) => all.length >= 1))).toEqual(['MODIFIED b']);
      watch.stop();
    }));

  test('a watch ends when its time is up', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const { resourceVersion } = (await api.call('GET', configMaps(ns))).body.metadata;
      const begun = Date.now();
      const watch = await api.watch(watchPath(ns, { resourceVersion, timeoutSeconds: '1' }));
      await watch.ended;
      expect(Date.now() - begun).toBeGreaterThan(800);
    }));

  test('the initial list can come over the watch, closed by a bookmark', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a', {}, { labels: { w: '1' } });
      const initial = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' };
      const watch = await api.watch(watchPath(ns, { ...initial, labelSelector: 'w' }));
      const events = await watch.until((all) => all.some(({ type }) => type === 'BOOKMARK'));
      watch.stop();
      expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK']);
      expect(events[1]?.object).toMatchObject({
        kind: 'ConfigMap',
        metadata: {
          resourceVersion: expect.stringMatching(/^\d+$/),
          annotations: { 'k8s.io/initial-events-end': 'true' },
        },
      });
    }));

  test('rows come over a watch too, their columns with the first', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
      await createConfigMap(api, ns, 'a', { x: '1' }, { labels: { w: '1' } });
      const watch = await api.watch(watchPath(ns, { labelSelector: 'w' }), { accept });
      await watch.until((all) => all.length >= 1);
      await api.call('POST', configMaps(ns), configMap('b', {}, { labels: { w: '1' } }));
      const [first, second] = await watch.until((all) => all.length >= 2);
      watch.stop();
      expect(first?.object).toMatchObject({
        kind: 'Table',
        columnDefinitions: [{ name: 'Name' }, { name: 'Data' }, { name: 'Age' }],
      });
      expect(second?.object.columnDefinitions).toBeNull();
      expect(second?.object.rows).toMatchObject([{ cells: ['b', 0, expect.any(String)] }]);
    }));
}
