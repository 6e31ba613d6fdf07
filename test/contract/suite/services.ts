import { expect, test } from 'vitest';
import type { Json } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';

const services = (ns: string, name = ''): string => `/api/v1/namespaces/${ns}/services${name === '' ? '' : `/${name}`}`;

/** What makes copies of Services possible, and impossible. */
export function copiedServices(given: Given): void {
  const ports = [{ name: 'http', port: 80, targetPort: 9898 }];
  const make = (ns: string, name: string, spec: Json): Promise<{ status: number; body: Json }> =>
    given().api.call('POST', services(ns), { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });

  test('the address of a Service cannot be given to another', () =>
    given().inNamespace(async (ns) => {
      const { body } = await make(ns, 'web', { type: 'NodePort', selector: { app: 'web' }, ports });
      const { clusterIP: _one, ...several } = body.spec as Json;
      expect(several).toMatchObject({ clusterIPs: [expect.any(String)], ports: [{ nodePort: expect.any(Number) }] });
      const copy = await make(ns, 'web-primary', several);
      expect(copy.status).toBe(422);
      expect(copy.body.message).toContain('must be empty when `clusterIP` is not specified');
    }));

  test('a copy without address and node ports gets an address of its own, and keeps it when it is changed', () =>
    given().inNamespace(async (ns) => {
      const { body } = await make(ns, 'web', { selector: { app: 'web' }, ports });
      const { clusterIP, clusterIPs: _all, ...copied } = body.spec as Json;
      const { type: _type, ...plain } = copied;
      const copy = await make(ns, 'web-primary', plain);
      expect(copy.status).toBe(201);
      const made = copy.body.spec as Json;
      expect(made).toMatchObject({ type: 'ClusterIP', clusterIP: expect.stringMatching(/^\d/) });
      expect(made.clusterIP).not.toBe(clusterIP);
      const { body: changed } = await given().api.call(
        'PATCH',
        services(ns, 'web-primary'),
        [{ op: 'replace', path: '/spec/selector', value: { app: 'web-v2' } }],
        { contentType: 'application/json-patch+json' },
      );
      expect(changed.spec).toMatchObject({ clusterIP: made.clusterIP, selector: { app: 'web-v2' } });
    }));
}
