import { expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import type { KustomizeOrigin } from '../../src/manifest/types.ts';
import { kustomizeOrigins } from '../../src/render/kustomize-origin.ts';

it('the places of thousands of objects of one file are found in linear time', () => {
  const items = Array.from({ length: 20_000 }, (_, at) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `a${at}` },
  }));
  const parsed = parseManifests('many.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const annotations = { 'config.kubernetes.io/origin': 'path: ../tree/many.json\n' };
  const before = process.cpuUsage();
  const originOf = kustomizeOrigins('kustomization.yaml', () => parsed.manifests);
  const placesOf = (prefix: string): KustomizeOrigin[] =>
    parsed.manifests.map(({ object }) => {
      const metadata = {
        ...object.metadata,
        name: `${prefix}${object.metadata.name}`,
        namespace: 'other',
        annotations,
      };
      return atOnce(originOf({ ...object, metadata }));
    });
  const [origins, renamed] = [placesOf(''), placesOf('x-')];
  const { user } = process.cpuUsage(before);
  expect(origins.length).toBe(20_000);
  expect(origins.at(-1)).toMatchObject({ path: 'many.json', unit: 'kustomization.yaml', document: 0 });
  expect(renamed.at(-1)).toMatchObject({ path: 'many.json', line: 1 });
  expect(user / 1_000).toBeLessThan(2_000);
});
