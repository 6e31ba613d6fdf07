import { describe, expect, test } from 'vitest';
import type { Given, Output } from '../cluster-under-test.ts';
import { configMap, configMaps, createConfigMap, deployment, deployments } from './samples.ts';

export function kubectlReads(given: Given): void {
  const kubectl = async (...args: string[]): Promise<string> => {
    const output: Output = await given().kubectl(args);
    expect(output, output.stderr).toMatchObject({ code: 0 });
    return output.stdout;
  };

  describe('reads', () => {
    test('get prints tables, wide ones, YAML, JSON and paths', () =>
      given().inNamespace(async (ns) => {
        const { api, images } = given();
        await api.call('POST', deployments(ns), deployment('web', images.first, { paused: true }));
        expect(await kubectl('-n', ns, 'get', 'deploy')).toMatch(
          /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/0 +0 +0 +\d+s\n$/,
        );
        expect(await kubectl('-n', ns, 'get', 'deploy', '-o', 'wide')).toContain('CONTAINERS');
        expect(await kubectl('-n', ns, 'get', 'deploy', 'web', '-o', 'yaml')).toMatch(
          /^apiVersion: apps\/v1\nkind: Deployment\n/,
        );
        expect(JSON.parse(await kubectl('-n', ns, 'get', 'deploy', '-o', 'json'))).toMatchObject({
          kind: 'List',
          items: [{ kind: 'Deployment' }],
        });
        expect(await kubectl('-n', ns, 'get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}')).toBe('0');
        expect(await kubectl('-n', ns, 'get', 'deploy', '-o', 'name')).toBe('deployment.apps/web\n');
        expect(await kubectl('-n', ns, 'get', 'deploy', '-l', 'app=other')).toBe('');
        expect(await kubectl('get', 'deploy', '-A', '-l', 'app=web')).toContain(ns);
        expect(await kubectl('-n', ns, 'get', 'all')).toContain('deployment.apps/web');
      }));

    test('get -w follows changes', () =>
      given().inNamespace(async (ns) => {
        const { api } = given();
        await createConfigMap(api, ns, 'one', { a: '1' }, { labels: { w: '1' } });
        const watching = given().kubectl(['-n', ns, 'get', 'cm', '-l', 'w', '-w', '--request-timeout=3s']);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        await api.call('POST', configMaps(ns), configMap('two', {}, { labels: { w: '1' } }));
        const { stdout } = await watching;
        expect(stdout).toMatch(/^NAME +DATA +AGE\none +1 +\d+s\ntwo +0 +\d+s\n/);
      }));

    test('describe shows conditions and events', () =>
      given().inNamespace(async (ns) => {
        const { api, images } = given();
        await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
        await kubectl('-n', ns, 'rollout', 'status', 'deploy/web', '--timeout=60s');
        const text = await kubectl('-n', ns, 'describe', 'deploy', 'web');
        expect(text).toMatch(/^Name: +web\n/);
        expect(text).toMatch(/1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable/);
        expect(text).toMatch(/Available +True +MinimumReplicasAvailable/);
        expect(text).toMatch(/Normal +ScalingReplicaSet .* Scaled up replica set web-\w+ from 0 to 1/);
        const pods = await kubectl('-n', ns, 'get', 'pods', '-o', 'wide');
        expect(pods).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/);
        expect(pods).toMatch(/web-\S+ +1\/1 +Running +0 /);
        expect(await kubectl('-n', ns, 'describe', 'pods')).toContain('Successfully assigned');
        expect(await kubectl('-n', ns, 'get', 'events')).toMatch(/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/);
        expect(await kubectl('-n', ns, 'events')).toContain('ScalingReplicaSet');
        await kubectl('-n', ns, 'logs', 'deploy/web');
      }));

    test('the API explains itself', async () => {
      expect(await kubectl('api-resources', '--api-group=apps')).toMatch(
        /deployments +deploy +apps\/v1 +true +Deployment/,
      );
      expect(await kubectl('api-versions')).toContain('apps/v1\n');
      expect(await kubectl('explain', 'deployment.spec.replicas')).toContain('FIELD: replicas <integer>');
      expect(await kubectl('auth', 'can-i', 'create', 'deployments')).toBe('yes\n');
      expect(await kubectl('version')).toMatch(/Server Version: v1\.\d+/);
      expect(await kubectl('get', 'ns', 'default')).toMatch(/default +Active/);
      expect(await kubectl('get', 'nodes')).toMatch(/^NAME +STATUS +ROLES +AGE +VERSION\n\S+ +Ready /);
    });

    test('what is not there is said so', () =>
      given().inNamespace(async (ns) => {
        const missing = await given().kubectl(['-n', ns, 'get', 'cm', 'none']);
        expect(missing).toMatchObject({
          code: 1,
          stderr: 'Error from server (NotFound): configmaps "none" not found\n',
        });
        const unknown = await given().kubectl(['get', 'nonsense']);
        expect(unknown.stderr).toBe('error: the server doesn\'t have a resource type "nonsense"\n');
      }));
  });
}
