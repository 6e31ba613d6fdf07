import { expect, test } from 'vitest';
import type { Answer, Json } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { applyPatch, configMap, configMaps, deployment, deployments, mergePatch } from './samples.ts';

export function fieldOwnership(given: Given): void {
  const apply = (path: string, object: Json, manager: string, more = ''): Promise<Answer> =>
    given().api.call('PATCH', `${path}?fieldManager=${manager}${more}`, object, applyPatch);

  test('apply creates, applying the same again changes nothing', () =>
    given().inNamespace(async (ns) => {
      const made = await apply(configMaps(ns, 'one'), configMap('one', { a: '1' }), 'first');
      expect(made.status).toBe(201);
      expect(made.body.metadata.managedFields).toMatchObject([
        { manager: 'first', operation: 'Apply', apiVersion: 'v1', fieldsV1: { 'f:data': { 'f:a': {} } } },
      ]);
      const again = await apply(configMaps(ns, 'one'), configMap('one', { a: '1' }), 'first');
      expect(again.status).toBe(200);
      expect(again.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
    }));

  test('what an applier no longer states goes away, what others state stays', () =>
    given().inNamespace(async (ns) => {
      const path = configMaps(ns, 'one');
      await apply(path, configMap('one', { mine: '1', shared: 's' }), 'first');
      await apply(path, configMap('one', { theirs: '2', shared: 's' }), 'second');
      const { body } = await apply(path, configMap('one', {}), 'first');
      expect(body.data).toEqual({ theirs: '2', shared: 's' });
      const owners = body.metadata.managedFields?.map(({ manager }) => manager);
      expect(owners).toContain('second');
    }));

  test("another applier's different value is a conflict until forced", () =>
    given().inNamespace(async (ns) => {
      const path = configMaps(ns, 'one');
      await apply(path, configMap('one', { a: '1', b: '1' }), 'first');
      const one = await apply(path, configMap('one', { a: '2' }), 'second');
      expect(one.status).toBe(409);
      expect(one.body).toMatchObject({
        reason: 'Conflict',
        message: 'Apply failed with 1 conflict: conflict with "first": .data.a',
        details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "first"', field: '.data.a' }] },
      });
      const two = await apply(path, configMap('one', { a: '2', b: '2' }), 'second');
      expect(two.body.message).toBe('Apply failed with 2 conflicts: conflicts with "first":\n- .data.a\n- .data.b');
      const forced = await apply(path, configMap('one', { a: '2' }), 'second', '&force=true');
      expect(forced.status).toBe(200);
      expect(forced.body.data).toEqual({ a: '2', b: '1' });
      const first = forced.body.metadata.managedFields?.find(({ manager }) => manager === 'first');
      expect(first?.fieldsV1).toEqual({ 'f:data': { 'f:b': {} } });
    }));

  test('an update takes fields over, and is named in the conflict', () =>
    given().inNamespace(async (ns) => {
      const path = deployments(ns, 'web');
      const object = deployment('web', given().images.first, { paused: true });
      await apply(path, object, 'first');
      const patch = { spec: { replicas: 1, paused: true } };
      await given().api.call('PATCH', `${path}?fieldManager=person`, patch, mergePatch);
      const back = await apply(path, object, 'first');
      expect(back.status).toBe(409);
      expect(back.body.message).toBe(
        'Apply failed with 1 conflict: conflict with "person" using apps/v1: .spec.replicas',
      );
    }));

  test('list items are owned by their keys', () =>
    given().inNamespace(async (ns) => {
      const path = deployments(ns, 'web');
      const object = deployment('web', given().images.first, { paused: true });
      const made = await apply(path, object, 'first');
      expect(made.status).toBe(201);
      const withEnv = (env: unknown): Json => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { template: { spec: { containers: [{ name: 'app', env }] } } },
      });
      const second = await apply(path, withEnv([{ name: 'A', value: '1' }]), 'second');
      expect(second.status).toBe(200);
      const container = (answer: Answer): Json =>
        ((answer.body.spec.template as Json).spec as { containers: Json[] }).containers[0] ?? {};
      expect(container(second)).toMatchObject({ image: given().images.first, env: [{ name: 'A', value: '1' }] });
      const mine = second.body.metadata.managedFields?.find(({ manager }) => manager === 'second');
      expect(mine?.fieldsV1).toEqual({
        'f:spec': {
          'f:template': {
            'f:spec': {
              'f:containers': {
                'k:{"name":"app"}': {
                  '.': {},
                  'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
                  'f:name': {},
                },
              },
            },
          },
        },
      });
      const other = await apply(path, withEnv([{ name: 'B', value: '2' }]), 'second');
      expect(container(other).env).toEqual([{ name: 'B', value: '2' }]);
      const clash = await apply(path, withEnv([{ name: 'B', value: '3' }]), 'third');
      expect(clash.body.message).toBe(
        'Apply failed with 1 conflict: conflict with "second": .spec.template.spec.containers[name="app"].env[name="B"].value',
      );
    }));

  test('ports are known by number and protocol, though the protocol is a default', () =>
    given().inNamespace(async (ns) => {
      const path = `/api/v1/namespaces/${ns}/services/web`;
      const service = (ports: unknown): Json => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports },
      });
      await apply(path, service([{ name: 'http', port: 80 }]), 'first');
      const two = await apply(
        path,
        service([
          { name: 'http', port: 80 },
          { name: 'admin', port: 81 },
        ]),
        'first',
      );
      expect((two.body.spec.ports as Json[]).map(({ port }) => port)).toEqual([80, 81]);
      const one = await apply(path, service([{ name: 'admin', port: 81 }]), 'first');
      expect((one.body.spec.ports as Json[]).map(({ port }) => port)).toEqual([81]);
      const clash = await apply(path, service([{ name: 'other', port: 81 }]), 'second');
      expect(clash.body.details.causes[0]?.field).toBe('.spec.ports[port=81,protocol="TCP"].name');
    }));

  test('an applier of the status owns it beside the applier of the spec', () =>
    given().inNamespace(async (ns) => {
      const path = `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets/web`;
      const head = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web' } };
      const spec = { minAvailable: 1, selector: { matchLabels: { app: 'none-such' } } };
      await apply(path, { ...head, spec }, 'first');
      const conditions = [
        { type: 'X', status: 'True', reason: 'R', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ];
      const answer = await apply(`${path}/status`, { ...head, status: { conditions } }, 'first');
      expect(answer.status).toBe(200);
      const entry = answer.body.metadata.managedFields?.find(
        (one) => one.operation === 'Apply' && one.subresource === 'status',
      );
      expect(entry).toMatchObject({
        manager: 'first',
        fieldsV1: { 'f:status': { 'f:conditions': expect.anything() } },
      });
    }));

  test("an object without a field of its own is nobody's, whoever applied it", () =>
    given().inNamespace(async (ns) => {
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bare' } };
      for (const path of [`/api/v1/namespaces/${ns}/serviceaccounts/bare`, configMaps(ns, 'bare')]) {
        const object = path.includes('configmaps') ? { ...account, kind: 'ConfigMap' } : account;
        const { status, body } = await apply(path, object, 'first');
        expect([status, body.metadata.managedFields]).toEqual([201, undefined]);
      }
    }));

  test("stringData is owned as it was written: what it leaves behind in data is nobody's, until somebody applies it", () =>
    given().inNamespace(async (ns) => {
      const path = `/api/v1/namespaces/${ns}/secrets/creds`;
      const secret = (fields: Json): Json => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'creds' },
        ...fields,
      });
      const owned = (answer: Answer): unknown => answer.body.metadata.managedFields?.map(({ fieldsV1 }) => fieldsV1);
      await apply(path, secret({ stringData: { a: 'one', b: 'two' } }), 'first');
      const less = await apply(path, secret({ stringData: { a: 'one' } }), 'first');
      expect(less.body).toMatchObject({ data: { a: 'b25l', b: 'dHdv' } });
      expect(owned(less)).toEqual([{ 'f:stringData': { 'f:a': {} } }]);
      const stored = await apply(path, secret({ data: { a: 'b25l' } }), 'first');
      expect(stored.body).toMatchObject({ data: { a: 'b25l', b: 'dHdv' } });
      expect(owned(stored)).toEqual([{ 'f:data': { 'f:a': {} } }]);
      await apply(path, secret({ data: { a: 'b25l', b: 'dHdv' } }), 'first');
      const clean = await apply(path, secret({ data: { a: 'b25l' } }), 'first');
      expect(clean.body.data).toEqual({ a: 'b25l' });
    }));

  test('an owner is given another name by a patch, and owns what it owned', () =>
    given().inNamespace(async (ns) => {
      const path = configMaps(ns, 'one');
      const made = await apply(path, configMap('one', { a: '1', b: '1' }), 'first');
      const { resourceVersion } = made.body.metadata;
      const patch = [
        { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
        { op: 'replace', path: '/metadata/managedFields/0/manager', value: 'first@team' },
      ];
      const options = { contentType: 'application/json-patch+json' };
      const renamed = await given().api.call('PATCH', `${path}?fieldManager=first@team`, patch, options);
      expect(renamed.status).toBe(200);
      expect(renamed.body.metadata.managedFields).toMatchObject([
        { manager: 'first@team', operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } } },
      ]);
      const less = await apply(path, configMap('one', { a: '2' }), 'first@team');
      expect(less.status).toBe(200);
      expect(less.body.data).toEqual({ a: '2' });
    }));

  test('apply needs a manager and refuses managedFields', () =>
    given().inNamespace(async (ns) => {
      const path = configMaps(ns, 'one');
      const nobody = await given().api.call('PATCH', path, configMap('one'), applyPatch);
      expect(nobody.status).toBe(422);
      expect(nobody.body.message).toContain('fieldManager: Required value: is required for apply patch');
      const told = await apply(path, configMap('one', {}, { managedFields: [] }), 'first');
      expect(told.status).toBe(400);
      expect(told.body.message).toContain('metadata.managedFields must be nil');
    }));

  test('a field that the schema does not have cannot be applied', () =>
    given().inNamespace(async (ns) => {
      const odd = deployment('web', given().images.first, { nonsense: 1 });
      const answer = await apply(deployments(ns, 'web'), odd, 'first');
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.body.message).toContain('.spec.nonsense: field not declared in schema');
    }));
}
