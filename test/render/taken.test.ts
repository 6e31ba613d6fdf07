import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { identityKey } from '../../src/manifest/identity.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { type ObjectRef, refKey, refOf, unitOf } from '../../src/manifest/types.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { type Inventory, parseInventory, renderInventory } from '../../src/sync/inventory.ts';
import { planPrune, type PrunePlan } from '../../src/sync/prune-plan.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };

const deployment = (name: string, image: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name}, namespace: test }\nspec:\n  template:\n    spec:\n      containers:\n      - { name: ${name}, image: "${image}" }\n`;
const config = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: test }\ndata: { a: b }\n`;
const release = (name: string, image: string, more = '', chart = 'web'): string =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: test }\nspec:\n  chart: { spec: { chart: ./charts/${chart}, sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system } } }\n  values: { image: "${image}" }\n${more}`;
/** A Deployment that is always called the same, and a ConfigMap that is called as the release. */
const chart: Tree = {
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
  'charts/web/templates/deployment.yaml': deployment('web', '{{ required "an image" .Values.image }}'),
  'charts/web/templates/config.yaml': config('{{ .Release.Name }}-own'),
};
const flux = (name: string, path: string, more = ''): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: ${name}, namespace: flux-system }\nspec:\n  path: ./${path}\n  prune: true\n  sourceRef: { kind: GitRepository, name: flux-system }\n${more}`;

const web = 'apps/v1/Deployment/test/web';
const keysOf = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object))).toSorted();
const imageOf = ({ manifests }: LoadedTree): unknown =>
  /web:\d/.exec(JSON.stringify(manifests.find(({ object }) => object.metadata.name === 'web')?.object ?? ''))?.[0];
const errorsOf = ({ problems }: LoadedTree): string[] =>
  problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, line, message }) => `${path}:${line} ${message}`);

describe.skipIf(helmProgram === undefined || kustomizeProgram === undefined)('while a renderer fails', () => {
  const folder = mkdtempSync(join(tmpdir(), 'taken-test-'));
  const capabilities = { kubeVersion: 'v1.34.4', apiVersions: ['v1', 'apps/v1'] };
  const helm = createHelm({ program: helmProgram ?? '', folder, capabilities: () => Promise.resolve(capabilities) });
  const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder });
  /** `places`: of what was applied before, by identity. */
  const render = (files: Tree, places: ReadonlyMap<string, string> = new Map(), more = {}): Promise<LoadedTree> => {
    const placed = { ...settings, ...more, placeOf: (key: string) => places.get(key) };
    const trees = createTreeRenderer(placed, { helm, kustomize });
    return turns.run(trees.render(new Map(Object.entries({ ...chart, ...files }))));
  };
  /** Where an agent that applied a tree has noted its objects. */
  const inventoryOf = ({ manifests }: LoadedTree): Inventory => ({
    revision: 'a',
    entries: new Map(
      manifests.map(({ object, origin }) => {
        const ref: ObjectRef = refOf(object);
        return [identityKey(ref), { ref, path: unitOf(origin) }];
      }),
    ),
  });
  const placesIn = ({ entries }: Inventory): ReadonlyMap<string, string> =>
    new Map([...entries].map(([key, { path }]) => [key, path]));
  const pruned = (tree: LoadedTree, inventory: Inventory): PrunePlan => {
    const { unreadablePaths, strays, areas, manifests: desired } = tree;
    return planPrune({ desired, inventory, unreadablePaths, strays, areas, prune: true, pruneAnything: true });
  };
  const names = (plan: PrunePlan): string[] => plan.prune.map(({ ref }) => `${ref.kind} ${ref.name}`).toSorted();

  afterAll(async () => {
    await Promise.all([helm.close(), kustomize.close()]);
    rmSync(folder, { recursive: true });
  });

  const prod = (resources: string): Tree => ({
    'prod/kustomization.yaml': `resources: [${resources}]\nimages: [{ name: web, newTag: "1" }]\n`,
    'prod/web.yaml': deployment('web', 'web:0'),
  });
  const root: Tree = { 'cluster/apps.yaml': flux('apps', 'apps'), 'apps/web.yaml': deployment('web', 'web:1') };
  const stories: readonly (readonly [string, before: Tree, now: Tree, error: string])[] = [
    [
      'a chart, and a file defines it as well',
      { 'r.yaml': release('one', 'web:1') },
      { 'r.yaml': release('one', ''), 'a.yaml': deployment('web', 'web:2') },
      'a.yaml:1 Deployment test/web came from the chart of HelmRelease test/one (r.yaml), which is not rendered now: it is not applied',
    ],
    [
      'a chart, and the file of its HelmRelease defines it as well',
      { 'r.yaml': `${release('one', 'web:1')}---\n${config('other')}` },
      { 'r.yaml': `${release('one', '')}---\n${config('other')}---\n${deployment('web', 'web:2')}` },
      'r.yaml:13 Deployment test/web came from the chart of HelmRelease test/one (r.yaml), which is not rendered now: it is not applied',
    ],
    [
      'a chart, and that of another HelmRelease makes it as well',
      { 'r.yaml': release('one', 'web:1') },
      { 'r.yaml': release('one', ''), 's.yaml': release('two', 'web:2') },
      's.yaml:1 Deployment test/web came from the chart of HelmRelease test/one (r.yaml), which is not rendered now: it is not applied',
    ],
    [
      'a chart whose HelmRelease has moved meanwhile, and a file defines it as well',
      { 'r.yaml': release('one', 'web:1') },
      { 'moved.yaml': release('one', ''), 'a.yaml': deployment('web', 'web:2') },
      'a.yaml:1 Deployment test/web came from the chart of HelmRelease test/one, which is not rendered now: it is not applied',
    ],
    [
      'a kustomization, and a file beside it defines it as well',
      prod('web.yaml'),
      { ...prod('web.yaml, none.yaml'), 'a.yaml': deployment('web', 'web:2') },
      'a.yaml:1 Deployment test/web came from prod/kustomization.yaml, which is not rendered now: it is not applied',
    ],
    [
      'a Kustomization of Flux, and a file beside it defines it as well',
      root,
      {
        ...root,
        'apps/kustomization.yaml': 'resources: [web.yaml, none.yaml]\n',
        'a.yaml': deployment('web', 'web:2'),
      },
      'a.yaml:1 Deployment test/web came from the Kustomization flux-system/apps (cluster/apps.yaml), which is not rendered now: it is not applied',
    ],
    [
      'a file that cannot be read, and another one defines it as well',
      { 'b.yaml': deployment('web', 'web:1') },
      { 'b.yaml': `<<<<<<< HEAD\n${deployment('web', 'web:1')}`, 'a.yaml': deployment('web', 'web:2') },
      'a.yaml:1 Deployment test/web came from b.yaml, which cannot be read now: it is not applied',
    ],
  ];

  it.each(stories)('an object keeps the version that it has of %s', async (_, before, now, error) => {
    const applied = await render(before);
    expect([errorsOf(applied), imageOf(applied)]).toEqual([[], 'web:1']);
    const inventory = inventoryOf(applied);
    const tree = await render(now, placesIn(inventory));
    expect(errorsOf(tree)).toContain(error);
    expect(errorsOf(tree)).toHaveLength(2);
    expect(keysOf(tree)).not.toContain(web);
    expect(names(pruned(tree, inventory))).toEqual([]);
  });

  const over: readonly (readonly [string, before: Tree, now: Tree])[] = [
    ['its HelmRelease is gone', { 'r.yaml': release('one', 'web:1') }, { 'a.yaml': deployment('web', 'web:2') }],
    [
      'its HelmRelease is suspended',
      { 'r.yaml': release('one', 'web:1') },
      { 'r.yaml': release('one', '', '  suspend: true\n'), 'a.yaml': deployment('web', 'web:2') },
    ],
    [
      'it has moved out of a file in which a HelmRelease stands',
      { 'r.yaml': `${release('one', 'web:1', '', 'none')}---\n${deployment('web', 'web:1')}` },
      { 'r.yaml': release('one', 'web:1', '', 'none'), 'a.yaml': deployment('web', 'web:2') },
    ],
    [
      'it has moved out of a file that cannot be read, and that does not name it',
      { 'b.yaml': `${deployment('web', 'web:1')}---\n${config('other')}` },
      { 'b.yaml': `<<<<<<< HEAD\n${config('other')}`, 'a.yaml': deployment('web', 'web:2') },
    ],
  ];

  it.each(over)('an object is taken from where it is defined now when %s', async (_, before, now) => {
    const tree = await render(now, placesIn(inventoryOf(await render(before))));
    expect(imageOf(tree)).toBe('web:2');
  });

  it.each([
    ['', undefined],
    ['web:1', 'web:1'],
  ])(
    'an object of another tenant stays its own, also where an older agent noted only its file: %s',
    async (image, left) => {
      const tenancy = createTenancy([
        { name: 'a', folder: 'a', namespaces: ['test'] },
        { name: 'b', folder: 'b', namespaces: ['test'] },
      ]);
      const own = (tag: string): string => release('one', tag).replace('./charts/web', './b/charts/web');
      const ofB = Object.fromEntries(Object.entries(chart).map(([path, text]) => [`b/${path}`, text]));
      const inventory = inventoryOf(await render({ ...ofB, 'b/r.yaml': own('web:1') }, new Map(), { tenancy }));
      const files = { ...ofB, 'b/r.yaml': own(image), 'a/web.yaml': deployment('web', 'web:2') };
      for (const places of [
        placesIn(inventory),
        new Map([...inventory.entries.keys()].map((key) => [key, 'b/r.yaml'])),
      ])
        expect(imageOf(await render(files, places, { tenancy }))).toBe(left);
    },
  );

  const api: Tree = {
    'charts/api/Chart.yaml': 'apiVersion: v2\nname: api\nversion: 0.1.0\n',
    'charts/api/templates/config.yaml': config('{{ .Release.Name }}-api'),
  };
  const shop = (image: string, more: Tree): Tree => ({
    'cluster/shop.yaml': flux('shop', 'shop'),
    'shop/web.yaml': release('one', image),
    ...more,
  });
  const beside: readonly (readonly [string, before: Tree, now: Tree, gone: readonly string[]])[] = [
    ['of its Kustomization', shop('web:1', { 'shop/more.yaml': config('beside') }), shop('', {}), ['ConfigMap beside']],
    [
      'of its file',
      { 'r.yaml': `${release('one', 'web:1')}---\n${config('beside')}---\n${deployment('api', 'api:1')}` },
      { 'r.yaml': `${release('one', '')}---\n${deployment('api', 'api:1')}` },
      ['ConfigMap beside'],
    ],
    [
      'of another HelmRelease of its file',
      { ...api, 'r.yaml': `${release('one', 'web:1')}---\n${release('two', 'web:1', '', 'api')}` },
      { ...api, 'r.yaml': release('one', '') },
      ['ConfigMap two-api'],
    ],
  ];

  it.each(beside)('what is gone %s is deleted, and nothing of the HelmRelease', async (_, before, now, gone) => {
    const applied = await render(before);
    expect(errorsOf(applied)).toEqual([]);
    const inventory = inventoryOf(applied);
    const tree = await render(now, placesIn(inventory));
    expect(errorsOf(tree)).toHaveLength(1);
    const plan = pruned(tree, inventory);
    expect(names(plan)).toEqual(gone);
    expect(plan.kept.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /holds a HelmRelease that cannot be rendered: ConfigMap test\/one-own, Deployment test\/web/,
      ),
    ]);
  });

  it('all that may be of a HelmRelease stays until it is rendered, where an older agent did not note what was', async () => {
    const before = { 'r.yaml': `${release('one', 'web:1')}---\n${config('beside')}` };
    const now = { 'r.yaml': release('one', '') };
    const applied = await render(before);
    const former: Inventory = {
      revision: 'a',
      entries: new Map([...inventoryOf(applied).entries].map(([key, entry]) => [key, { ...entry, path: 'r.yaml' }])),
    };
    const written = renderInventory(former, 'serin').map(({ data: { format: _new, ...data }, ...shard }) => ({
      ...shard,
      data,
    }));
    // Also after the agent has written it once more.
    for (const inventory of [
      parseInventory(written),
      parseInventory(renderInventory(parseInventory(written), 'serin')),
    ]) {
      expect(names(pruned(await render(now, placesIn(inventory)), inventory))).toEqual([]);
      // A file that never held one is as before.
      expect(names(pruned(await render({}, placesIn(inventory)), inventory))).toHaveLength(3);
    }
  });
});
