import { afterAll, describe, expect, it } from 'vitest';
import { upgradeEdit } from '../../../src/agent/images/edits.ts';
import { type Known, withList, withTagDigest } from '../../../src/agent/images/known.ts';
import { fluxIn, markedApps } from '../../../src/agent/images/marked.ts';
import type { WatchedApp } from '../../../src/agent/images/watched.ts';
import { createTurns } from '../../../src/lib/turns.ts';
import { type BuiltEdit, buildingEdit } from '../../../src/release/branch-edit.ts';
import { createRender } from '../../../src/release/trees.ts';
import { createKustomize } from '../../../src/render/kustomize.ts';
import { kustomizeProgram } from '../../helpers/kustomize.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const nowMs = Date.parse('2026-11-30T12:00:00Z');
const digest = `sha256:${'d'.repeat(64)}`;
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default' };

const flux = (
  policy = 'policy: { semver: { range: 1.x } }',
  more = `, annotations: { serin.dev/image-updates: "true" }`,
): string => `apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: { name: shop, namespace: test }
spec: { image: registry.test/shop, interval: 1m, secretRef: { name: regcred } }
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: { name: shop, namespace: test }
spec: { imageRepositoryRef: { name: shop }, ${policy} }
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: { name: all, namespace: test${more} }
spec: { update: { path: ./apps, strategy: Setters } }
`;
const deployment = (
  name: string,
  image: string,
  mark = '# {"$imagepolicy": "test:shop"}',
): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: test }
spec:
  template:
    spec:
      containers:
        - name: one
          image: ${image} ${mark}
`;
const known = (): Known => {
  let all = withList(undefined, { tags: ['1.0.0', '1.1.0', '2.0.0'] }, { nowMs, intervalMs: 300_000 });
  for (const tag of all.tags) all = withTagDigest(all, tag, digest, nowMs);
  return all;
};

describe('Comments of Flux v2', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? 'kustomize' });
  afterAll(() => kustomize.close());

  async function upgraded(
    tree: Tree,
    tip: Tree = tree,
  ): Promise<readonly (readonly [app: WatchedApp, built: BuiltEdit])[]> {
    const render = createRender(settings, undefined, { kustomize });
    const files = new Map(Object.entries(tree));
    const { manifests, apps } = await turns.run(render.inTurns(files));
    const objects = fluxIn(manifests);
    if (!objects) return [];
    const marked = markedApps(objects, files, manifests, apps);
    const result: (readonly [WatchedApp, BuiltEdit])[] = [];
    for (const app of marked.values()) {
      const repositories = { known, trouble: () => undefined };
      const edit = upgradeEdit(app, repositories, { atMs: nowMs, now: () => nowMs }, settings, [], () => undefined);
      const parts = {
        files: new Map(Object.entries(tip)),
        render,
        author: { name: 'a', email: 'b' },
        tip: {
          *ledger() {
            yield;
            return undefined;
          },
          *text(path: string) {
            yield;
            return tip[path];
          },
        },
      };
      result.push([app, await turns.run(buildingEdit(edit, parts))]);
    }
    return result;
  }
  const filesOf = (built: BuiltEdit | undefined): unknown =>
    built?.kind === 'built' ? Object.fromEntries(built.files) : built;

  it('move what they mark, and nothing else, by the credentials that the ImageRepository names', async () => {
    const shop = deployment('shop', 'registry.test/shop:1.0.0');
    const other = deployment('other', 'registry.test/shop:1.0.0', '# by hand');
    const tree = { 'flux.yaml': flux(), 'apps/all.yaml': `${other}---\n${shop}` };
    const [found] = await upgraded(tree);
    expect(found?.[0]).toMatchObject({ id: { namespace: 'test', name: 'shop' } });
    expect(found?.[0].containers[0]?.wanted.access).toMatchObject({ namespace: 'test', secrets: ['regcred'] });
    expect(filesOf(found?.[1])).toEqual({
      'apps/all.yaml': `${other}---\n${shop.replace('shop:1.0.0', 'shop:1.1.0')}`,
    });
    const message = found?.[1].kind === 'built' ? found[1].draft.message : '';
    expect(message).toContain('upgrade test/shop 1.0.0 -> 1.1.0 (semver:1.x)\n');
    expect(message).toContain('Images: shop=registry.test/shop:1.1.0\n');
  });

  it('move what stands there by now: a person may have been quicker', async () => {
    const tree = { 'flux.yaml': flux(), 'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0') };
    const [newer] = await upgraded(tree, { ...tree, 'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.1.0') });
    expect(newer?.[1]).toMatchObject({ kind: 'needless' });
    const [gone] = await upgraded(tree, { 'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0') });
    expect(gone?.[1]).toEqual({ kind: 'needless', reason: 'its policy is gone' });
  });

  it.each<[string, Tree]>([
    [
      'of no automation',
      { 'flux.yaml': flux(), 'elsewhere/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0') },
    ],
    ['of another image', { 'flux.yaml': flux(), 'apps/shop.yaml': deployment('shop', 'registry.test/cart:1.0.0') }],
    [
      'of no policy',
      {
        'flux.yaml': flux(),
        'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0', '# {"$imagepolicy": "test:cart"}'),
      },
    ],
    [
      'of an automation that is left to Flux',
      { 'flux.yaml': flux(undefined, ''), 'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0') },
    ],
    ['where no Flux object is', { 'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0') }],
    [
      'of a policy that cannot be read',
      {
        'flux.yaml': flux('policy: { semver: { range: ">>1" } }'),
        'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0'),
      },
    ],
  ])('move nothing: %s', async (_what, tree) => {
    expect(await upgraded(tree)).toEqual([]);
  });

  it('write the digest where the policy reflects it', async () => {
    const reflecting = flux('digestReflectionPolicy: IfNotPresent, policy: { semver: { range: 1.x } }');
    const [found] = await upgraded({
      'flux.yaml': reflecting,
      'apps/shop.yaml': deployment('shop', 'registry.test/shop:1.0.0'),
    });
    expect(filesOf(found?.[1])).toEqual({ 'apps/shop.yaml': deployment('shop', `registry.test/shop:1.1.0@${digest}`) });
  });

  it.skipIf(kustomizeProgram === undefined)('move the tag in the images of a kustomization', async () => {
    const overlay = (tag: string): string =>
      `resources: [shop.yaml]\nimages:\n- name: registry.test/shop\n  newTag: ${tag} # {"$imagepolicy": "test:shop:tag"}\n`;
    const [found] = await upgraded({
      'flux.yaml': flux(),
      'apps/kustomization.yaml': overlay('1.0.0'),
      'apps/shop.yaml': deployment('shop', 'registry.test/shop:0.0.1', '# of the base'),
    });
    expect(found?.[0]).toMatchObject({ id: { namespace: 'test', name: 'shop' } });
    expect(filesOf(found?.[1])).toEqual({ 'apps/kustomization.yaml': overlay('1.1.0') });
  });
});
