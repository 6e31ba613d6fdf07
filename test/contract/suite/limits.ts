import { expect, test } from 'vitest';
import type { Answer, Json } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { configMap, configMaps, createConfigMap, deployment, deployments, mergePatch } from './samples.ts';

const annotationBytes = 256 * 1024;
const dataBytes = 1024 * 1024;

/** How large objects may be. */
export function limits(given: Given): void {
  const key = 'example.com/a';
  const annotated = (name: string, text: string): Json => configMap(name, {}, { annotations: { [key]: text } });
  const expectTooLong = ({ status, body }: Answer, field: string, bytes: number): void => {
    expect(status).toBe(422);
    expect(body.reason).toBe('Invalid');
    const message = `Too long: may not be more than ${bytes} bytes`;
    expect(body.details.causes[0]).toEqual({ reason: 'FieldValueTooLong', message, field });
    expect(body.message).toContain(`is invalid: ${field}: ${message}`);
  };

  test('annotations have 256 KiB together, keys and values, in bytes', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const most = annotationBytes - key.length;
      expect((await api.call('POST', configMaps(ns), annotated('most', 'x'.repeat(most)))).status).toBe(201);
      const more = await api.call('POST', configMaps(ns), annotated('more', 'x'.repeat(most + 1)));
      expectTooLong(more, 'metadata.annotations', annotationBytes);
      const bytes = await api.call('POST', configMaps(ns), annotated('bytes', 'ü'.repeat(most / 2 + 1)));
      expectTooLong(bytes, 'metadata.annotations', annotationBytes);
      const another = { metadata: { annotations: { 'example.com/b': '' } } };
      const patched = await api.call('PATCH', configMaps(ns, 'most'), another, mergePatch);
      expectTooLong(patched, 'metadata.annotations', annotationBytes);
    }));

  test('a ConfigMap holds 1 MiB of values, text and binary together', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const most = { long: 'x'.repeat(dataBytes) };
      expect((await api.call('POST', configMaps(ns), configMap('most', most))).status).toBe(201);
      const more = await api.call('POST', configMaps(ns), configMap('more', { long: `${most.long}x` }));
      expectTooLong(more, '[]', dataBytes);
      const binaryData = { other: Buffer.alloc(600_000).toString('base64') };
      const both = { ...configMap('both', { half: 'x'.repeat(600_000) }), binaryData };
      expectTooLong(await api.call('POST', configMaps(ns), both), '[]', dataBytes);
      await createConfigMap(api, ns, 'grows', { long: 'x' });
      const patch = { data: { long: `${most.long}x` } };
      expectTooLong(await api.call('PATCH', configMaps(ns, 'grows'), patch, mergePatch), '[]', dataBytes);
    }));

  test('a Secret holds 1 MiB of what its values stand for', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const secrets = `/api/v1/namespaces/${ns}/secrets`;
      const secret = (name: string, more: Json): Json => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name },
        ...more,
      });
      const encoded = (bytes: number): Json => ({ data: { long: Buffer.alloc(bytes).toString('base64') } });
      expect((await api.call('POST', secrets, secret('most', encoded(dataBytes)))).status).toBe(201);
      expectTooLong(await api.call('POST', secrets, secret('more', encoded(dataBytes + 1))), 'data', dataBytes);
      const stringData = { long: 'x'.repeat(dataBytes + 1) };
      expectTooLong(await api.call('POST', secrets, secret('text', { stringData })), 'data', dataBytes);
    }));

  test('no object has more than 1.5 MiB, whatever its kind', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const withBytes = (name: string, bytes: number): Json => {
        const object = deployment(name, 'none');
        const { template } = object.spec as { template: { spec: { containers: Json[] } } };
        for (const container of template.spec.containers) container.args = ['x'.repeat(bytes)];
        return object;
      };
      const create = (name: string, bytes: number): Promise<Answer> =>
        api.call('POST', deployments(ns), withBytes(name, bytes));
      expect((await create('most', 1_500_000)).status).toBe(201);
      const more = await create('more', 1_600_000);
      expect(more.status).toBe(500);
      expect(more.body.message).toBe('etcdserver: request is too large');
      const far = await create('far', 2_200_000);
      expect(far.status).toBe(500);
      expect(far.body.message).toMatch(
        /^rpc error: code = ResourceExhausted desc = trying to send message larger than max \(\d+ vs\. 2097152\)$/,
      );
      const none = await api.call('POST', deployments(ns), withBytes('none', 3_200_000));
      expect(none.body).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' });
    }));

  test('names have at most 253 letters, those of Services 63', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      expect((await api.call('POST', configMaps(ns), configMap('n'.repeat(253)))).status).toBe(201);
      const long = await api.call('POST', configMaps(ns), configMap('n'.repeat(254)));
      expect(long.body.message).toContain('must be no more than 253 characters');
      const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's'.repeat(64) } };
      const spec = { ports: [{ port: 80 }] };
      const refused = await api.call('POST', `/api/v1/namespaces/${ns}/services`, { ...service, spec });
      expect(refused.body.message).toContain('must be no more than 63 characters');
    }));
}
