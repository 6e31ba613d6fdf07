import { describe, expect, it } from 'vitest';
import { createUnserved } from '../../../src/agent/source/unserved.ts';
import { parseManifests } from '../../../src/manifest/parse.ts';

const object = (apiVersion: string, kind: string, name: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: x }\n`;
const { manifests } = parseManifests(
  'flux/alerts.yaml',
  [
    object('notification.toolkit.fluxcd.io/v1beta3', 'Alert', 'a'),
    object('source.toolkit.fluxcd.io/v1', 'HelmRepository', 'h'),
    object('image.toolkit.fluxcd.io/v1', 'ImagePolicy', 'i'),
    object('argoproj.io/v1alpha1', 'AppProject', 'p'),
    object('argoproj.io/v1alpha1', 'Rollout', 'r'),
    object('example.org/v1', 'Alert', 'own'),
    object('v1', 'ConfigMap', 'c'),
  ].join('---\n'),
);

describe('objects for the controllers of Flux and Argo CD', () => {
  it('are not applied where the cluster does not know their kinds, and each is told once with its place', async () => {
    const lines: string[] = [];
    let asked = 0;
    const left = createUnserved(
      () => {
        asked += 1;
        return Promise.resolve(false);
      },
      { warn: (_: unknown, text?: string) => void lines.push(text ?? '') } as never,
    );
    const names = async (): Promise<string[]> =>
      (await left(manifests)).map(({ object: { metadata } }) => metadata.name);
    expect(await names()).toEqual(['r', 'own', 'c']);
    expect(await names()).toEqual(['r', 'own', 'c']);
    // Of others the API server says what is wrong.
    expect(asked).toBe(8);
    expect(lines).toEqual([
      'flux/alerts.yaml:1 Alert x/a is not applied: the cluster does not know Alert of notification.toolkit.fluxcd.io, and nothing here looks at it',
      expect.stringContaining('flux/alerts.yaml:5 HelmRepository x/h is not applied: '),
      expect.stringContaining('flux/alerts.yaml:9 ImagePolicy x/i is not applied: '),
      expect.stringContaining('flux/alerts.yaml:13 AppProject x/p is not applied: '),
    ]);
  });

  it('are applied like all others where it does', async () => {
    const left = createUnserved(() => Promise.resolve(true), { warn: () => undefined } as never);
    expect(await left(manifests)).toBe(manifests);
  });

  it('are left out without a word where the agent reads them in Git by itself', async () => {
    const lines: string[] = [];
    const log = { warn: (_: unknown, text?: string) => void lines.push(text ?? '') } as never;
    const left = createUnserved(() => Promise.resolve(false), log, new Set(['image.toolkit.fluxcd.io']));
    expect((await left(manifests)).map(({ object: { metadata } }) => metadata.name)).toEqual(['r', 'own', 'c']);
    expect(lines.filter((line) => line.includes('ImagePolicy'))).toEqual([]);
    expect(lines).toHaveLength(3);
  });
});
