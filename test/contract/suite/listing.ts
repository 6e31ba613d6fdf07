import { expect, test } from 'vitest';
import type { Seen } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { configMaps, createConfigMap, deployment, deployments } from './samples.ts';

const names = (list: Seen): string[] => list.items.map(({ metadata }) => metadata.name);
const query = (parameters: Record<string, string>): string => `?${new URLSearchParams(parameters).toString()}`;

export function listing(given: Given): void {
  test('items of built-in kinds are sorted and come without kind and apiVersion', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      for (const name of ['b', 'a']) await createConfigMap(api, ns, name, {}, { labels: { mine: 'yes' } });
      const { body } = await api.call('GET', `${configMaps(ns)}${query({ labelSelector: 'mine=yes' })}`);
      expect(body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
      expect(body.metadata.resourceVersion).toMatch(/^\d+$/);
      expect(names(body)).toEqual(['a', 'b']);
      expect(body.items[0]).not.toHaveProperty('kind');
      expect(body.items[0]).not.toHaveProperty('apiVersion');
    }));

  test('labels select by equality, by sets and by presence', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a', {}, { labels: { tier: 'web', on: '1' } });
      await createConfigMap(api, ns, 'b', {}, { labels: { tier: 'db', on: '1' } });
      await createConfigMap(api, ns, 'c', {}, { labels: { on: '1' } });
      const select = async (labelSelector: string): Promise<string[]> =>
        names((await api.call('GET', `${configMaps(ns)}${query({ labelSelector })}`)).body);
      expect(await select('on,tier=web')).toEqual(['a']);
      expect(await select('on,tier!=web')).toEqual(['b', 'c']);
      expect(await select('tier in (web,db)')).toEqual(['a', 'b']);
      expect(await select('on=1,tier notin (web)')).toEqual(['b', 'c']);
      expect(await select('on,!tier')).toEqual(['c']);
      expect(await select('tier')).toEqual(['a', 'b']);
      const bad = await api.call('GET', `${configMaps(ns)}${query({ labelSelector: 'a=(' })}`);
      expect(bad.body).toMatchObject({ reason: 'BadRequest', code: 400 });
    }));

  test('fields select by name; what cannot be asked for is refused', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a');
      const found = await api.call('GET', `${configMaps(ns)}${query({ fieldSelector: 'metadata.name=a' })}`);
      expect(names(found.body)).toEqual(['a']);
      const others = await api.call('GET', `${configMaps(ns)}${query({ fieldSelector: 'metadata.name!=a' })}`);
      expect(names(others.body)).not.toContain('a');
      const bad = await api.call('GET', `${configMaps(ns)}${query({ fieldSelector: 'data.x=1' })}`);
      expect(bad.status).toBe(400);
      expect(bad.body.message).toBe(
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
      );
    }));

  test('pages have the limit that was asked for and go on where the last one ended', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
        await createConfigMap(api, ns, name, {}, { labels: { p: 'x' } });
      const select = { labelSelector: 'p=x', limit: '2' };
      const first = (await api.call('GET', `${configMaps(ns)}${query(select)}`)).body;
      const next = first.metadata.continue ?? '';
      await createConfigMap(api, ns, 'p0', {}, { labels: { p: 'x' } });
      const second = (await api.call('GET', `${configMaps(ns)}${query({ ...select, continue: next })}`)).body;
      const last = second.metadata.continue ?? '';
      // Of another size than the first.
      const third = (await api.call('GET', `${configMaps(ns)}${query({ ...select, limit: '1', continue: last })}`))
        .body;
      expect([first, second, third].map(names)).toEqual([['p1', 'p2'], ['p3', 'p4'], ['p5']]);
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      expect(third.metadata.continue ?? '').toBe('');
      const whole = (await api.call('GET', `${configMaps(ns)}${query({ limit: '2' })}`)).body;
      expect(whole.metadata.remainingItemCount).toBeGreaterThan(0);
    }));

  test('a list across all namespaces has the objects of each', () =>
    given().inNamespace((one) =>
      given().inNamespace(async (two) => {
        const { api } = given();
        const labels = { both: one };
        for (const ns of [one, two]) await createConfigMap(api, ns, 'same', {}, { labels });
        const { body } = await api.call('GET', `/api/v1/configmaps${query({ labelSelector: `both=${one}` })}`);
        expect(body.items.map(({ metadata }) => metadata.namespace).sort()).toEqual([one, two].sort());
      }),
    ));

  test('tables have the columns that kubectl prints', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { paused: true }));
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
      const { body } = await api.call('GET', deployments(ns), undefined, { accept });
      expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
      const columns = body.columnDefinitions as { name: string; type: string; priority: number }[];
      expect(columns.map(({ name, type, priority }) => `${name}/${type}/${priority}`)).toEqual([
        'Name/string/0',
        'Ready/string/0',
        'Up-to-date/string/0',
        'Available/string/0',
        'Age/string/0',
        'Containers/string/1',
        'Images/string/1',
        'Selector/string/1',
      ]);
      const rows = body.rows as { cells: unknown[]; object: Seen }[];
      expect(rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'web' } });
      expect(rows[0]?.cells).toEqual([
        'web',
        '0/0',
        0,
        0,
        expect.stringMatching(/^\d+s$/),
        'app',
        images.first,
        'app=web',
      ]);
    }));

  test('metadata can be had alone', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a', { big: 'data' });
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
      const { body } = await api.call('GET', configMaps(ns), undefined, { accept });
      expect(body).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
      expect(names(body)).toContain('a');
      expect(JSON.stringify(body.items)).not.toContain('big":"data');
    }));

  test('discovery names the kinds, both in one document and group by group', async () => {
    const { api } = given();
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const aggregated = await api.call('GET', '/apis', undefined, { accept });
    expect(aggregated.headers['content-type']).toContain('as=APIGroupDiscoveryList');
    expect(aggregated.body.kind).toBe('APIGroupDiscoveryList');
    expect(aggregated.body.items.map(({ metadata }) => metadata.name)).toContain('apps');
    const apps = await api.call('GET', '/apis/apps/v1');
    expect(apps.body).toMatchObject({ kind: 'APIResourceList', groupVersion: 'apps/v1' });
    expect(apps.body.resources).toContainEqual(
      expect.objectContaining({ name: 'deployments', kind: 'Deployment', namespaced: true, shortNames: ['deploy'] }),
    );
    expect((await api.call('GET', '/version')).body).toMatchObject({ major: '1' });
    expect((await api.call('GET', '/readyz')).body.message).toBe('ok');
  });
}
