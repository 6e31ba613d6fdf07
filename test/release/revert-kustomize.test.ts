import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canaryText, deploymentText } from './a-config-repo.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const app = { namespace: 'prod', name: 'shop' };
/** As it is written in a base: in no namespace. */
const bare = (text: string): string => text.replace(/\n {2}namespace: test/, '');
const deployment = (
  name: string,
  more: { image?: string; env?: Record<string, string>; config?: boolean } = {},
): string =>
  bare(
    deploymentText({
      name,
      ...(more.image === undefined ? {} : { image: more.image }),
      ...(more.env ? { env: more.env } : {}),
      ...(more.config ? { config: {} } : {}),
    }),
  );

/** An overlay on a base of two apps, one of which has a ConfigMap that is generated. */
const tree: Tree = {
  'base/kustomization.yaml': `# what all clusters have
resources:
- shop.yaml
- shop-canary.yaml
- cart.yaml
- cart-canary.yaml
configMapGenerator:
- name: shop-config
  envs: [shop.env] # read at start
  literals:
  - mode=calm
- name: cart-config
  literals: [mode=calm]
`,
  'base/shop.yaml': deployment('shop', { config: true }),
  'base/shop-canary.yaml': bare(canaryText({ name: 'shop' })),
  'base/cart.yaml': deployment('cart', { config: true }),
  'base/cart-canary.yaml': bare(canaryText({ name: 'cart' })),
  'base/shop.env': '# of the shop\nGREETING=hello\nCOLOUR=blue\n',
  'prod/kustomization.yaml': `namespace: prod
resources: [../base]
images:
# what runs in production
- name: shop
  newTag: 1.0.0 # the shop's
- name: cart
  newTag: "1.0"
`,
};
const prod = 'prod/kustomization.yaml';
const base = 'base/kustomization.yaml';
const changed = (files: Tree, path: string, ...changes: readonly (readonly [string, string])[]): Tree => {
  let text = files[path] ?? '';
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  return { ...files, [path]: text };
};

describe.skipIf(kustomizeProgram === undefined)('a release that kustomize renders', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' }, undefined, { kustomize });
  afterAll(() => kustomize.close());
  const revert = (judged: Tree, tip: Tree = judged, of = app): Promise<Revert> => {
    const [before, tried, now] = [tree, judged, tip].map((files) => new Map(Object.entries(files)));
    return turns.run(reverting({ app: of, base: before as never, judged: tried as never, tip: now as never, render }));
  };
  const edited = async (judged: Tree, tip?: Tree): Promise<Tree> => {
    const result = await revert(judged, tip);
    expect(result).toMatchObject({ kind: 'edited' });
    return Object.fromEntries(result.kind === 'edited' ? result.files : []) as Tree;
  };

  const releases: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
    ["the tag of an overlay's images", prod, [['newTag: 1.0.0', 'newTag: 1.1.0']]],
    [
      'a digest in the place of a tag',
      prod,
      [['newTag: 1.0.0', 'digest: "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"']],
    ],
    ['another name of an image', prod, [['newTag: 1.0.0', 'newTag: 1.0.0\n  newName: registry.example.org/shop']]],
    [
      'a resource of the base',
      'base/shop.yaml',
      [
        ['replicas: 2', 'replicas: 2\n  minReadySeconds: 5'],
        ['- name: shopd', '- name: shopd\n        env: [{ name: A, value: b }]'],
      ],
    ],
    ['a file that a generator reads', 'base/shop.env', [['GREETING=hello', 'GREETING=bye']]],
    ['a literal of a generator', base, [['  - mode=calm', '  - mode=wild']]],
  ];

  it.each(releases)('is taken back where it was written, and nothing else changes: %s', async (_, path, changes) => {
    expect(await edited(changed(tree, path, ...changes))).toEqual({ [path]: tree[path] });
  });

  it.each(releases)('leaves what others changed in the same commit and later: %s', async (_, path, changes) => {
    const others = (files: Tree): Tree =>
      changed(changed(files, prod, ['newTag: "1.0"', 'newTag: "1.1"']), 'base/shop.env', [
        '# of the shop',
        '# of our shop',
      ]);
    const judged = others(changed(tree, path, ...changes));
    const tip = changed(judged, base, ['# what all clusters have', '# what all have']);
    const result = { ...tip, ...(await edited(judged, tip)) };
    const meant = changed(others(tree), base, ['# what all clusters have', '# what all have']);
    // Comments of a generator's file are nobody's content: its file goes back as a whole, or only by its lines.
    expect(result).toEqual({ ...meant, 'base/shop.env': result['base/shop.env'] });
    expect([meant['base/shop.env'], tree['base/shop.env']]).toContain(result['base/shop.env']);
  });

  it.each([
    ['before it', 'images:\n', 'images:\n- name: shop\n  newName: registry.test/shop\n'],
    ['behind it', "# the shop's\n", "# the shop's\n- name: shop\n  newName: registry.test/shop\n"],
    ['at the end', 'newTag: "1.1"\n', 'newTag: "1.1"\n- name: shop\n  newName: registry.test/shop\n'],
  ])('is taken back where its image has got a second entry, and another app a new tag: %s', async (_, from, to) => {
    const others = changed(tree, prod, ['newTag: "1.0"', 'newTag: "1.1"']);
    const judged = changed(changed(others, prod, [from, to]), 'base/shop.env', ['GREETING=hello', 'GREETING=bye']);
    expect({ ...judged, ...(await edited(judged)) }).toEqual(others);
  });

  it('is not taken back where another app was changed by the same line', async () => {
    const both = changed(tree, base, ['name: shop-config\n  envs', 'name: shop-config\n  envs']);
    const shared = changed(both, 'base/cart.yaml', ['name: cart-config', 'name: shop-config']);
    const judged = changed(shared, 'base/shop.env', ['GREETING=hello', 'GREETING=bye']);
    expect(await revert(judged)).toMatchObject({ kind: 'conflict' });
  });

  it('is not taken back for one of two overlays where their base brought it', async () => {
    const staging = { 'staging/kustomization.yaml': 'namespace: staging\nresources: [../base]\n' };
    const [before, judged] = [
      { ...tree, ...staging },
      { ...changed(tree, 'base/shop.env', ['GREETING=hello', 'GREETING=bye']), ...staging },
    ];
    const files = (one: Tree): Map<string, string> => new Map(Object.entries(one));
    const input = { app, base: files(before), judged: files(judged), tip: files(judged), render };
    expect(await turns.run(reverting(input))).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('staging') as string,
    });
  });

  it('is left to a person where it cannot be rendered any more', async () => {
    const judged = changed(tree, prod, ['newTag: 1.0.0', 'newTag: 1.1.0']);
    const tip = changed(judged, prod, ['namespace: prod', 'namePrefix: x\nnamespace: prod']);
    expect(await revert(judged, tip)).toEqual({ kind: 'superseded' });
  });
});
