import { describe, expect, test } from 'vitest';
import type { Given } from '../cluster-under-test.ts';
import { configMaps, createConfigMap, deployment, deployments, mergePatch } from './samples.ts';

export function kubectlWrites(given: Given): void {
  const kubectl = async (...args: string[]): Promise<string> => {
    const output = await given().kubectl(args);
    expect(output, output.stderr).toMatchObject({ code: 0 });
    return output.stdout;
  };

  describe('writes', () => {
    test('create makes the common kinds from flags', () =>
      given().inNamespace(async (ns) => {
        const { images } = given();
        const make = (...args: string[]): Promise<string> => kubectl('-n', ns, 'create', ...args);
        expect(await make('configmap', 'c', '--from-literal=a=b')).toBe('configmap/c created\n');
        expect(await make('secret', 'generic', 's', '--from-literal=a=b')).toBe('secret/s created\n');
        expect(await make('deployment', 'web', `--image=${images.first}`, '--replicas=0', '--port=9898')).toBe(
          'deployment.apps/web created\n',
        );
        expect(await make('service', 'clusterip', 'web', '--tcp=80:9898')).toBe('service/web created\n');
        expect(await make('serviceaccount', 'robot')).toBe('serviceaccount/robot created\n');
        expect(await make('role', 'reader', '--verb=get', '--resource=pods')).toContain('created');
        expect(await make('rolebinding', 'reads', '--role=reader', `--serviceaccount=${ns}:robot`)).toContain(
          'created',
        );
        expect(await make('ingress', 'web', '--class=none', '--rule=a.example.com/=web:80')).toContain('created');
        const made = (await given().api.call('GET', deployments(ns, 'web'))).body;
        expect(made.spec).toMatchObject({
          replicas: 0,
          template: { spec: { containers: [{ ports: [{ containerPort: 9898 }] }] } },
        });
        const service = (await given().api.call('GET', `/api/v1/namespaces/${ns}/services/web`)).body;
        expect(service.spec.ports).toEqual([{ name: '80-9898', port: 80, protocol: 'TCP', targetPort: 9898 }]);
        const again = await given().kubectl(['-n', ns, 'create', 'configmap', 'c']);
        expect(again.stderr).toContain('error: failed to create configmap: configmaps "c" already exists');
      }));

    test('label, annotate and patch change metadata and fields', () =>
      given().inNamespace(async (ns) => {
        const { api } = given();
        await createConfigMap(api, ns, 'one', { a: '1' });
        expect(await kubectl('-n', ns, 'label', 'cm', 'one', 'tier=web')).toBe('configmap/one labeled\n');
        expect(await kubectl('-n', ns, 'annotate', 'cm', 'one', 'note=yes')).toBe('configmap/one annotated\n');
        await kubectl('-n', ns, 'label', 'cm', 'one', 'tier-', 'other=x');
        await kubectl('-n', ns, 'patch', 'cm', 'one', '--type=merge', '-p', '{"data":{"b":"2"}}');
        await kubectl('-n', ns, 'patch', 'cm', 'one', '-p', '{"data":{"c":"3"}}');
        await kubectl('-n', ns, 'patch', 'cm', 'one', '--type=json', '-p', '[{"op":"remove","path":"/data/a"}]');
        const { body } = await api.call('GET', configMaps(ns, 'one'));
        expect(body.data).toEqual({ b: '2', c: '3' });
        expect(body.metadata).toMatchObject({ labels: { other: 'x' }, annotations: { note: 'yes' } });
      }));

    test('edit sends what the editor left', () =>
      given().inNamespace(async (ns) => {
        const { api } = given();
        await createConfigMap(api, ns, 'one', { word: 'before' });
        const env = { KUBE_EDITOR: 'sed -i s/before/after/' };
        const { code, stdout, stderr } = await given().kubectl(['-n', ns, 'edit', 'cm', 'one'], { env });
        expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'configmap/one edited\n' });
        expect((await api.call('GET', configMaps(ns, 'one'))).body.data).toEqual({ word: 'after' });
      }));

    test('scale, set image, rollout and wait work on a Deployment', () =>
      given().inNamespace(async (ns) => {
        const { api, images } = given();
        await api.call('POST', deployments(ns), deployment('web', images.first));
        expect(await kubectl('-n', ns, 'scale', 'deploy/web', '--replicas=1')).toBe('deployment.apps/web scaled\n');
        const finished = 'deployment "web" successfully rolled out\n';
        expect(await kubectl('-n', ns, 'rollout', 'status', 'deploy/web', '--timeout=60s')).toContain(finished);
        expect(await kubectl('-n', ns, 'wait', 'deploy/web', '--for=condition=Available', '--timeout=60s')).toContain(
          'condition met',
        );
        expect(await kubectl('-n', ns, 'set', 'image', 'deploy/web', `app=${images.second}`)).toBe(
          'deployment.apps/web image updated\n',
        );
        expect(await kubectl('-n', ns, 'rollout', 'status', 'deploy/web', '--timeout=60s')).toContain(finished);
        expect(await kubectl('-n', ns, 'rollout', 'history', 'deploy/web')).toMatch(/\n1 +<none>\n2 +<none>\n/);
        await kubectl('-n', ns, 'rollout', 'undo', 'deploy/web');
        await kubectl('-n', ns, 'rollout', 'status', 'deploy/web', '--timeout=60s');
        const image = ['-o', 'jsonpath={.spec.template.spec.containers[0].image}'];
        expect(await kubectl('-n', ns, 'get', 'deploy', 'web', ...image)).toBe(images.first);
        await kubectl('-n', ns, 'wait', 'deploy/web', '--for=jsonpath={.status.readyReplicas}=1', '--timeout=60s');
      }));

    test('delete waits for finalizers and takes owned objects along', () =>
      given().inNamespace(async (ns) => {
        const { api } = given();
        await createConfigMap(api, ns, 'held', {}, { finalizers: ['example.com/hold'] });
        const timedOut = await given().kubectl(['-n', ns, 'delete', 'cm', 'held', '--timeout=1s']);
        expect(timedOut.code).toBe(1);
        expect(timedOut.stderr).toContain('timed out waiting for the condition');
        await api.call('PATCH', configMaps(ns, 'held'), { metadata: { finalizers: null } }, mergePatch);
        await createConfigMap(api, ns, 'kept', {}, { finalizers: ['example.com/hold'] });
        const waiting = given().kubectl(['-n', ns, 'delete', 'cm', 'kept', '--timeout=60s']);
        const isLeaving = async (): Promise<boolean> => {
          const { body } = await api.call('GET', configMaps(ns, 'kept'));
          return (body as { metadata: { deletionTimestamp?: string } }).metadata.deletionTimestamp !== undefined;
        };
        while (!(await isLeaving())) await new Promise((resolve) => setTimeout(resolve, 50));
        await api.call('PATCH', configMaps(ns, 'kept'), { metadata: { finalizers: null } }, mergePatch);
        expect((await waiting).stdout).toMatch(/^configmap "kept" deleted/);
        const owner = await createConfigMap(api, ns, 'owner');
        const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
        await createConfigMap(api, ns, 'owned', {}, { ownerReferences });
        await kubectl('-n', ns, 'delete', 'cm', 'owner', '--cascade=foreground');
        expect((await given().kubectl(['-n', ns, 'wait', 'cm/owned', '--for=delete', '--timeout=30s'])).code).toBe(0);
        expect(await kubectl('-n', ns, 'delete', 'cm', 'owner', '--ignore-not-found')).toBe('');
      }));
  });
}
