import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sharing } from '../../src/cluster/sharing.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const deployment = (spec: unknown, status: unknown = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'podinfo' },
  ...(spec === undefined ? {} : { spec }),
  status,
});
const copied = (object: KubeObject): KubeObject => JSON.parse(JSON.stringify(object)) as KubeObject;
const templateOf = (object: KubeObject): unknown => (object['spec'] as { template?: unknown }).template;

it('whatever was there before, an object says what it said', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), fc.boolean(), (spec, other, status, isSame) => {
      const before = deployment(isSame ? { template: spec } : { template: other, x: spec });
      const now = deployment({ template: spec }, status);
      expect(sharing(now, before)).toEqual(now);
      expect(sharing(deployment(spec), deployment(other))).toEqual(deployment(spec));
    }),
    { numRuns: 200 },
  );
});

it('a spec that says the same is the very one of before, and so is a pod template when only the number of pods changes', () => {
  const before = deployment({ replicas: 1, template: { spec: { containers: [{ image: 'podinfo:1' }] } } });
  const ready = sharing(copied({ ...before, status: { replicas: 1 } }), before);
  expect(ready['spec']).toBe(before['spec']);
  expect(ready['status']).toEqual({ replicas: 1 });
  const scaled = sharing(copied(deployment({ ...(before['spec'] as object), replicas: 2 })), before);
  expect(scaled['spec']).toMatchObject({ replicas: 2 });
  expect(templateOf(scaled)).toBe(templateOf(before));
  const changed = deployment({ replicas: 1, template: { spec: { containers: [{ image: 'podinfo:2' }] } } });
  expect(sharing(changed, before)).toBe(changed);
  expect(sharing(changed, undefined)).toBe(changed);
});
