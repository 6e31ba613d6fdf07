import { describe, expect, it } from 'vitest';
import { judgedKeys, withLeftAlone, withOverlays } from '../../../src/agent/source/overlays.ts';
import { type App, appsOf } from '../../../src/canary/app.ts';
import { loadTree } from '../../../src/manifest/load.ts';
import type { Manifest } from '../../../src/manifest/types.ts';
import { isIgnored } from '../../../src/sync/annotations.ts';
import { type AppShape, appTree } from '../../release/a-config-repo.ts';
import { appKey } from '../../helpers/key.ts';

const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
interface Tree {
  readonly manifests: readonly Manifest[];
  readonly apps: readonly App[];
}
function tree(...shapes: readonly AppShape[]): Tree {
  const files = appTree(...shapes);
  const blobs = new Map([...files].map(([path, text]) => [path, { oid: text }]));
  const { manifests } = loadTree(blobs, files, undefined, settings);
  return { manifests, apps: appsOf(manifests, 'test') };
}
const textOf = (manifests: readonly Manifest[]): string => JSON.stringify(manifests.map(({ object }) => object));
const a = (image: string): AppShape => ({ name: 'a', image, config: { v: image } });
const b = (image: string): AppShape => ({ name: 'b', image });

describe('what is applied while an app is held', () => {
  it('is its stable state, and the tip of everything else', () => {
    const [before, now] = [tree(a('a:1'), b('b:1')), tree(a('a:2'), b('b:2'))];
    const stable = new Map(before.apps.slice(0, 1).map((app) => [appKey('test/a'), app]));
    const applied = textOf(withOverlays(now.manifests, now.apps, stable));
    for (const [text, times] of [
      ['a:1', 2],
      ['a:2', 0],
      ['b:1', 0],
      ['b:2', 1],
    ] as const)
      expect(applied.split(`"${text}"`)).toHaveLength(times + 1);
  });

  it('is nothing of it where its stable state is lost, and all the rest', () => {
    const { manifests, apps } = tree(a('a:2'), b('b:2'));
    const left = withLeftAlone(manifests, apps, new Set([appKey('test/a')]));
    const ignored = left.filter(({ object }) => isIgnored(object)).map(({ object }) => object.kind);
    expect(ignored.toSorted()).toEqual(['ConfigMap', 'Deployment']);
    expect(apps.flatMap(judgedKeys)).toHaveLength(3);
    expect(left).toHaveLength(manifests.length);
  });
});
