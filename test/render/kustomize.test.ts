import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { kustomizeByHand, kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
type Tree = Readonly<Record<string, string>>;

const deployment = (name: string, image = `${name}:1`): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name} }\nspec:\n  template:\n    spec:\n      containers:\n      - { name: ${name}, image: "${image}" }\n`;
const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`;

const shop: Tree = {
  'base/kustomization.yaml':
    'resources: [shop.yaml, more/service.yaml]\nconfigMapGenerator:\n- name: shop\n  files: [shop.properties]\n  envs: [shop.env]\n',
  'base/shop.yaml': deployment('shop'),
  'base/more/service.yaml': `${service('shop')}---\n${service('other')}`,
  'base/shop.properties': 'a=b\n',
  'base/shop.env': 'C=d\n',
  'prod/kustomization.yaml': 'namespace: prod\nresources: [../base]\nimages: [{ name: shop, newTag: "2" }]\n',
  'plain.yaml': deployment('plain'),
};

const keysOf = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object))).toSorted();
const told = ({ problems }: LoadedTree): string[] => problems.map(({ path, message }) => `${path}: ${message}`);

describe.skipIf(kustomizeProgram === undefined)('a kustomization that changes objects', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kustomize-test-'));
  const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder });
  const trees = createTreeRenderer(settings, { kustomize });
  const render = (files: Tree): Promise<LoadedTree> => turns.run(trees.render(new Map(Object.entries(files))));
  afterAll(async () => {
    await kustomize.close();
    rmSync(folder, { recursive: true });
  });

  it('is rendered by kustomize, and each object says where it comes from', async () => {
    const tree = await render(shop);
    expect(tree.problems).toEqual([]);
    const found = tree.manifests.map(({ object, origin }) => [
      object.kind,
      object.metadata.name,
      object.metadata.namespace,
      origin,
    ]);
    const from = (path: string, document: number | undefined, line = 1): unknown => {
      return { renderer: 'kustomize', path, line, document, unit: 'prod/kustomization.yaml' };
    };
    expect(found).toEqual([
      ['Deployment', 'plain', 'test', { renderer: 'plain', path: 'plain.yaml', document: 0, line: 1 }],
      ['ConfigMap', expect.stringMatching(/^shop-\w{10}$/), 'prod', from('base/kustomization.yaml', undefined)],
      ['Service', 'other', 'prod', from('base/more/service.yaml', 1, 6)],
      ['Service', 'shop', 'prod', from('base/more/service.yaml', 0)],
      ['Deployment', 'shop', 'prod', from('base/shop.yaml', 0)],
    ]);
  });

  it.each<readonly [string, Tree, string]>([
    ['a base with a generator', shop, 'prod'],
    [
      'a namespace alone',
      { 'a/kustomization.yaml': 'namespace: x\nresources: [x.yaml]\n', 'a/x.yaml': deployment('x') },
      'a',
    ],
    [
      'a root of the repository',
      { 'kustomization.yaml': 'namespace: x\nresources: [x.yaml]\n', 'x.yaml': service('x') },
      '',
    ],
    [
      'three layers',
      {
        'a/kustomization.yml': 'resources: [x.yaml]\nimages: [{name: x, newName: other}]\n',
        'a/x.yaml': deployment('x'),
        'b/Kustomization': 'resources: [../a]\nconfigMapGenerator: [{name: c, literals: [a=b]}]\n',
        'c/kustomization.yaml': 'resources: [../b]\nnamespace: prod\ngeneratorOptions: {labels: {a: b}}\n',
      },
      'c',
    ],
    [
      'a generator that merges, with another name for a key, without a hash',
      {
        'a/kustomization.yaml': 'configMapGenerator: [{name: c, literals: [a=b]}]\n',
        'b/kustomization.yaml':
          'resources: [../a]\nconfigMapGenerator: [{name: c, behavior: merge, files: [key.txt=sub/é.bin], options: {disableNameSuffixHash: true}}]\n',
        'b/sub/é.bin': 'text ü\n',
      },
      'b',
    ],
    [
      'a digest',
      {
        'kustomization.yaml':
          'resources: [x.yaml]\nimages: [{name: x, digest: "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"}]\n',
        'x.yaml': deployment('x'),
      },
      '',
    ],
  ])('renders to what the program prints by hand: %s', async (_, files, folder) => {
    const tree = await render(files);
    expect(tree.problems).toEqual([]);
    const made = tree.manifests.filter(({ origin }) => origin.renderer === 'kustomize').map(({ object }) => object);
    const placed = kustomizeByHand(files, folder).map((object) => ({
      ...object,
      metadata: { namespace: 'test', ...object.metadata },
    }));
    expect(made).toEqual(placed);
  });

  it('is not rendered again where nothing that it is made from changed', async () => {
    await render(shop);
    const before = kustomize.runs;
    const first = await render({
      ...shop,
      'plain.yaml': deployment('plain', 'plain:2'),
      'other/new.yaml': service('new'),
    });
    expect(kustomize.runs).toBe(before);
    const next = await render({ ...shop, 'base/shop.env': 'C=e\n' });
    expect(kustomize.runs).toBe(before + 1);
    const nameOf = (tree: LoadedTree): unknown =>
      tree.manifests.find(({ object }) => object.kind === 'ConfigMap')?.object.metadata.name;
    expect(nameOf(next)).not.toBe(nameOf(first));
  });

  it.each<readonly [string, Tree, RegExp]>([
    [
      'a chart',
      { ...shop, 'prod/kustomization.yaml': 'resources: [../base]\nhelmCharts: [{ name: x, releaseName: x }]\n' },
      /helmCharts: they are rendered with --enable-helm only/,
    ],
    [
      'a base with a chart',
      {
        ...shop,
        'base/kustomization.yaml': 'resources: [shop.yaml]\nhelmChartInflationGenerator: [{ chartName: x }]\n',
      },
      /\(base\/kustomization.yaml: helmChartInflationGenerator\): /,
    ],
    [
      'a field that is none',
      { ...shop, 'prod/kustomization.yaml': 'resources: [../base]\nimmages: [{ name: x }]\n' },
      /\(immages\): /,
    ],
    [
      'a plug-in',
      {
        ...shop,
        'prod/kustomization.yaml': 'resources: [../base]\ngenerators: [x.yaml]\n',
        'prod/x.yaml':
          'apiVersion: example.org/v1\nkind: Run\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: |\n      exec: { path: ./run.sh }\n',
        'prod/run.sh': '#!/bin/sh\ntouch /tmp/kustomize-plug-in-ran\n',
      },
      /plugins? .*disabled|unable to load/,
    ],
    [
      'a function in a container',
      {
        ...shop,
        'prod/kustomization.yaml': 'resources: [../base]\ntransformers: [x.yaml]\n',
        'prod/x.yaml':
          'apiVersion: example.org/v1\nkind: Run\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: |\n      container: { image: example.org/x }\n',
      },
      /plugins? .*disabled|unable to load/,
    ],
    [
      'a remote base',
      { ...shop, 'prod/kustomization.yaml': 'namespace: x\nresources: [../base, "https://example.org/x?ref=v1"]\n' },
      /\(resources from elsewhere\): /,
    ],
    [
      'a remote base without a scheme',
      { ...shop, 'prod/kustomization.yaml': 'namespace: x\nresources: [../base, github.com/x/y]\n' },
      /prod\/github.com\/x\/y is no file/,
    ],
    [
      'a path out of the repository',
      { ...shop, 'prod/kustomization.yaml': 'namespace: x\nresources: [../base, ../../../etc]\n' },
      /which is not in the repository\): /,
    ],
    [
      'a path of the machine',
      {
        ...shop,
        'prod/kustomization.yaml':
          'namespace: x\nresources: [../base]\nconfigMapGenerator: [{name: x, files: [/etc/hostname]}]\n',
      },
      /which is not in the repository\): /,
    ],
    [
      "a generator's file that is not there",
      {
        ...shop,
        'base/kustomization.yaml': 'resources: [shop.yaml]\nconfigMapGenerator: [{name: x, files: [none]}]\n',
      },
      /there is no file base\/none\): /,
    ],
    [
      'a base that includes itself',
      { ...shop, 'base/kustomization.yaml': 'resources: [shop.yaml, ../prod]\n' },
      /is a base of itself\): /,
    ],
    [
      "a file of another folder's, which the program refuses",
      { ...shop, 'prod/kustomization.yaml': 'namespace: x\nresources: [../base, ../base/shop.yaml]\n' },
      /cannot render this \(.*is not in or below/,
    ],
    ['YAML that is none', { ...shop, 'base/shop.yaml': 'apiVersion: v1\nkind: [\n' }, /cannot render this \(/],
    [
      'an alias bomb',
      {
        ...shop,
        'base/shop.yaml': `a: &a [x]\n${Array.from(
          { length: 26 },
          (_, at) =>
            `${String.fromCharCode(98 + at)}: &${String.fromCharCode(98 + at)} [*${String.fromCharCode(97 + at)}, *${String.fromCharCode(97 + at)}, *${String.fromCharCode(97 + at)}]\n`,
        )
          .slice(0, 25)
          .join('')}`,
      },
      /cannot render this \(/,
    ],
  ])('is held back as a whole, with one reason, where it has %s', async (_, files, reason) => {
    const tree = await render(files);
    const errors = told(tree).filter((message) => message.startsWith('prod/kustomization.yaml'));
    expect(errors).toEqual([expect.stringMatching(reason)]);
    expect(tree.manifests.map(({ origin }) => origin.renderer)).not.toContain('kustomize');
    expect(keysOf(tree)).toContain('apps/v1/Deployment/test/plain');
    // What the cluster has of it stays.
    expect(tree.strays.has('prod/kustomization.yaml')).toBe(true);
    expect(errors[0]).not.toContain(tmpdir());
  });

  it('applies nothing that stands in its folders and is not listed, and says so; what the cluster has of it stays', async () => {
    const beside: Tree = {
      'base/old.yaml': deployment('shop', 'old'),
      'prod/more/patch.yaml': deployment('patch'),
      'prod/own/x.yaml': service('x'),
      'prod/own/kustomization.yaml': 'resources: [x.yaml]\n',
      'prod/values.yaml': 'a: b\n',
    };
    for (const broken of [false, true]) {
      const tree = await render({ ...shop, ...beside, ...(broken ? { 'base/shop.yaml': 'kind: [' } : {}) });
      const found = keysOf(tree);
      expect(found.filter((key) => /old|patch/.test(key))).toEqual([]);
      expect(found).toContain('v1/Service/test/x');
      expect(found.includes('apps/v1/Deployment/prod/shop')).toBe(!broken);
      // What a kustomization names that cannot be rendered is held back with it.
      expect(told(tree).filter((text) => text.includes('does not list'))).toEqual([
        ...(broken ? [] : [expect.stringMatching(/^base\/old.yaml: /)]),
        expect.stringMatching(/^prod\/more\/patch.yaml: /),
      ]);
      expect([...tree.strays.keys()]).toEqual(expect.arrayContaining(['base/old.yaml', 'prod/more/patch.yaml']));
    }
  });

  it('is made of nothing of another tenant, and of no link', async () => {
    const teams = [
      { name: 'a', folder: 'a', namespaces: ['a'] },
      { name: 'b', folder: 'b', namespaces: ['b'] },
    ];
    const guarded = createTreeRenderer({ ...settings, tenancy: createTenancy(teams) }, { kustomize });
    const own = 'namespace: a\nresources: [x.yaml]\n';
    const files = { 'a/kustomization.yaml': own, 'a/x.yaml': service('x'), 'b/x.yaml': service('x') };
    const tree = (text: string): Promise<LoadedTree> =>
      turns.run(guarded.render(new Map(Object.entries({ ...files, 'a/kustomization.yaml': text }))));
    expect(keysOf(await tree(own))).toEqual(['v1/Service/a/x']);
    for (const text of [
      'namespace: a\nresources: [x.yaml, ../b/x.yaml]\n',
      'namespace: a\nresources: [x.yaml]\nconfigMapGenerator: [{ name: stolen, files: [../b/x.yaml] }]\n',
    ]) {
      const taken = await tree(text);
      expect(told(taken)[0]).toMatch(/^a\/kustomization.yaml: .*b\/x.yaml belongs to another tenant/);
      expect(keysOf(taken)).not.toContain('v1/Service/a/x');
    }
    // Nor does a kustomization bring what its tenant may not say.
    expect(keysOf(await tree('namespace: b\nresources: [x.yaml]\n'))).toEqual([]);
    const before = kustomize.runs;
    const link = { oid: 'link', mode: '120000', text: '/etc/hostname' };
    const linked = new Map<string, string | typeof link>([
      ['k/kustomization.yaml', own],
      ['k/x.yaml', link],
    ]);
    expect(told(await turns.run(trees.render(linked)))[0]).toContain('k/x.yaml is a symbolic link');
    expect(kustomize.runs).toBe(before);
  });

  it('tells no value of an object that it cannot render', async () => {
    const secret = (text: string): Tree => ({
      'kustomization.yaml': 'namespace: x\nresources: [s.yaml]\n',
      's.yaml': `apiVersion: v1\nkind: Secret\n${text}`,
    });
    for (const text of [
      'metadata: { labels: { hunter2: hunter2 } }\n',
      'metadata: { name: s }\ndata: { a: hunter2 }\n---\n- hunter2\n',
      'metadata: { name: s }\nstringData:\n  a: "hunter2\n  b: c\n',
      'metadata: { name: s, namespace: [hunter2] }\n',
    ]) {
      const tree = await render(secret(text));
      expect(keysOf(tree)).toEqual([]);
      expect(JSON.stringify(tree.problems)).not.toContain('hunter2');
    }
  });

  it('is not applied beside another that makes the same object: one of them has to be chosen', async () => {
    const tree = await render({ ...shop, 'copy/kustomization.yaml': 'namespace: prod\nresources: [../base]\n' });
    expect(keysOf(tree)).toEqual(['apps/v1/Deployment/test/plain']);
    expect(told(tree)).toEqual([
      'base/kustomization.yaml: it is a part of copy/kustomization.yaml, which is not rendered: the 2 files it names are not applied',
      expect.stringMatching(
        /^copy\/kustomization.yaml: prod\/kustomization.yaml makes .* as well, so one of the two has to be chosen with --git-path/,
      ),
      expect.stringMatching(/^prod\/kustomization.yaml: copy\/kustomization.yaml makes /),
    ]);
    const apart = await render({ ...shop, 'copy/kustomization.yaml': 'namespace: copy\nresources: [../base]\n' });
    expect(told(apart)).toEqual([]);
    expect(keysOf(apart)).toHaveLength(9);
  });

  it('leaves no folder behind', async () => {
    await render({ ...shop, 'base/shop.env': 'C=f\n' });
    await render({ ...shop, 'base/shop.yaml': 'kind: [' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('where there is no kustomize', () => {
  const withoutProgram = (files: Tree): Promise<LoadedTree> => {
    const kustomize = createKustomize({ program: '/nonexistent/kustomize' });
    return turns.run(createTreeRenderer(settings, { kustomize }).render(new Map(Object.entries(files))));
  };

  it('what a kustomization changes is held back as before, and all else is applied', async () => {
    const [with_, without] = [
      await withoutProgram(shop),
      await turns.run(createTreeRenderer(settings).render(new Map(Object.entries(shop)))),
    ];
    const { manifests, strays, unreadablePaths, unreadableText } = with_;
    expect({ manifests, strays, unreadablePaths, unreadableText }).toEqual({
      manifests: without.manifests,
      strays: without.strays,
      unreadablePaths: without.unreadablePaths,
      unreadableText: without.unreadableText,
    });
    expect(told(with_)[1]).toContain('there is no program kustomize of version 5');
  });

  it.each(['ELOOP', 'EACCES', 'ENOTDIR'])(
    'that can be started (%s), that is told, and all else goes on',
    async (code) => {
      const dir = mkdtempSync(join(tmpdir(), 'kustomize-test-'));
      try {
        const place = join(dir, 'kustomize');
        if (code === 'ELOOP') symlinkSync(place, place);
        else writeFileSync(place, '#!/bin/sh\n', { mode: 0o644 });
        const program = code === 'ENOTDIR' ? join(place, 'kustomize') : place;
        const kustomize = createKustomize({ program });
        const trees = createTreeRenderer(settings, { kustomize });
        const tree = await turns.run(trees.render(new Map(Object.entries(shop))));
        expect(keysOf(tree)).toEqual(['apps/v1/Deployment/test/plain']);
        expect(told(tree)).toContainEqual(
          expect.stringMatching(
            new RegExp(`^prod/kustomization.yaml: .*the program kustomize cannot be started: spawn ${program} ${code}`),
          ),
        );
        // Nothing of it is deleted.
        expect([...tree.unreadablePaths]).toContain('base/shop.yaml');
        expect([...tree.strays.keys()]).toContain('prod/kustomization.yaml');
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );

  it('what only lists files that others would render is told as a part of them', async () => {
    const listing = { ...shop, 'base/kustomization.yaml': 'resources: [shop.yaml]\n' };
    expect(told(await withoutProgram(listing))).toContain(
      'base/kustomization.yaml: it is a part of prod/kustomization.yaml, which is not rendered',
    );
  });
});
