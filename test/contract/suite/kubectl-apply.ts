import { describe, expect, test } from 'vitest';
import type { Given, Output } from '../cluster-under-test.ts';
import { uniqueName } from '../cluster-under-test.ts';
import { configMaps, deployment, deployments } from './samples.ts';

export function kubectlApplies(given: Given): void {
  const apply = (ns: string, input: unknown, ...args: string[]): Promise<Output> =>
    given().kubectl(['-n', ns, 'apply', '-f', '-', ...args], { input: JSON.stringify(input) });
  const config = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'one' },
    data,
  });

  describe('applies', () => {
    test('from the client: created, unchanged, configured, and removed fields go', () =>
      given().inNamespace(async (ns) => {
        expect((await apply(ns, config({ a: '1', b: '1' }))).stdout).toBe('configmap/one created\n');
        expect((await apply(ns, config({ a: '1', b: '1' }))).stdout).toBe('configmap/one unchanged\n');
        expect((await apply(ns, config({ a: '2' }))).stdout).toBe('configmap/one configured\n');
        expect((await given().api.call('GET', configMaps(ns, 'one'))).body.data).toEqual({ a: '2' });
      }));

    test('from the client: a Deployment keeps what others have added', () =>
      given().inNamespace(async (ns) => {
        const { images, kubectl } = given();
        const object = deployment('web', images.first, { paused: true });
        expect((await apply(ns, object)).stdout).toBe('deployment.apps/web created\n');
        expect((await apply(ns, object)).stdout).toBe('deployment.apps/web unchanged\n');
        await kubectl(['-n', ns, 'set', 'env', 'deploy/web', 'A=1']);
        expect((await apply(ns, deployment('web', images.second, { paused: true }))).stdout).toBe(
          'deployment.apps/web configured\n',
        );
        const { body } = await given().api.call('GET', deployments(ns, 'web'));
        expect(body.spec.template).toMatchObject({
          spec: { containers: [{ image: images.second, env: [{ name: 'A', value: '1' }] }] },
        });
      }));

    test('from the server: a conflict is explained, force takes over', () =>
      given().inNamespace(async (ns) => {
        const first = await apply(ns, config({ a: '1' }), '--server-side', '--field-manager=first');
        expect(first.stdout).toBe('configmap/one serverside-applied\n');
        const clash = await apply(ns, config({ a: '2' }), '--server-side', '--field-manager=second');
        expect(clash.code).toBe(1);
        expect(clash.stderr).toMatch(
          /^error: Apply failed with 1 conflict: conflict with "first": \.data\.a\nPlease review/,
        );
        const forced = await apply(
          ns,
          config({ a: '2' }),
          '--server-side',
          '--field-manager=second',
          '--force-conflicts',
        );
        expect(forced.stdout).toBe('configmap/one serverside-applied\n');
      }));

    test('from the client first, then from the server, without a conflict', () =>
      given().inNamespace(async (ns) => {
        await apply(ns, config({ a: '1', b: '1' }));
        const moved = await apply(ns, config({ a: '2' }), '--server-side');
        expect(moved, moved.stderr).toMatchObject({ code: 0, stdout: 'configmap/one serverside-applied\n' });
        expect((await given().api.call('GET', configMaps(ns, 'one'))).body.data).toEqual({ a: '2' });
      }));

    test('dry runs and diffs change nothing', () =>
      given().inNamespace(async (ns) => {
        await apply(ns, config({ a: '1' }));
        expect((await apply(ns, config({ a: '2' }), '--dry-run=server')).stdout).toBe(
          'configmap/one configured (server dry run)\n',
        );
        const diff = await given().kubectl(['-n', ns, 'diff', '-f', '-'], {
          input: JSON.stringify(config({ a: '2' })),
        });
        expect(diff.code).toBe(1);
        expect(diff.stdout).toContain('-  a: "1"\n+  a: "2"');
        expect((await given().api.call('GET', configMaps(ns, 'one'))).body.data).toEqual({ a: '1' });
      }));

    test('an unknown field is refused before anything is written', () =>
      given().inNamespace(async (ns) => {
        const odd = deployment('web', given().images.first, { nonsense: 1 });
        const refused = await apply(ns, odd);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain('strict decoding error: unknown field "spec.nonsense"');
        const bad = await apply(ns, deployment('web', given().images.first, { replicas: -1 }));
        expect(bad.stderr).toContain('spec.replicas: Invalid value: -1: must be greater than or equal to 0');
      }));

    test('definitions and their objects, told apart by their columns and explained', () =>
      given().inNamespace(async (ns) => {
        const group = `${uniqueName('g')}.serin.dev`;
        const definition = {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: `gadgets.${group}` },
          spec: {
            group,
            scope: 'Namespaced',
            names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget' },
            versions: [
              {
                name: 'v1',
                served: true,
                storage: true,
                additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
                schema: {
                  openAPIV3Schema: {
                    type: 'object',
                    properties: {
                      spec: {
                        type: 'object',
                        properties: { size: { type: 'integer', description: 'How large it is' } },
                      },
                    },
                  },
                },
              },
            ],
          },
        };
        const { kubectl } = given();
        try {
          expect((await apply(ns, definition)).stdout).toContain('created');
          await kubectl(['wait', `crd/gadgets.${group}`, '--for=condition=Established', '--timeout=30s']);
          const gadget = { apiVersion: `${group}/v1`, kind: 'Gadget', metadata: { name: 'g' }, spec: { size: 3 } };
          const made = await apply(ns, gadget);
          expect(made.stdout, made.stderr).toBe(`gadget.${group}/g created\n`);
          expect((await kubectl(['-n', ns, 'get', `gadgets.${group}`])).stdout).toBe('NAME   SIZE\ng      3\n');
          const odd = await apply(ns, { ...gadget, spec: { size: 3, other: 1 } });
          expect(odd.stderr).toContain('strict decoding error: unknown field "spec.other"');
          const explained = await kubectl(['explain', `gadgets.spec.size`, `--api-version=${group}/v1`]);
          expect(explained.stdout, explained.stderr).toContain('How large it is');
        } finally {
          await kubectl(['delete', 'crd', `gadgets.${group}`, '--wait=false']);
        }
      }));
  });
}
