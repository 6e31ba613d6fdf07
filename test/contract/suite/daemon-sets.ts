import { expect, test } from 'vitest';
import type { Json, Seen } from '../cluster-api.ts';
import { eventually } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { applyPatch, deployment, mergePatch, strategicPatch } from './samples.ts';

const paths = (ns: string, name = ''): string =>
  `/apis/apps/v1/namespaces/${ns}/daemonsets${name === '' ? '' : `/${name}`}`;

function daemonSet(name: string, image: string): Json {
  const { replicas: _none, ...spec } = deployment(name, image).spec as Json;
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, labels: { app: name } }, spec };
}
const onNodes = (nodeSelector: Json | null): Json => ({ spec: { template: { spec: { nodeSelector } } } });
const withImage = (image: string): Json => ({ spec: { template: { spec: { containers: [{ name: 'app', image }] } } } });

interface Managed {
  readonly manager: string;
  readonly subresource?: string;
  readonly time: string;
  readonly fieldsV1: Json;
}
const managed = (object: Seen): readonly Managed[] => object.metadata.managedFields as unknown as Managed[];

export function daemonSets(given: Given): void {
  const read = async (path: string): Promise<Seen> => (await given().api.call('GET', path)).body;
  const pods = async (ns: string): Promise<Seen[]> => (await read(`/api/v1/namespaces/${ns}/pods`)).items;
  const seen = (ns: string, is: (status: Json) => boolean, what: string): Promise<Seen> =>
    eventually(
      () => read(paths(ns, 'web')),
      ({ metadata, status }) => status?.observedGeneration === metadata.generation && is(status as Json),
      what,
    );
  const everywhere = ({ desiredNumberScheduled, updatedNumberScheduled, numberAvailable }: Json): boolean =>
    Number(desiredNumberScheduled) > 0 &&
    updatedNumberScheduled === desiredNumberScheduled &&
    numberAvailable === desiredNumberScheduled;

  test('a DaemonSet runs a pod on each node, and says so', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', paths(ns), daemonSet('web', images.first));
      const { metadata, status } = await seen(ns, everywhere, 'pods everywhere');
      const desired = status.desiredNumberScheduled;
      expect(status).toMatchObject({ currentNumberScheduled: desired, numberMisscheduled: 0, numberReady: desired });
      expect(status).not.toHaveProperty('numberUnavailable');
      expect(status).not.toHaveProperty('conditions');
      const made = await pods(ns);
      expect(made).toHaveLength(Number(desired));
      for (const pod of made) {
        expect(pod.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
        expect(pod.metadata.labels).toMatchObject({ app: 'web', 'controller-revision-hash': expect.any(String) });
        expect(pod.metadata.ownerReferences).toMatchObject([
          { kind: 'DaemonSet', name: 'web', uid: metadata.uid, controller: true },
        ]);
      }
    }));

  test('a node selector that no node has takes all pods away, and without it they come back', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', paths(ns), daemonSet('web', images.first));
      await seen(ns, everywhere, 'pods everywhere');
      await api.call('PATCH', paths(ns, 'web'), onNodes({ 'flagger.app/scale-to-zero': 'true' }), mergePatch);
      const { status } = await seen(
        ns,
        ({ desiredNumberScheduled, numberMisscheduled }) => desiredNumberScheduled === 0 && numberMisscheduled === 0,
        'no pods',
      );
      expect(status).toMatchObject({ currentNumberScheduled: 0, numberReady: 0 });
      expect(status).not.toHaveProperty('numberAvailable');
      await eventually(
        () => pods(ns),
        (all) => all.length === 0,
        'no pods',
      );
      await api.call('PATCH', paths(ns, 'web'), onNodes({ 'flagger.app/scale-to-zero': null }), mergePatch);
      const { spec } = await seen(ns, everywhere, 'pods everywhere again');
      expect((spec.template as { spec: Json }).spec).not.toHaveProperty('nodeSelector');
    }));

  test('a new template replaces the pods one by one', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', paths(ns), daemonSet('web', images.first));
      await seen(ns, everywhere, 'pods everywhere');
      const before = await pods(ns);
      await api.call('PATCH', paths(ns, 'web'), withImage(images.second), strategicPatch);
      await seen(ns, everywhere, 'new pods everywhere');
      const after = (await pods(ns)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      expect(after.map(({ metadata }) => metadata.name)).not.toEqual(before.map(({ metadata }) => metadata.name));
      for (const { spec } of after) expect(spec.containers).toMatchObject([{ image: images.second }]);
    }));

  test('pods that cannot start are unavailable, and no condition tells since when', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', paths(ns), daemonSet('web', images.missing));
      const { status } = await seen(
        ns,
        ({ updatedNumberScheduled, desiredNumberScheduled }) =>
          Number(desiredNumberScheduled) > 0 && updatedNumberScheduled === desiredNumberScheduled,
        'pods',
      );
      expect(status).toMatchObject({ numberReady: 0, numberUnavailable: status.desiredNumberScheduled });
      expect(status).not.toHaveProperty('numberAvailable');
      expect(status).not.toHaveProperty('conditions');
    }));

  test('who changed spec and status last, and when, stands in the managed fields', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', `${paths(ns)}?fieldManager=maker`, daemonSet('web', images.first));
      const object = await seen(ns, everywhere, 'pods everywhere');
      const byStatus = managed(object).find(({ subresource }) => subresource === 'status');
      expect(Date.parse(byStatus?.time ?? '')).toBeGreaterThan(0);
      const maker = managed(object).find(({ manager }) => manager === 'maker');
      expect(maker?.fieldsV1).toHaveProperty(['f:spec']);
      await api.call(
        'PATCH',
        `${paths(ns, 'web')}?fieldManager=other`,
        { metadata: { labels: { x: 'y' } } },
        mergePatch,
      );
      const other = managed(await read(paths(ns, 'web'))).find(({ manager }) => manager === 'other');
      expect(other?.fieldsV1).not.toHaveProperty(['f:spec']);
    }));

  test('a node selector is one field: who writes one label of it owns it as a whole', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      const wanted = daemonSet('web', images.first);
      const spec = wanted.spec as { template: { spec: Json } };
      spec.template.spec = { ...spec.template.spec, nodeSelector: { 'kubernetes.io/os': 'linux' } };
      const apply = (query: string, body: Json) =>
        api.call('PATCH', `${paths(ns, 'web')}?fieldManager=git${query}`, body, applyPatch);
      await apply('', wanted);
      await api.call(
        'PATCH',
        `${paths(ns, 'web')}?fieldManager=canary`,
        onNodes({ 'flagger.app/scale-to-zero': 'true' }),
        mergePatch,
      );
      const refused = await apply('', wanted);
      expect(refused.status).toBe(409);
      expect(JSON.stringify(refused.body)).toContain('.spec.template.spec.nodeSelector');
      const both = { 'kubernetes.io/os': 'linux', 'flagger.app/scale-to-zero': 'true' };
      const around = {
        ...wanted,
        spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, nodeSelector: both } } },
      };
      expect((await apply('', around)).status).toBe(200);
      const stale = { ...around, metadata: { ...(wanted.metadata as Json), resourceVersion: '1' } };
      expect((await apply('&force=true', stale)).status).toBe(409);
      // Its controller writes the status meanwhile: the version that was read may be an old one again.
      await eventually(
        async () => {
          const { resourceVersion } = (await read(paths(ns, 'web'))).metadata;
          const fresh = { ...around, metadata: { ...(wanted.metadata as Json), resourceVersion } };
          return (await apply('&force=true', fresh)).status;
        },
        (status) => status === 200,
        'an apply on the version that was read',
      );
    }));
}
