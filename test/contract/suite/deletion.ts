import { expect, test } from 'vitest';
import { eventually } from '../cluster-api.ts';
import type { Json, Seen } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { uniqueName } from '../cluster-under-test.ts';
import { configMap, configMaps, createConfigMap, mergePatch } from './samples.ts';

const ownedBy = (owner: Seen, more: Json = {}): Json => ({
  ownerReferences: [
    { apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid, ...more },
  ],
});

export function deletion(given: Given): void {
  const status = async (ns: string, name: string): Promise<number> =>
    (await given().api.call('GET', configMaps(ns, name))).status;
  const gone = (ns: string, name: string): Promise<number> =>
    eventually(
      () => status(ns, name),
      (code) => code === 404,
      `the end of ${name}`,
    );

  test('deleting answers what was deleted', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await createConfigMap(api, ns, 'one');
      const { status: code, body } = await api.call('DELETE', configMaps(ns, 'one'));
      expect(code).toBe(200);
      expect(body).toMatchObject({
        kind: 'Status',
        status: 'Success',
        details: { name: 'one', kind: 'configmaps', uid: made.metadata.uid },
      });
      expect((await api.call('DELETE', configMaps(ns, 'one'))).status).toBe(404);
    }));

  test('a precondition that does not hold is a conflict', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'one');
      const options = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'another' } };
      const refused = await api.call('DELETE', configMaps(ns, 'one'), options);
      expect(refused.status).toBe(409);
      expect(refused.body.message).toContain(
        'the UID in the precondition (another) does not match the UID in record (',
      );
      expect(await status(ns, 'one')).toBe(200);
    }));

  test('a finalizer keeps an object until it is taken away', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'one', {}, { finalizers: ['example.com/hold'] });
      const marked = await api.call('DELETE', configMaps(ns, 'one'));
      expect(marked.body.metadata).toMatchObject({
        deletionTimestamp: expect.any(String),
        deletionGracePeriodSeconds: 0,
      });
      const version = (await api.call('GET', configMaps(ns, 'one'))).body.metadata.resourceVersion;
      const again = await api.call('DELETE', configMaps(ns, 'one'));
      expect(again.body.metadata.resourceVersion).toBe(version);
      const refused = await api.call(
        'PATCH',
        configMaps(ns, 'one'),
        { metadata: { finalizers: ['example.com/new'] } },
        mergePatch,
      );
      expect(refused.status).toBe(422);
      const released = await api.call('PATCH', configMaps(ns, 'one'), { metadata: { finalizers: null } }, mergePatch);
      expect(released.status).toBe(200);
      expect(await status(ns, 'one')).toBe(404);
    }));

  test('what has lost its owner is collected', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const owner = await createConfigMap(api, ns, 'owner');
      await createConfigMap(api, ns, 'owned', {}, ownedBy(owner));
      await api.call('DELETE', configMaps(ns, 'owner'));
      await gone(ns, 'owned');
    }));

  test('what still has another owner stays, without the lost one', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const [one, two] = [await createConfigMap(api, ns, 'one'), await createConfigMap(api, ns, 'two')];
      const ownerReferences = [one, two].flatMap((owner) => ownedBy(owner).ownerReferences as Json[]);
      await createConfigMap(api, ns, 'owned', {}, { ownerReferences });
      await api.call('DELETE', configMaps(ns, 'one'));
      const left = await eventually(
        async () => (await api.call('GET', configMaps(ns, 'owned'))).body,
        ({ metadata }) => metadata?.ownerReferences?.length === 1,
        'one owner',
      );
      expect(left.metadata.ownerReferences?.[0]?.name).toBe('two');
    }));

  test('an owner deleted in the foreground waits for what it owns', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const owner = await createConfigMap(api, ns, 'owner');
      const held = { ...ownedBy(owner, { blockOwnerDeletion: true }), finalizers: ['example.com/hold'] };
      await createConfigMap(api, ns, 'owned', {}, held);
      // The collector has to have seen the owned object before.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground' };
      const marked = await api.call('DELETE', configMaps(ns, 'owner'), options);
      expect(marked.body.metadata.finalizers).toEqual(['foregroundDeletion']);
      await eventually(
        async () => (await api.call('GET', configMaps(ns, 'owned'))).body,
        ({ metadata }) => metadata.deletionTimestamp !== undefined,
        'the mark on the owned object',
      );
      expect(await status(ns, 'owner')).toBe(200);
      await api.call('PATCH', configMaps(ns, 'owned'), { metadata: { finalizers: null } }, mergePatch);
      await gone(ns, 'owner');
      await gone(ns, 'owned');
    }));

  test('orphans lose their owner and stay', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const owner = await createConfigMap(api, ns, 'owner');
      await createConfigMap(api, ns, 'owned', {}, ownedBy(owner));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' };
      await api.call('DELETE', configMaps(ns, 'owner'), options);
      await gone(ns, 'owner');
      const orphan = await api.call('GET', configMaps(ns, 'owned'));
      expect(orphan.status).toBe(200);
      expect(orphan.body.metadata.ownerReferences).toBeUndefined();
    }));

  test('a collection goes by selector', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'a', {}, { labels: { away: 'yes' } });
      await createConfigMap(api, ns, 'b');
      const { status: code } = await api.call('DELETE', `${configMaps(ns)}?labelSelector=away%3Dyes`);
      expect(code).toBe(200);
      await gone(ns, 'a');
      expect(await status(ns, 'b')).toBe(200);
    }));

  test('a namespace takes everything in it along, and takes nothing new meanwhile', async () => {
    const { api } = given();
    const ns = uniqueName('serin-contract');
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: ns } });
    await createConfigMap(api, ns, 'held', {}, { finalizers: ['example.com/hold'] });
    const { body } = await api.call('DELETE', `/api/v1/namespaces/${ns}`);
    expect(body).toMatchObject({ kind: 'Namespace', status: { phase: 'Terminating' } });
    const late = await api.call('POST', configMaps(ns), configMap('late'));
    expect(late.status).toBe(403);
    expect(late.body.message).toContain(
      `unable to create new content in namespace ${ns} because it is being terminated`,
    );
    expect(late.body.details.causes[0]?.reason).toBe('NamespaceTerminating');
    await api.call('PATCH', configMaps(ns, 'held'), { metadata: { finalizers: null } }, mergePatch);
    await eventually(
      async () => (await api.call('GET', `/api/v1/namespaces/${ns}`)).status,
      (code) => code === 404,
      'the end of the namespace',
      // The namespace controller looks at what a finalizer holds only every 8 seconds, and may find it twice.
      90_000,
    );
  });

  test('a new namespace has its label, a service account and the root certificate', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const { body } = await api.call('GET', `/api/v1/namespaces/${ns}`);
      expect(body).toMatchObject({
        metadata: { labels: { 'kubernetes.io/metadata.name': ns } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      });
      for (const path of ['serviceaccounts/default', 'configmaps/kube-root-ca.crt']) {
        await eventually(
          async () => (await api.call('GET', `/api/v1/namespaces/${ns}/${path}`)).status,
          (code) => code === 200,
          path,
        );
      }
    }));
}
