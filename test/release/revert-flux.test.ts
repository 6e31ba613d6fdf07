import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canary, deployment } from '../render/kustomize-trees.ts';

type Files = Readonly<Record<string, string>>;

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
const apps = `# what this cluster runs
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: apps, namespace: flux-system }
spec:
  path: ./apps
  prune: true
  targetNamespace: prod
  sourceRef: { kind: GitRepository, name: flux-system }
  images:
  - name: shop
    newTag: 1.0.0 # the shop's
  - name: cart
    newTag: 1.0.0
  patches:
  - target: { kind: Deployment, name: shop }
    patch: |
      - { op: add, path: /spec/template/metadata/annotations, value: { mode: calm } }
  postBuild:
    substitute:
      SHOP_MODE: calm # how it runs
      CART_MODE: calm
      REGION: north
`;
const env = (name: string): string =>
  `        env:\n        - { name: MODE, value: "\${${name}_MODE}" }\n        - { name: REGION, value: "\${REGION}" }\n`;
const tree: Files = {
  'cluster/apps.yaml': apps,
  'apps/shop.yaml': [deployment('shop', undefined, env('SHOP')), canary('shop')].join('---\n'),
  'apps/cart.yaml': [deployment('cart', undefined, env('CART')), canary('cart')].join('---\n'),
};

describe.skipIf(kustomizeProgram === undefined)('a release that a Kustomization of Flux describes', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  const render = createRender(settings, undefined, { kustomize });
  afterAll(() => kustomize.close());
  const changed = (files: Files, ...changes: readonly (readonly [string, string])[]): Files => {
    let text = files['cluster/apps.yaml'] ?? '';
    for (const [from, to] of changes) {
      expect(text).toContain(from);
      text = text.replace(from, to);
    }
    return { ...files, 'cluster/apps.yaml': text };
  };
  const revert = (judged: Files, tip: Files = judged): Promise<Revert> => {
    const [base, tried, now] = [tree, judged, tip].map((files) => new Map(Object.entries(files)));
    const app = { namespace: 'prod', name: 'shop' };
    return turns.run(reverting({ app, base: base as never, judged: tried as never, tip: now as never, render }));
  };

  it.each<readonly [string, readonly [string, string]]>([
    ['a tag', ["1.0.0 # the shop's", "1.1.0 # the shop's"]],
    ['a patch', ['value: { mode: calm }', 'value: { mode: wild }']],
    ['a variable', ['calm # how it runs', 'wild # how it runs']],
  ])('is taken back in it, and what another app got in the same commit stays: %s', async (_, change) => {
    const others = [
      ['name: cart\n    newTag: 1.0.0', 'name: cart\n    newTag: 1.2.0'],
      ['CART_MODE: calm', 'CART_MODE: wild'],
    ] as const;
    expect(await revert(changed(tree, change))).toMatchObject({
      kind: 'edited',
      files: new Map([['cluster/apps.yaml', apps]]),
    });
    const both = await revert(changed(tree, change, ...others));
    expect(both).toMatchObject({
      kind: 'edited',
      files: new Map([['cluster/apps.yaml', changed(tree, ...others)['cluster/apps.yaml']]]),
    });
  });

  it('is held where a variable moves both', async () => {
    expect(await revert(changed(tree, ['REGION: north', 'REGION: south']))).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('Deployment prod/cart would change as well') as string,
    });
  });

  it('is taken back in the folder that it names', async () => {
    const text = tree['apps/shop.yaml'] ?? '';
    const judged = { ...tree, 'apps/shop.yaml': text.replace('- name: main', '- name: main\n        args: ["-x"]') };
    expect(await revert(judged)).toMatchObject({ kind: 'edited', files: new Map([['apps/shop.yaml', text]]) });
  });

  it.each<readonly [string, string, string]>([
    ['is suspended', 'cluster/apps.yaml describes what is suspended', '  prune: true\n  suspend: true'],
    [
      'depends on another that is not there',
      'cluster/apps.yaml describes what is not applied now',
      '  prune: true\n  dependsOn: [{ name: nowhere }]',
    ],
    ['cannot be read', 'cluster/apps.yaml cannot be read or rendered', '  prune: true\n<<<<<<< HEAD'],
  ])('waits while its Kustomization %s, and is taken back or not as it is read again', async (_, why, text) => {
    const judged = changed(tree, ["1.0.0 # the shop's", "1.1.0 # the shop's"]);
    const hidden = (files: Files): Files => changed(files, ['  prune: true', text]);
    expect(await revert(judged, hidden(judged))).toMatchObject({
      kind: 'conflict',
      reason: `it cannot be read now: ${why}`,
      isUnread: true,
    });
    expect(await revert(judged, judged)).toMatchObject({ kind: 'edited' });
    const newer = changed(judged, ['newTag: 1.1.0', 'newTag: 1.2.0']);
    expect(await revert(judged, newer)).toEqual({ kind: 'superseded' });
  });

  it('is over where its Kustomization is gone', async () => {
    const judged = changed(tree, ["1.0.0 # the shop's", "1.1.0 # the shop's"]);
    const { 'cluster/apps.yaml': _gone, ...rest } = judged;
    const others = Object.fromEntries(Object.entries(rest).filter(([path]) => path !== 'apps/shop.yaml'));
    expect(await revert(judged, others)).toEqual({ kind: 'superseded' });
  });
});
