import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { isManifestFile, type LoadedTree, type LoadSettings } from '../../src/manifest/load.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { refKey, refOf, unitOf } from '../../src/manifest/types.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { withOthers } from '../../src/render/tree-files.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const flux = (name: string, spec: string, more = ''): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ${name}
  namespace: flux-system
${more}spec:
  interval: 10m
  prune: true
  sourceRef: { kind: GitRepository, name: flux-system }
${spec.replaceAll(/^/gm, '  ')}
`;
const source = (name: string, url: string, more = ''): string =>
  `apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: ${name}, namespace: flux-system }\nspec:\n  url: ${url}\n${more}`;
const deployment = (name: string, image = `${name}:1`): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name} }\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - name: main\n        image: ${image}\n`;
const config = (name: string, data: string, namespace = 'flux-system'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\ndata: ${data}\n`;

/** As `flux bootstrap` makes it, with two folders of apps and another cluster. */
const bootstrapped: Tree = {
  'clusters/prod/flux-system/gotk-components.yaml': [
    'apiVersion: v1\nkind: Namespace\nmetadata: { name: flux-system, labels: { app.kubernetes.io/part-of: flux } }\n',
    deployment('source-controller').replace(
      '{ name: source-controller }',
      '{ name: source-controller, namespace: flux-system, labels: { app.kubernetes.io/part-of: flux } }',
    ),
  ].join('---\n'),
  'clusters/prod/flux-system/gotk-sync.yaml': [
    source('flux-system', 'ssh://git@github.com/acme/fleet'),
    flux('flux-system', 'path: ./clusters/prod'),
  ].join('---\n'),
  'clusters/prod/flux-system/kustomization.yaml': 'resources: [gotk-components.yaml, gotk-sync.yaml]\n',
  'clusters/prod/apps.yaml': flux('apps', 'path: ./apps/prod\ndependsOn: [{ name: infra }]'),
  'clusters/prod/infra.yaml': flux('infra', 'path: ./infra'),
  'infra/namespace.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n',
  'infra/controllers/kustomization.yaml': 'namespace: infra\nresources: [proxy.yaml]\n',
  'infra/controllers/proxy.yaml': deployment('proxy'),
  'apps/base/kustomization.yaml': 'resources: [shop.yaml]\n',
  'apps/base/shop.yaml': deployment('shop'),
  'apps/prod/kustomization.yaml': 'namespace: shop\nresources: [../base]\n',
  'apps/staging/kustomization.yaml': 'namespace: shop\nresources: [../base]\n',
};

describe.skipIf(kustomizeProgram === undefined)("Flux's own objects in a tree", () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());

  /** Of a commit with these files, of which `path` is followed. */
  const render = (files: Tree, path = '', more: Partial<LoadSettings> = {}): Promise<LoadedTree> => {
    const settings = { path, ledgerDir: '.releases', defaultNamespace: 'default', ...more };
    const all = new Map(Object.entries(files).map(([at, text]) => [at, { oid: sha256Hex(text), text }] as const));
    const inside = new Map([...all].filter(([at]) => isManifestFile(at, settings)));
    withOthers(inside, {
      find: (at) => Promise.resolve(all.get(at)),
      read: (oid) => Promise.resolve(Buffer.from([...all.values()].find((file) => file.oid === oid)?.text ?? '')),
      list: (folder) =>
        Promise.resolve(new Map([...all].filter(([at]) => folder === '' || at.startsWith(`${folder}/`)))),
    });
    return turns.run(createTreeRenderer(settings, { kustomize }).render(inside));
  };
  const keysOf = ({ manifests }: LoadedTree): string[] =>
    manifests.map(({ object }) => refKey(refOf(object))).toSorted();
  const told = ({ problems }: LoadedTree): string[] =>
    problems.map(({ path, line, severity, message }) => `${path}:${line} ${severity} ${message}`);
  const errors = (tree: LoadedTree): string[] => told(tree).filter((text) => text.includes(' error '));
  const object = (tree: LoadedTree, kind: string, name: string): KubeObject | undefined =>
    tree.manifests.find(({ object: one }) => one.kind === kind && one.metadata.name === name)?.object;

  const ofProd = [
    'apps/v1/Deployment/infra/proxy',
    'apps/v1/Deployment/shop/shop',
    'v1/Namespace//flux-system',
    'v1/Namespace//shop',
  ];

  it.each(['', 'clusters/prod'])('are followed from where Flux begins, and not applied: folder "%s"', async (path) => {
    const tree = await render(bootstrapped, path);
    expect(errors(tree)).toEqual([]);
    expect(keysOf(tree)).toEqual(ofProd);
    const shop = tree.manifests.find(({ object: one }) => one.metadata.name === 'shop' && one.kind === 'Deployment');
    expect(shop?.origin).toMatchObject({ path: 'apps/base/shop.yaml', document: 0 });
    expect(shop && unitOf(shop.origin)).toBe(
      'clusters/prod/flux-system/gotk-sync.yaml#flux-system/flux-system#flux-system/apps',
    );
  });

  it('are not where all begins only because one names the folder that it stands in', async () => {
    const tree = await render({
      'team/self.yaml': flux('self', 'path: ./team'),
      'team/shop.yaml': deployment('shop'),
      'plain.yaml': deployment('plain'),
    });
    expect(told(tree)).toEqual([]);
    expect(keysOf(tree)).toEqual(['apps/v1/Deployment/default/plain', 'apps/v1/Deployment/default/shop']);
  });

  it('make one of several clusters of a tree, which has to be chosen', async () => {
    const staging = Object.fromEntries(
      Object.entries(bootstrapped)
        .filter(([path]) => path.startsWith('clusters/prod/'))
        .map(([path, text]) => [path.replace('prod', 'staging'), text.replaceAll('/prod', '/staging')]),
    );
    const tree = await render({ ...bootstrapped, ...staging });
    expect(keysOf(tree)).toEqual([]);
    expect(errors(tree)).toHaveLength(2);
    expect(errors(tree)[0]).toMatch(
      /^clusters\/prod\/flux-system\/gotk-sync.yaml:7 error .*choose this cluster's with --git-path \(clusters\/prod, clusters\/staging\)/,
    );
    // What the cluster has of either stays.
    expect(tree.strays.has('clusters/prod/flux-system/gotk-sync.yaml#flux-system/flux-system')).toBe(true);
    expect(keysOf(await render({ ...bootstrapped, ...staging }, 'clusters/prod'))).toEqual(ofProd);
  });

  const ledger = 'apiVersion: serin.dev/v1\nkind: Ledger\napp: shop/shop\n';
  const notManifests: readonly (readonly [string, string, Tree, string?])[] = [
    ['the ledgers of the agent', 'clusters/prod', { 'clusters/prod/.releases/shop/shop.yaml': ledger }],
    [
      'ledgers in a folder that is not hidden',
      'clusters/prod',
      { 'clusters/prod/done/shop/shop.yaml': ledger },
      'done',
    ],
    ['ledgers of the whole repository', '', { '.releases/shop/shop.yaml': ledger, 'infra/.releases/a.yaml': ledger }],
    [
      'rules of SOPS',
      'clusters/prod',
      { 'clusters/prod/.sops.yaml': 'creation_rules: []\n', 'infra/.sops.yaml': 'a: 1\n' },
    ],
    [
      'pipelines',
      '',
      { 'infra/.circleci/config.yml': 'jobs: {}\n', 'clusters/prod/.pre-commit-config.yaml': 'a: 1\n' },
    ],
  ];
  it.each(notManifests.map(([what, path, files, ledgerDir]) => [what, { path, files, ledgerDir }] as const))(
    'leave %s out of the manifests of a folder',
    async (_, { path, files, ledgerDir = '.releases' }) => {
      const tree = await render({ ...bootstrapped, ...files }, path, { ledgerDir });
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(ofProd);
    },
  );

  const one = (spec: string, files: Tree = {}): Tree => ({
    'cluster/shop.yaml': flux('shop', `path: ./shop\n${spec}`),
    'shop/shop.yaml': deployment('shop'),
    ...files,
  });

  it('say namespace, names, images, patches and components of what is applied', async () => {
    const tree = await render(
      one(
        `targetNamespace: prod
namePrefix: a-
nameSuffix: -b
images: [{ name: shop, newTag: "2" }, { name: other, newName: x }]
components: [../parts/note]
patches:
- target: { kind: Deployment }
  patch: |
    - { op: replace, path: /spec/replicas, value: 3 }
commonMetadata: { labels: { team: a }, annotations: { note: b } }`,
        {
          'shop/kustomization.yaml': 'resources: [shop.yaml]\nimages: [{ name: shop, newTag: "1.5" }]\n',
          'parts/note/kustomization.yaml':
            'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: { part: yes }\n'.replace(
              'yes',
              '"yes"',
            ),
        },
      ),
      'cluster',
    );
    expect(errors(tree)).toEqual([]);
    expect(tree.manifests.map(({ object: made }) => made)).toMatchObject([
      {
        metadata: {
          name: 'a-shop-b',
          namespace: 'prod',
          labels: { team: 'a' },
          annotations: { note: 'b', part: 'yes' },
        },
        spec: { replicas: 3, template: { spec: { containers: [{ image: 'shop:2' }] } } },
      },
    ]);
  });

  it('fill in variables, of themselves and of ConfigMaps and Secrets in Git, as Flux does', async () => {
    const tree = await render(
      {
        ...one(
          `postBuild:
  substitute: { TAG: "3", EMPTY: "" }
  substituteFrom:
  - { kind: ConfigMap, name: vars }
  - { kind: Secret, name: secrets }`,
          {
            'shop/shop.yaml': deployment('shop', 'shop:${TAG}').replace('replicas: 1', 'replicas: ${COUNT:=2}'),
            'shop/text.yaml': config(
              'text',
              '{ a: "${NAME}-${EMPTY:-none}-$${KEPT}-${UNKNOWN}", b: "${COUNT}", p: "${PASSWORD}" }',
              'x',
            ),
            'shop/raw.yaml': config('raw', '{ a: "${NAME}" }', 'x').replace(
              'name: raw,',
              'name: raw, annotations: { kustomize.toolkit.fluxcd.io/substitute: disabled },',
            ),
          },
        ),
        'cluster/vars.yaml': config('vars', '{ NAME: "first", TAG: "1" }'),
        'cluster/secret.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: { name: secrets, namespace: flux-system }\nstringData: { PASSWORD: "p\\n" }\n',
      },
      'cluster',
    );
    expect(errors(tree)).toEqual([]);
    expect(object(tree, 'Deployment', 'shop')).toMatchObject({
      spec: { replicas: 2, template: { spec: { containers: [{ image: 'shop:3' }] } } },
    });
    expect(object(tree, 'ConfigMap', 'text')?.['data']).toEqual({ a: 'first-none-${KEPT}-', b: null, p: 'p' });
    expect(object(tree, 'ConfigMap', 'raw')?.['data']).toEqual({ a: '${NAME}' });
  });

  it('wait for a ConfigMap that another of them brings', async () => {
    const tree = await render(
      {
        'cluster/a.yaml': flux('a', 'path: ./shop\npostBuild: { substituteFrom: [{ kind: ConfigMap, name: vars }] }'),
        'cluster/b.yaml': flux('b', 'path: ./vars'),
        'vars/vars.yaml': config('vars', '{ TAG: "7" }'),
        'shop/shop.yaml': deployment('shop', 'shop:${TAG}'),
      },
      'cluster',
    );
    expect(errors(tree)).toEqual([]);
    expect(JSON.stringify(object(tree, 'Deployment', 'shop'))).toContain('shop:7');
  });

  it('tell of fields of their source, which has no controller here', async () => {
    const files = one('');
    const of = (more: string): Tree => ({
      ...files,
      'cluster/source.yaml': source('flux-system', 'ssh://git@github.com/acme/fleet', more),
    });
    const tree = await render(of('  ignore: "/docs"\n  suspend: true\n'), 'cluster');
    expect(errors(tree)).toEqual([]);
    expect(keysOf(tree)).toEqual(['apps/v1/Deployment/default/shop']);
    expect(told(tree).join('\n')).toMatch(
      /cluster\/source.yaml:6 warning .*spec.ignore has no effect[^]*spec.suspend has no effect/,
    );
    const other = await render(of('  include: [{ repository: { name: x }, fromPath: a, toPath: shop }]\n'), 'cluster');
    expect(keysOf(other)).toEqual([]);
    expect(errors(other)[0]).toMatch(/is not followed: of its source spec.include is not followed/);
  });

  it('that are not to be pruned say so on their objects', async () => {
    const kept = flux('shop', 'path: ./shop').replace('prune: true', 'prune: false');
    const tree = await render({ ...one(''), 'cluster/shop.yaml': kept }, 'cluster');
    expect(object(tree, 'Deployment', 'shop')?.metadata.annotations).toEqual({
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
    });
  });

  const refusals: readonly (readonly [string, string, RegExp, Tree?])[] = [
    [
      'another cluster',
      'kubeConfig: { secretRef: { name: x } }',
      /spec.kubeConfig is not followed: it names another cluster/,
    ],
    ['a service account', 'serviceAccountName: team', /spec.serviceAccountName is not followed/],
    [
      'another repository',
      'sourceRef: { kind: GitRepository, name: other }',
      /another repository, https:\/\/github.com/,
      { 'cluster/other.yaml': source('other', 'https://github.com/acme/other') },
    ],
    [
      'a revision of this one',
      'sourceRef: { kind: GitRepository, name: old }',
      /another revision \(spec.ref.tag/,
      { 'cluster/old.yaml': source('old', 'https://github.com/acme/fleet', '  ref: { tag: v1 }\n') },
    ],
    ['a source that is not in Git', 'sourceRef: { kind: GitRepository, name: nowhere }', /nowhere, is not in Git/],
    ['an artifact', 'sourceRef: { kind: OCIRepository, name: x }', /its source is a OCIRepository/],
    ['a folder that is not there', 'path: ./none', /there is no folder none/],
    ['a path out of the repository', 'path: ../other', /spec.path ..\/other is not in the repository/],
    [
      'variables of nobody',
      'postBuild: { substituteFrom: [{ kind: Secret, name: x, optional: true }] }',
      /the Secret flux-system\/x, which is not in Git/,
    ],
    ['a variable that is none', 'postBuild: { substitute: { "a-b": "1" } }', /a-b is no name of a variable/],
    [
      'an expansion that is none',
      'postBuild: { substitute: { A: "1" } }',
      /cannot be filled in \(missing closing brace\)/,
      { 'shop/shop.yaml': deployment('shop', 'shop:${A?x}') },
    ],
    ['a dependency that is not there', 'dependsOn: [{ name: gone }]', /depends on flux-system\/gone, which is not/],
    ['itself as a dependency', 'dependsOn: [{ name: shop }]', /depends on flux-system\/shop, which is not/],
    ['a patch that fits nothing', 'patches: [{ patch: "kind: X" }]', /kustomize cannot render this/],
  ];
  it.each(refusals.map(([what, spec, why, more]) => [what, { spec, why, more: more ?? {} }] as const))(
    'with %s are told with file and line, and what the cluster has of it stays',
    async (_, { spec, why, more }) => {
      const text =
        spec.startsWith('path') || spec.startsWith('sourceRef')
          ? flux('shop', 'path: ./shop').replace(spec.startsWith('path') ? /path: .*/ : /sourceRef: .*/, spec)
          : flux('shop', `path: ./shop\n${spec}`);
      const tree = await render(
        { ...one(''), ...more, 'cluster/shop.yaml': text, 'cluster/plain.yaml': deployment('plain') },
        'cluster',
        { repositoryUrl: 'git@github.com:acme/fleet.git' },
      );
      expect(errors(tree)).toEqual([
        expect.stringMatching(new RegExp(`^cluster/shop.yaml:1 error Kustomization flux-system/shop .*${why.source}`)),
      ]);
      expect(keysOf(tree)).toEqual(['apps/v1/Deployment/default/plain']);
      expect(tree.strays.has('cluster/shop.yaml#flux-system/shop')).toBe(true);
    },
  );

  it('that are suspended stay as they are, and with them what depends on them', async () => {
    const tree = await render({
      ...one('suspend: true'),
      'cluster/b.yaml': flux('b', 'path: ./b\ndependsOn: [{ name: shop }]'),
      'b/b.yaml': deployment('b'),
    });
    expect(keysOf(tree)).toEqual([]);
    expect(told(tree)).toContain('cluster/shop.yaml:1 warning Kustomization flux-system/shop is suspended');
    expect([...tree.strays.keys()]).toEqual(
      expect.arrayContaining(['cluster/shop.yaml#flux-system/shop', 'cluster/b.yaml#flux-system/b', 'shop/shop.yaml']),
    );
  });

  it('are told field by field where something of them has no effect', async () => {
    const tree = await render(
      one(
        'deletionPolicy: Orphan\nforce: true\ntimeout: 5m\nnewThing: { a: b }\nignore: [{ paths: [/spec/replicas] }]',
      ),
      'cluster',
    );
    expect(told(tree).map((text) => text.replace(/^.*shop (spec\.\w+).*$/, '$1'))).toEqual([
      'spec.deletionPolicy',
      'spec.force',
      'spec.newThing',
      'spec.ignore',
    ]);
    expect(told(tree).map((text) => text.split(' ')[0])).toEqual([
      'cluster/shop.yaml:11',
      'cluster/shop.yaml:12',
      'cluster/shop.yaml:14',
      'cluster/shop.yaml:15',
    ]);
    expect(keysOf(tree)).toEqual(['apps/v1/Deployment/default/shop']);
  });

  it.each<readonly [string, string, number]>([
    ['a second document', `${config('x', '{ a: b }')}---\n${flux('shop', 'path: ./shop\nforce: true')}`, 16],
    [
      'flow style, at its document',
      `# ours\n${flux('shop', '').replace(/spec:[^]*/, 'spec: { path: ./shop, prune: true, force: true, sourceRef: { kind: GitRepository, name: flux-system } }')}`,
      2,
    ],
    [
      'a map of a field before that has one of that name',
      flux('shop', 'path: ./shop\npostBuild:\n  substitute:\n    force: "true"\nforce: true'),
      14,
    ],
  ])('are told at the line of a field: in %s', async (_, text, line) => {
    const tree = await render({ ...one(''), 'cluster/shop.yaml': text }, 'cluster');
    expect(told(tree).find((problem) => problem.includes('spec.force'))).toMatch(
      new RegExp(`^cluster/shop.yaml:${line} `),
    );
  });

  it('say what they wait for, and of which objects it matters whether they are ready', async () => {
    const check = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace: 'x' };
    const tree = await render(
      {
        ...one(`healthChecks: [${JSON.stringify(check)}]`),
        'cluster/b.yaml': flux('b', 'path: ./b\nwait: true\ndependsOn: [{ name: shop }]'),
        'cluster/c.yaml': flux('c', 'path: ./c\ndependsOn: [{ name: b, namespace: flux-system }, { name: shop }]'),
        'b/b.yaml': deployment('b'),
        'c/c.yaml': deployment('c'),
      },
      'cluster',
    );
    expect(told(tree)).toEqual([]);
    const shop = {
      unit: 'cluster/shop.yaml#flux-system/shop',
      name: 'Kustomization flux-system/shop',
      checks: [check],
    };
    const b = { unit: 'cluster/b.yaml#flux-system/b', name: 'Kustomization flux-system/b', checks: 'all' };
    expect([...(tree.needs ?? [])]).toEqual([
      ['cluster/b.yaml#flux-system/b', [shop]],
      ['cluster/c.yaml#flux-system/c', [b, shop]],
    ]);
  });

  it('say how long what they check may take to be ready', async () => {
    const check = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace: 'x' };
    const tree = await render(
      {
        ...one(`healthChecks: [${JSON.stringify(check)}]\ntimeout: 2m30s`),
        'cluster/b.yaml': flux('b', 'path: ./b\nwait: true'),
        'cluster/c.yaml': flux('c', 'path: ./c\nwait: true\ntimeout: soon').replace('interval: 10m', 'interval: -1m'),
        'cluster/d.yaml': flux('d', 'path: ./d\ntimeout: 1m'),
        ...Object.fromEntries(['b', 'c', 'd'].map((name) => [`${name}/x.yaml`, deployment(name)])),
      },
      'cluster',
    );
    expect([...(tree.health ?? [])].map(([, { name, checks, timeoutMs }]) => [name, checks, timeoutMs])).toEqual([
      ['Kustomization flux-system/b', 'all', 600_000],
      ['Kustomization flux-system/c', 'all', 300_000],
      ['Kustomization flux-system/shop', [check], 150_000],
    ]);
  });

  it('are applied as objects where an agent did so before, until somebody lets it follow them', async () => {
    const isBefore = {
      placeOf: (key: string) => (key.startsWith('kustomize.toolkit.fluxcd.io/') ? 'cluster/shop.yaml' : undefined),
    };
    const before = await render(one(''), '', isBefore);
    expect(keysOf(before)).toEqual([
      'apps/v1/Deployment/default/shop',
      'kustomize.toolkit.fluxcd.io/v1/Kustomization/flux-system/shop',
    ]);
    expect(told(before)[0]).toMatch(/is applied as before, for Flux's own controller, and not followed/);
    const chosen = {
      ...one(''),
      'cluster/shop.yaml': flux('shop', 'path: ./shop', '  annotations: { serin.dev/render: "true" }\n'),
    };
    const after = await render(chosen, 'cluster', isBefore);
    expect(keysOf(after)).toEqual(['apps/v1/Deployment/default/shop']);
    // It must not be deleted: Flux would delete all that it has applied.
    const key = after.areas.get('')?.elsewhere;
    expect([...(key?.keys() ?? [])]).toContain('kustomize.toolkit.fluxcd.io/Kustomization/flux-system/shop');
    const unwanted = {
      ...one(''),
      'cluster/shop.yaml': flux('shop', 'path: ./shop', '  annotations: { serin.dev/render: "false" }\n'),
    };
    expect(keysOf(await render(unwanted, 'cluster'))).toEqual([
      'kustomize.toolkit.fluxcd.io/v1/Kustomization/flux-system/shop',
    ]);
  });

  it('of the same name, or that make the same object, are told with the setting that chooses', async () => {
    const twice = await render({ ...one(''), 'other/shop.yaml': flux('shop', 'path: ./shop') });
    expect(errors(twice)).toEqual([
      expect.stringMatching(
        /^other\/shop.yaml:1 error .*cluster\/shop.yaml describes one of this name as well.*--git-path/,
      ),
    ]);
    const same = await render({ ...one(''), 'cluster/other.yaml': flux('other', 'path: ./shop') }, 'cluster');
    expect(keysOf(same)).toEqual([]);
    expect(errors(same)).toHaveLength(2);
    expect(errors(same).toSorted()[0]).toMatch(
      /^cluster\/other.yaml:1 error the Kustomization flux-system\/other: the Kustomization flux-system\/shop, in cluster\/shop.yaml, makes Deployment default\/shop as well, so one of the two has to go, .* spec.suspend$/,
    );
  });

  it.each<readonly [string, Tree]>([
    [
      'makes what another one makes',
      { 'c/shop.yaml': flux('shop', 'path: ./prod'), 'c/again.yaml': flux('again', 'path: ./prod') },
    ],
    [
      'makes what another one makes, of a folder without a kustomization',
      { 'c/shop.yaml': flux('shop', 'path: ./base/plain'), 'c/again.yaml': flux('again', 'path: ./base/plain') },
    ],
    ['cannot be built', { 'c/shop.yaml': flux('shop', 'path: ./prod\npatches:\n- patch: "a: ["') }],
    ['depends on what is not there', { 'c/shop.yaml': flux('shop', 'path: ./prod\ndependsOn: [{ name: none }]') }],
  ])('leave the bases of one alone that %s', async (_, files) => {
    const tree = await render({
      ...files,
      ...('c/again.yaml' in files && files['c/shop.yaml']?.includes('plain')
        ? { 'base/plain/shop.yaml': deployment('shop') }
        : {
            'base/kustomization.yaml': 'resources: [shop.yaml]\n',
            'base/shop.yaml': deployment('shop'),
            'prod/kustomization.yaml': 'namespace: prod\nresources: [../base]\n',
          }),
      'plain.yaml': deployment('plain'),
    });
    expect(keysOf(tree)).toEqual(['apps/v1/Deployment/default/plain']);
    expect(errors(tree).length).toBeGreaterThan(0);
  });

  it('below a root are named as Flux names them where two make the same object', async () => {
    const tree = await render(
      { ...bootstrapped, 'clusters/prod/again.yaml': flux('again', 'path: ./apps/prod') },
      'clusters/prod',
    );
    const contested = errors(tree).filter((text) => text.includes('as well'));
    expect(contested).toHaveLength(2);
    for (const text of contested) {
      expect(text).toMatch(/the Kustomization flux-system\/(?:again|apps)/);
      expect(text).not.toMatch(/#|--git-path/);
    }
  });
});
