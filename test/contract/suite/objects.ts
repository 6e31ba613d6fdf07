import { expect, test } from 'vitest';
import type { Given } from '../cluster-under-test.ts';
import {
  configMap,
  configMaps,
  createConfigMap,
  deployment,
  deployments,
  jsonPatch,
  mergePatch,
  strategicPatch,
} from './samples.ts';

export function objects(given: Given): void {
  test('a created object has an identity, a version and its writer', () =>
    given().inNamespace(async (ns) => {
      const { status, body } = await given().api.call('POST', configMaps(ns), configMap('one', { a: '1' }));
      expect(status).toBe(201);
      expect(body).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one', namespace: ns } });
      expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(body.metadata.generation).toBeUndefined();
      expect(body.metadata.managedFields).toEqual([
        {
          manager: 'contract',
          operation: 'Update',
          apiVersion: 'v1',
          time: expect.any(String),
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } },
        },
      ]);
    }));

  test('generateName gives a name of its own', () =>
    given().inNamespace(async (ns) => {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'many-' } };
      const one = await given().api.call('POST', configMaps(ns), body);
      const two = await given().api.call('POST', configMaps(ns), body);
      expect(one.body.metadata.name).toMatch(/^many-[a-z0-9]{5}$/);
      expect(two.body.metadata.name).not.toBe(one.body.metadata.name);
    }));

  test('what is there already, what is not, and a namespace that is not are told apart', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'one');
      const again = await api.call('POST', configMaps(ns), configMap('one'));
      expect(again.status).toBe(409);
      expect(again.body).toMatchObject({
        kind: 'Status',
        status: 'Failure',
        reason: 'AlreadyExists',
        message: 'configmaps "one" already exists',
        details: { name: 'one', kind: 'configmaps' },
        code: 409,
      });
      const missing = await api.call('GET', deployments(ns, 'none'));
      expect(missing.body).toMatchObject({
        reason: 'NotFound',
        message: 'deployments.apps "none" not found',
        details: { name: 'none', group: 'apps', kind: 'deployments' },
        code: 404,
      });
      const nowhere = await api.call('POST', configMaps(`${ns}-not`), configMap('one'));
      expect(nowhere.body).toMatchObject({
        reason: 'NotFound',
        message: `namespaces "${ns}-not" not found`,
        code: 404,
      });
    }));

  test('a bad name and missing fields are invalid, with their causes', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const bad = await api.call('POST', configMaps(ns), configMap('Not_Good'));
      expect(bad.status).toBe(422);
      expect(bad.body.message).toContain(
        'ConfigMap "Not_Good" is invalid: metadata.name: Invalid value: "Not_Good": a lowercase RFC 1123 subdomain',
      );
      expect(bad.body.details.causes[0]).toMatchObject({ reason: 'FieldValueInvalid', field: 'metadata.name' });
      const empty = await api.call('POST', deployments(ns), { metadata: { name: 'x' }, spec: { template: {} } });
      expect(empty.status).toBe(422);
      expect(empty.body.reason).toBe('Invalid');
      expect(empty.body.details.causes.map(({ field }) => field)).toEqual(
        expect.arrayContaining(['spec.selector', 'spec.template.spec.containers']),
      );
    }));

  test('a selector must fit the template and never changes', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      const other = { selector: { matchLabels: { app: 'other' } } };
      const misfit = await api.call('POST', deployments(ns), deployment('web', images.first, other));
      expect(misfit.status).toBe(422);
      expect(misfit.body.details.causes.map(({ field }) => field)).toContain('spec.template.metadata.labels');
      await api.call('POST', deployments(ns), deployment('web', images.first));
      const labels = { app: 'web', more: 'x' };
      const patch = { spec: { selector: { matchLabels: labels }, template: { metadata: { labels } } } };
      const changed = await api.call('PATCH', deployments(ns, 'web'), patch, mergePatch);
      expect(changed.status).toBe(422);
      expect(changed.body.message).toContain('field is immutable');
      expect(changed.body.details.causes[0]?.field).toBe('spec.selector');
    }));

  test('a field of the wrong type is a bad request', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      const { status, body } = await api.call(
        'POST',
        deployments(ns),
        deployment('web', images.first, { replicas: 'two' }),
      );
      expect(status).toBe(400);
      expect(body.reason).toBe('BadRequest');
      expect(body.message).toContain('cannot unmarshal string');
    }));

  test('unknown fields are dropped with a warning, and refused when asked to be strict', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      const odd = deployment('web', images.first, { nonsense: true });
      const strict = await api.call('POST', `${deployments(ns)}?fieldValidation=Strict`, odd);
      expect(strict.status).toBe(400);
      expect(strict.body.message).toContain('strict decoding error: unknown field "spec.nonsense"');
      const warned = await api.call('POST', `${deployments(ns)}?fieldValidation=Warn`, odd);
      expect(warned.status).toBe(201);
      expect(warned.headers.warning).toContain('unknown field');
      expect(warned.body.spec.nonsense).toBeUndefined();
    }));

  test('defaults are filled in, empty fields left out', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      const made = await api.call('POST', deployments(ns), deployment('web', images.first, { minReadySeconds: 0 }));
      expect(made.body.spec).toEqual({
        replicas: 0,
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 10,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [
              {
                name: 'app',
                image: images.first,
                imagePullPolicy: 'IfNotPresent',
                ports: [{ name: 'http', containerPort: 9898, protocol: 'TCP' }],
                readinessProbe: {
                  httpGet: { path: '/readyz', port: 9898, scheme: 'HTTP' },
                  timeoutSeconds: 1,
                  periodSeconds: 1,
                  successThreshold: 1,
                  failureThreshold: 3,
                },
                resources: {},
                terminationMessagePath: '/dev/termination-log',
                terminationMessagePolicy: 'File',
              },
            ],
            dnsPolicy: 'ClusterFirst',
            restartPolicy: 'Always',
            schedulerName: 'default-scheduler',
            securityContext: {},
            terminationGracePeriodSeconds: 1,
          },
        },
      });
      expect(made.body.status).toEqual({});
      const service = await api.call('POST', `/api/v1/namespaces/${ns}/services`, {
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
      });
      expect(service.body.spec).toMatchObject({
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        clusterIP: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
        ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
      });
      expect(service.body.status).toEqual({ loadBalancer: {} });
      expect(service.body.metadata.generation).toBeUndefined();
    }));

  test('a write that changes nothing leaves the version as it is', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await createConfigMap(api, ns, 'one', { a: '1' });
      const path = configMaps(ns, 'one');
      const put = await api.call('PUT', path, made);
      const merged = await api.call('PATCH', path, { data: { a: '1' } }, mergePatch);
      const stated = await api.call('PATCH', path, [{ op: 'replace', path: '/data/a', value: '1' }], jsonPatch);
      expect([put, merged, stated].map(({ body }) => body.metadata.resourceVersion)).toEqual(
        [1, 2, 3].map(() => made.metadata.resourceVersion),
      );
      const changed = await api.call('PATCH', path, { data: { a: '2' } }, mergePatch);
      expect(changed.body.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion);
    }));

  test('the generation counts changes of the spec only', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { paused: true }));
      const path = deployments(ns, 'web');
      const labelled = await api.call('PATCH', path, { metadata: { labels: { x: 'y' } } }, mergePatch);
      expect(labelled.body.metadata.generation).toBe(1);
      const changed = await api.call('PATCH', path, { spec: { revisionHistoryLimit: 3 } }, mergePatch);
      expect(changed.body.metadata.generation).toBe(2);
    }));

  test('the status changes through /status only, and nothing else does there', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const path = `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`;
      const spec = { minAvailable: 1, selector: { matchLabels: { app: 'none-such' } } };
      await api.call('POST', path, { metadata: { name: 'web' }, spec });
      const conditions = [
        { type: 'X', status: 'True', reason: 'R', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ];
      const main = await api.call('PATCH', `${path}/web`, { status: { conditions } }, mergePatch);
      expect(JSON.stringify(main.body.status ?? {})).not.toContain('"X"');
      const both = { status: { conditions }, spec: { minAvailable: 9 } };
      const sub = await api.call('PATCH', `${path}/web/status`, both, mergePatch);
      expect(sub.status).toBe(200);
      expect(JSON.stringify(sub.body.status)).toContain('"X"');
      expect(sub.body.spec.minAvailable).toBe(1);
      expect(sub.body.metadata.generation).toBe(1);
    }));

  test('an update from an old version is a conflict', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await createConfigMap(api, ns, 'one', { a: '1' });
      await api.call('PATCH', configMaps(ns, 'one'), { data: { a: '2' } }, mergePatch);
      const late = await api.call('PUT', configMaps(ns, 'one'), { ...made, data: { a: '3' } });
      expect(late.status).toBe(409);
      expect(late.body).toMatchObject({
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to the latest version and try again',
        details: { name: 'one', kind: 'configmaps' },
      });
      const patch = { metadata: { resourceVersion: made.metadata.resourceVersion }, data: { a: '3' } };
      expect((await api.call('PATCH', configMaps(ns, 'one'), patch, mergePatch)).status).toBe(409);
    }));

  test('JSON Patch tests before it writes', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await createConfigMap(api, ns, 'one', { a: '1' });
      const operations = [
        { op: 'test', path: '/data/a', value: 'other' },
        { op: 'remove', path: '/data/a' },
      ];
      const refused = await api.call('PATCH', configMaps(ns, 'one'), operations, jsonPatch);
      expect(refused.status).toBe(422);
      expect(refused.body.reason).toBe('Invalid');
      const absent = await api.call('PATCH', configMaps(ns, 'one'), [{ op: 'remove', path: '/data/b' }], jsonPatch);
      expect(absent.status).toBe(422);
    }));

  test('strategic merge knows the lists of built-in kinds by their keys', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first));
      const containers = [
        { name: 'app', env: [{ name: 'A', value: '1' }] },
        { name: 'side', image: images.first },
      ];
      const patch = { spec: { template: { spec: { containers } } } };
      const { body } = await api.call('PATCH', deployments(ns, 'web'), patch, strategicPatch);
      const template = body.spec.template as {
        spec: { containers: { name: string; image: string; ports?: unknown }[] };
      };
      const byName = new Map(template.spec.containers.map((container) => [container.name, container]));
      expect([...byName.keys()].sort()).toEqual(['app', 'side']);
      expect(byName.get('app')).toMatchObject({
        image: images.first,
        ports: [{ containerPort: 9898 }],
        env: [{ name: 'A' }],
      });
      const away = { spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } } };
      const without = await api.call('PATCH', deployments(ns, 'web'), away, strategicPatch);
      expect(JSON.stringify(without.body.spec)).not.toContain('side');
    }));

  test('a dry run answers as if and changes nothing', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const dry = await api.call('POST', `${configMaps(ns)}?dryRun=All`, configMap('one'));
      expect(dry.status).toBe(201);
      expect((await api.call('GET', configMaps(ns, 'one'))).status).toBe(404);
      await createConfigMap(api, ns, 'one', { a: '1' });
      const patched = await api.call('PATCH', `${configMaps(ns, 'one')}?dryRun=All`, { data: { a: '2' } }, mergePatch);
      expect(patched.body.data).toEqual({ a: '2' });
      expect((await api.call('DELETE', `${configMaps(ns, 'one')}?dryRun=All`)).status).toBe(200);
      expect((await api.call('GET', configMaps(ns, 'one'))).body.data).toEqual({ a: '1' });
    }));

  test('secrets take plain text, config maps can be frozen', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const secret = await api.call('POST', `/api/v1/namespaces/${ns}/secrets`, {
        metadata: { name: 's' },
        stringData: { a: 'b' },
      });
      expect(secret.body).toMatchObject({ type: 'Opaque', data: { a: 'Yg==' } });
      expect(secret.body.stringData).toBeUndefined();
      await api.call('POST', configMaps(ns), { ...configMap('fixed', { a: '1' }), immutable: true });
      const changed = await api.call('PATCH', configMaps(ns, 'fixed'), { data: { a: '2' } }, mergePatch);
      expect(changed.status).toBe(422);
    }));

  test('replicas can be set through /scale', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { paused: true }));
      const path = `${deployments(ns, 'web')}/scale`;
      const before = await api.call('GET', path);
      expect(before.body).toMatchObject({
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        spec: {},
        status: { selector: 'app=web' },
      });
      const after = await api.call('PATCH', path, { spec: { replicas: 1 } }, mergePatch);
      expect(after.body.spec.replicas).toBe(1);
      expect((await api.call('GET', deployments(ns, 'web'))).body.spec.replicas).toBe(1);
    }));

  test('what is not served and what is not allowed is said so', async () => {
    const { api } = given();
    expect((await api.call('GET', '/apis/none.example.com/v1/things')).status).toBe(404);
    expect((await api.call('POST', '/api/v1/namespaces/default', {})).status).toBe(405);
    const odd = await api.call('PATCH', '/api/v1/namespaces/default', {}, { contentType: 'application/odd' });
    expect(odd.body).toMatchObject({ status: 'Failure', reason: 'UnsupportedMediaType', code: 415 });
  });
}
