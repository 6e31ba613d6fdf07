import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { isManifestFile, type LoadedTree, type LoadSettings } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { type KubeObject, refKey, refOf, unitOf } from '../../src/manifest/types.ts';
import { readArgoGlob } from '../../src/render/argo-glob.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { withOthers } from '../../src/render/tree-files.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const url = 'https://github.com/acme/fleet.git';
const indented = (text: string, by = 2): string => text.replaceAll(/^(?=.)/gm, ' '.repeat(by));

interface Said {
  readonly spec?: string;
  readonly meta?: string;
  readonly policy?: string;
}
/** `source`: of its `spec.source`, beside the repository. */
const application = (name: string, source: string, said: Said = {}): string =>
  `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: ${name}
  namespace: argocd
${indented(said.meta ?? '')}
spec:
  project: default
  destination: { server: https://kubernetes.default.svc, namespace: ${name} }
  syncPolicy: ${said.policy ?? '{ automated: { prune: true } }'}
  source:
    repoURL: git@github.com:acme/fleet
    targetRevision: HEAD
${indented(source, 4)}
${indented(said.spec ?? '')}
`;
const deployment = (name: string, image = `${name}:1`, more = ''): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name}${more} }\nspec:\n  replicas: 1\n  selector: { matchLabels: { app: ${name} } }\n  template:\n    metadata: { labels: { app: ${name} } }\n    spec:\n      containers:\n      - name: main\n        image: ${image}\n`;
const config = (name: string, more = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${more} }\ndata: { a: b }\n`;
const chart = (path: string, image = '{{ .Values.image.repository }}:{{ .Values.image.tag }}'): Tree => ({
  [`${path}/Chart.yaml`]: 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
  [`${path}/values.yaml`]: 'image: { repository: web, tag: "1" }\nreplicas: 1\n',
  [`${path}/templates/web.yaml`]: deployment('{{ .Release.Name }}', image).replace(
    'replicas: 1',
    'replicas: {{ .Values.replicas }}',
  ),
});

describe.skipIf(kustomizeProgram === undefined || helmProgram === undefined)(
  'Applications of Argo CD in a tree',
  () => {
    const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
    const helm = createHelm({ program: helmProgram ?? '', kustomize });
    afterAll(async () => {
      await kustomize.close();
      await helm.close();
    });

    /** Of a commit with these files, of which `path` is followed. */
    const render = (files: Tree, path = '', more: Partial<LoadSettings> = {}): Promise<LoadedTree> => {
      const settings = {
        path,
        ledgerDir: '.releases',
        defaultNamespace: 'default',
        repositoryUrl: url,
        repositoryBranch: 'main',
        ...more,
      };
      const all = new Map(Object.entries(files).map(([at, text]) => [at, { oid: sha256Hex(text), text }] as const));
      const inside = new Map([...all].filter(([at]) => isManifestFile(at, settings)));
      withOthers(inside, {
        find: (at) => Promise.resolve(all.get(at)),
        read: (oid) => Promise.resolve(Buffer.from([...all.values()].find((file) => file.oid === oid)?.text ?? '')),
        list: (folder) =>
          Promise.resolve(new Map([...all].filter(([at]) => folder === '' || at.startsWith(`${folder}/`)))),
      });
      return turns.run(createTreeRenderer(settings, { kustomize, helm }).render(inside));
    };
    const keysOf = ({ manifests }: LoadedTree): string[] =>
      manifests.map(({ object }) => refKey(refOf(object))).toSorted();
    const told = ({ problems }: LoadedTree): string[] =>
      problems.map(({ path, line, severity, message }) => `${path}:${line} ${severity} ${message}`);
    const errors = (tree: LoadedTree): string[] => told(tree).filter((text) => text.includes(' error '));
    const object = (tree: LoadedTree, kind: string, name: string): KubeObject | undefined =>
      tree.manifests.find(({ object: one }) => one.kind === kind && one.metadata.name === name)?.object;

    it('are descriptions of a folder, whose objects without a namespace go where they say', async () => {
      const tree = await render({
        'apps/shop.yaml': application('shop', 'path: shop'),
        'shop/a.yaml': deployment('shop'),
        'shop/b.json': JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'own', namespace: 'other' },
        }),
        'shop/c.yml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: made }\n',
        'shop/below/d.yaml': config('below'),
        'shop/README.md': '# shop',
      });
      expect(told(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual([
        'apps/v1/Deployment/shop/shop',
        'v1/ConfigMap/default/below',
        'v1/ConfigMap/other/own',
        'v1/Namespace//made',
      ]);
      const shop = tree.manifests.find(({ object: one }) => one.kind === 'Deployment');
      expect(shop && unitOf(shop.origin)).toBe('apps/shop.yaml#Application/argocd/shop');
      expect(shop?.origin).toMatchObject({ path: 'shop/a.yaml', document: 0 });
    });

    it.each<readonly [string, string, readonly string[]]>([
      ['of the folders below', '{ recurse: true }', ['a', 'b', 'c', 'x']],
      ['that are named', '{ recurse: true, include: "*.json" }', ['b']],
      ['of several patterns', '{ recurse: true, include: "{b.json,deep/*}" }', ['b', 'c', 'x']],
      ['that are not left out', '{ recurse: true, exclude: "deep/*" }', ['a', 'b']],
    ])('take the files %s', async (_, directory, expected) => {
      const tree = await render(
        {
          'apps/shop.yaml': application('shop', `path: shop\ndirectory: ${directory}`),
          'shop/a.yaml': config('a'),
          'shop/b.json': JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } }),
          'shop/deep/c.yaml': config('c'),
          'shop/deep/er/x.yaml': config('x'),
        },
        'apps',
      );
      expect(errors(tree)).toEqual([]);
      expect(tree.manifests.map(({ object: one }) => one.metadata.name).toSorted()).toEqual(expected);
    });

    it('say images, names, labels, replicas, patches and a namespace of a kustomization', async () => {
      const tree = await render({
        'apps/shop.yaml': application(
          'shop',
          `path: overlay
kustomize:
  namePrefix: a-
  nameSuffix: -b
  namespace: prod
  images: ["shop=registry.local:5000/shop:2", "side@sha256:${'a'.repeat(64)}"]
  replicas: [{ name: shop, count: 4 }]
  commonAnnotations: { note: x }
  commonLabels: { team: t }
  labelWithoutSelector: true
  patches:
  - target: { kind: Deployment }
    patch: |
      - { op: add, path: /spec/paused, value: true }`,
        ),
        'overlay/kustomization.yaml': 'resources: [../base]\nimages: [{ name: shop, newTag: "1.5" }]\n',
        'base/kustomization.yaml': 'resources: [shop.yaml]\n',
        'base/shop.yaml': `${deployment('shop')}      - { name: side, image: "side:1" }\n`,
      });
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['apps/v1/Deployment/prod/a-shop-b']);
      expect(tree.manifests[0]?.object).toMatchObject({
        metadata: { labels: { team: 't' }, annotations: { note: 'x' } },
        spec: {
          replicas: 4,
          paused: true,
          selector: { matchLabels: { app: 'shop' } },
          template: {
            spec: {
              containers: [{ image: 'registry.local:5000/shop:2' }, { image: `side@sha256:${'a'.repeat(64)}` }],
            },
          },
        },
      });
    });

    it('say values, files of values and parameters of a chart, each over those before', async () => {
      const tree = await render({
        'apps/shop.yaml': application(
          'shop',
          `path: charts/web
helm:
  releaseName: web
  valueFiles: [prod.yaml, /common/values.yaml, missing.yaml]
  ignoreMissingValueFiles: true
  values: |
    image: { tag: "4" }
  parameters:
  - { name: image.repository, value: "$ARGOCD_APP_NAME" }`,
        ),
        'charts/web/prod.yaml': 'image: { tag: "2", repository: prod }\nreplicas: 2\n',
        'common/values.yaml': 'image: { tag: "3" }\nreplicas: 3\n',
        ...chart('charts/web'),
      });
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['apps/v1/Deployment/shop/web']);
      expect(tree.manifests[0]?.object).toMatchObject({
        spec: { replicas: 3, template: { spec: { containers: [{ image: 'shop:4' }] } } },
      });
      expect(tree.manifests[0]?.origin).toMatchObject({
        renderer: 'helm',
        path: 'apps/shop.yaml',
        unit: 'apps/shop.yaml#Application/argocd/shop',
        release: { kind: 'Application', name: 'shop' },
      });
      expect(tree.releases?.map(({ object: one }) => one.metadata.name)).toEqual(['shop']);
    });

    it('count what an image updater has written beside the folder', async () => {
      const tree = await render({
        'apps/shop.yaml': application('shop', 'path: shop\nkustomize: { images: ["shop:1"], namePrefix: a- }'),
        'shop/kustomization.yaml': 'resources: [shop.yaml]\n',
        'shop/shop.yaml': deployment('shop'),
        'shop/.argocd-source-shop.yaml': 'kustomize:\n  images:\n  - shop:7\n',
      });
      expect(errors(tree)).toEqual([]);
      expect(JSON.stringify(object(tree, 'Deployment', 'a-shop'))).toContain('shop:7');
    });

    it('with several sources take files of values from one for the chart of another', async () => {
      const sources = (more: string): string =>
        application('shop', 'path: x').replace(
          /\n {2}source:[^]*$/,
          `
  sources:
  - repoURL: ${url}
    path: charts/web
    helm: { valueFiles: [$config/values/shop.yaml] }
  - repoURL: ${url}
    ref: config
${more}`,
        );
      const files = {
        ...chart('charts/web'),
        'values/shop.yaml': 'image: { tag: "9" }\n',
        'extra/a.yaml': config('extra'),
      };
      const tree = await render(
        { ...files, 'apps/shop.yaml': sources(`  - repoURL: ${url}\n    path: extra\n`) },
        'apps',
      );
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['apps/v1/Deployment/shop/shop', 'v1/ConfigMap/shop/extra']);
      expect(JSON.stringify(object(tree, 'Deployment', 'shop'))).toContain('web:9');
      const half = await render(
        { ...files, 'apps/shop.yaml': sources(`  - repoURL: ${url}\n    path: gone\n`) },
        'apps',
      );
      expect(keysOf(half)).toEqual([]);
      expect(errors(half).join('\n')).toMatch(/is not rendered: there is no folder gone/);
      expect(errors(half).join('\n')).toMatch(/is not applied: another one of its sources is not rendered/);
    });

    it('keep what is gone from Git unless they prune, and make a namespace that nobody else brings', async () => {
      const kept = application('shop', 'path: shop', {
        policy: '{ automated: {}, syncOptions: [CreateNamespace=true] }',
      });
      const tree = await render({ 'apps/shop.yaml': kept, 'shop/a.yaml': config('a') });
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['v1/ConfigMap/shop/a', 'v1/Namespace//shop']);
      expect(object(tree, 'ConfigMap', 'a')?.metadata.annotations).toEqual({ 'serin.dev/prune': 'disabled' });
      expect(object(tree, 'Namespace', 'shop')?.metadata.annotations).toMatchObject({
        'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent',
      });
      const twice = await render({
        'apps/shop.yaml': kept,
        'apps/other.yaml': kept.replace('name: shop', 'name: other').replace('path: shop', 'path: other'),
        'shop/a.yaml': config('a'),
        'other/b.yaml': config('b'),
      });
      expect(errors(twice)).toEqual([]);
      expect(keysOf(twice)).toEqual(['v1/ConfigMap/shop/a', 'v1/ConfigMap/shop/b', 'v1/Namespace//shop']);
      const brought = await render({
        'apps/shop.yaml': kept,
        'shop/a.yaml': config('a'),
        'namespaces.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { team: x } }\n',
      });
      expect(errors(brought)).toEqual([]);
      expect(object(brought, 'Namespace', 'shop')?.metadata.labels).toEqual({ team: 'x' });
    });

    const leftAlone: readonly (readonly [string, string, RegExp])[] = [
      [
        'of another cluster',
        application('shop', 'path: shop').replace('https://kubernetes.default.svc', 'https://prod.example:6443'),
        /is for another cluster, https:\/\/prod.example:6443/,
      ],
      [
        'of a cluster of another name',
        application('shop', 'path: shop').replace('server: https://kubernetes.default.svc', 'name: prod'),
        /is for another cluster, prod/,
      ],
      ['that people sync by hand', application('shop', 'path: shop', { policy: '{}' }), /has no syncPolicy.automated/],
      [
        'that are switched off',
        application('shop', 'path: shop', { policy: '{ automated: { enabled: false } }' }),
        /has no syncPolicy.automated/,
      ],
    ];
    it.each(leftAlone)(
      '%s are left alone and told, and their folder is not applied as it stands',
      async (_, text, words) => {
        const tree = await render({
          'apps/shop.yaml': text,
          'shop/a.yaml': config('a'),
          'plain.yaml': config('plain'),
        });
        expect(errors(tree)).toEqual([]);
        expect(told(tree)[0]).toMatch(words);
        expect(keysOf(tree)).toEqual(['v1/ConfigMap/default/plain']);
        expect(tree.strays.has('apps/shop.yaml#Application/argocd/shop')).toBe(true);
      },
    );

    it('that people sync by hand are followed where they are asked to be', async () => {
      const asked = application('shop', 'path: shop', {
        policy: '{}',
        meta: 'annotations: { serin.dev/render: "true" }',
      });
      expect(keysOf(await render({ 'apps/shop.yaml': asked, 'shop/a.yaml': config('a') }))).toEqual([
        'v1/ConfigMap/shop/a',
      ]);
    });

    const refused: readonly (readonly [string, string, RegExp])[] = [
      [
        'another repository',
        application('shop', 'path: shop').replace('acme/fleet', 'acme/other'),
        /another repository, /,
      ],
      ['a tag', application('shop', 'path: shop').replace('HEAD', 'v1.2.3'), /another revision, v1\.2\.3/],
      ['another branch', application('shop', 'path: shop').replace('HEAD', 'next'), /another revision, next/],
      ['a plug-in', application('shop', 'path: shop\nplugin: { name: x }'), /spec\.source\.plugin is not followed/],
      [
        'two tools',
        application('shop', 'path: shop\nhelm: { releaseName: x }\nkustomize: { namePrefix: a- }'),
        /several tools \(helm, kustomize\)/,
      ],
      [
        'Jsonnet',
        application('shop', 'path: shop\ndirectory: { recurse: true, jsonnet: { tlas: [{ name: a, value: b }] } }'),
        /jsonnet is not followed/,
      ],
      [
        'an unknown option of kustomize',
        application('shop', 'path: overlay\nkustomize: { commonAnnotationsEnvsubst: true }'),
        /kustomize\.commonAnnotationsEnvsubst is not followed/,
      ],
      [
        'files of parameters',
        application('shop', 'path: charts/web\nhelm: { fileParameters: [{ name: a, path: b }] }'),
        /fileParameters are not followed/,
      ],
      ['a path out of the repository', application('shop', 'path: ../other'), /is not in the repository/],
      [
        'values out of the repository',
        application('shop', 'path: charts/web\nhelm: { valueFiles: [../../../etc/passwd] }'),
        /is not in the repository/,
      ],
      [
        'values of a server',
        application('shop', 'path: charts/web\nhelm: { valueFiles: ["https://x.example/v.yaml"] }'),
        /is fetched by nobody here/,
      ],
      [
        'values that do not exist',
        application('shop', 'path: charts/web\nhelm: { valueFiles: [none.yaml] }'),
        /there is no values file charts\/web\/none\.yaml/,
      ],
      [
        'the revision in a parameter',
        application('shop', 'path: charts/web\nhelm: { parameters: [{ name: a, value: $ARGOCD_APP_REVISION }] }'),
        /ARGOCD_APP_REVISION is not known here/,
      ],
      ['no folder', application('shop', 'path: nowhere'), /there is no folder nowhere/],
      [
        'no cluster',
        application('shop', 'path: shop').replace('server: https://kubernetes.default.svc, ', ''),
        /names no cluster/,
      ],
      [
        'a hydrator',
        application('shop', 'path: shop', { spec: 'sourceHydrator: { drySource: {} , syncSource: { path: a } }' }),
        /sourceHydrator is not followed/,
      ],
      [
        'a remote chart without the setting',
        application('shop', 'chart: web')
          .replace('git@github.com:acme/fleet', 'https://charts.example')
          .replace('HEAD', '1.0.0'),
        /is fetched only with --remote-charts/,
      ],
    ];
    it.each(refused)('with %s are refused by one clear error, and everything else goes on', async (_, text, words) => {
      const files = {
        ...chart('charts/web'),
        'shop/a.yaml': config('a'),
        'overlay/kustomization.yaml': 'resources: [a.yaml]\n',
        'overlay/a.yaml': config('overlay'),
        'fine/b.yaml': config('b'),
      };
      const tree = await render(
        { ...files, 'apps/shop.yaml': text, 'apps/fine.yaml': application('fine', 'path: fine') },
        'apps',
      );
      expect(errors(tree)).toHaveLength(1);
      expect(errors(tree)[0]).toMatch(
        /^apps\/shop\.yaml:1 error Application argocd\/shop is not (?:followed|rendered): /,
      );
      expect(errors(tree)[0]).toMatch(words);
      expect(keysOf(tree)).toEqual(['v1/ConfigMap/fine/b']);
    });

    it('tell of fields without effect', async () => {
      const text = application('shop', 'path: shop\nfoo: bar', {
        policy:
          '{ automated: { prune: true }, syncOptions: [Replace=true, ServerSideApply=true], retry: { limit: 2 } }',
        spec: 'ignoreDifferences: [{ group: apps, kind: Deployment, jsonPointers: [/spec/replicas] }]\ninfo: [{ name: a, value: b }]',
      }).replace('project: default', 'project: team');
      const tree = await render({ 'apps/shop.yaml': text, 'shop/a.yaml': config('a') });
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['v1/ConfigMap/shop/a']);
      const said = told(tree).join('\n');
      for (const words of ['spec.source.foo', 'spec.project', 'spec.ignoreDifferences', 'syncOptions Replace=true'])
        expect(said).toContain(words);
      expect(tree.problems).toHaveLength(4);
    });

    it('that an agent has applied for Argo CD itself stay so', async () => {
      const files = { 'apps/shop.yaml': application('shop', 'path: shop'), 'shop/a.yaml': config('a') };
      const tree = await render(files, 'apps', {
        placeOf: (key) => (key === 'argoproj.io/Application/argocd/shop' ? 'apps/shop.yaml' : undefined),
      });
      expect(keysOf(tree)).toEqual(['argoproj.io/v1alpha1/Application/argocd/shop']);
      expect(told(tree)[0]).toMatch(/is applied as before, for Argo CD itself, and not followed/);
    });

    /** As the examples of Argo CD have it: a chart whose templates are Applications. */
    const appOfApps: Tree = {
      'root.yaml': application('root', 'path: apps'),
      'apps/Chart.yaml': 'apiVersion: v2\nname: apps\nversion: 0.1.0\n',
      'apps/values.yaml': 'namespace: demo\n',
      'apps/templates/guestbook.yaml': application('guestbook', 'path: guestbook').replace(
        'namespace: guestbook }',
        'namespace: "{{ .Values.namespace }}" }',
      ),
      'apps/templates/web.yaml': application(
        'web',
        'path: charts/web\nhelm: { valuesObject: { image: { tag: "5" } } }',
      ),
      'guestbook/guestbook.yaml': deployment('guestbook'),
      ...chart('charts/web'),
      'elsewhere/unused.yaml': config('unused'),
      'elsewhere/kustomization.yaml': 'namespace: x\nresources: [unused.yaml]\n',
    };
    it('make others, out of a chart, and what none of them names is left alone', async () => {
      const tree = await render(appOfApps);
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['apps/v1/Deployment/demo/guestbook', 'apps/v1/Deployment/web/web']);
      expect(JSON.stringify(object(tree, 'Deployment', 'web'))).toContain('web:5');
      const made = tree.manifests.find(({ object: one }) => one.metadata.name === 'guestbook');
      expect(made && unitOf(made.origin)).toBe('root.yaml#Application/argocd/root#Application/argocd/guestbook');
      expect(told(tree).join('\n')).toContain('is named by no Application');
    });

    it.each(['', 'bootstrap'])('make others, out of a folder: followed "%s"', async (path) => {
      const tree = await render(
        {
          'bootstrap/root.yaml': application('root', 'path: apps'),
          'apps/shop.yaml': application('shop', 'path: shop'),
          'apps/project.yaml':
            'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: team, namespace: argocd }\nspec: {}\n',
          'shop/a.yaml': config('a'),
          'unused/b.yaml': config('b'),
        },
        path,
      );
      expect(errors(tree)).toEqual([]);
      expect(keysOf(tree)).toEqual(['argoproj.io/v1alpha1/AppProject/argocd/team', 'v1/ConfigMap/shop/a']);
    });

    const note = (name: string): string => `{ env: ${name} }`;
    it.each<readonly [string, (name: string) => string, (name: string) => string]>([
      ['their folders', () => '', (name) => `commonAnnotations: ${note(name)}`],
      ['themselves', (name) => `\nkustomize: { commonAnnotations: ${note(name)} }`, () => ''],
    ])(
      'of two environments, by %s, are never applied as one: the setting that chooses is told',
      async (_, said, written) => {
        const env = (name: string): Tree => ({
          [`envs/${name}/root.yaml`]: application(`root-${name}`, `path: apps/${name}${said(name)}`),
          [`apps/${name}/kustomization.yaml`]: `resources: [../base]\n${written(name)}`,
        });
        const tree: Tree = {
          ...env('prod'),
          ...env('staging'),
          'apps/base/kustomization.yaml': 'resources: [shop.yaml]\n',
          'apps/base/shop.yaml': application('shop', 'path: shop'),
          'shop/a.yaml': config('a'),
        };
        const both = await render(tree);
        expect(keysOf(both)).toEqual([]);
        expect(errors(both).join('\n')).toMatch(
          /Application argocd\/shop .*one of the two has to be chosen with --git-path/,
        );
        const one = await render(tree, 'envs/prod');
        expect(errors(one)).toEqual([]);
        expect(keysOf(one)).toEqual(['v1/ConfigMap/shop/a']);
      },
    );

    it('of one name in two files are applied from neither', async () => {
      const tree = await render({
        'argocd/prod.yaml': application('shop', 'path: prod'),
        'argocd/staging.yaml': application('shop', 'path: staging'),
        'prod/a.yaml': config('a'),
        'staging/a.yaml': config('a'),
      });
      expect(keysOf(tree)).toEqual([]);
      expect(errors(tree)).toHaveLength(2);
      for (const error of errors(tree)) expect(error).toContain('--git-path');
    });

    it('that make the same objects are applied from neither', async () => {
      const tree = await render({
        'argocd/prod.yaml': application('shop', 'path: prod'),
        'argocd/staging.yaml': application('shop2', 'path: staging').replace('namespace: shop2 }', 'namespace: shop }'),
        'prod/a.yaml': config('a'),
        'staging/a.yaml': config('a'),
      });
      expect(keysOf(tree)).toEqual([]);
      expect(errors(tree)[0]).toMatch(/the Application argocd\/shop2?, in argocd\/.*, makes ConfigMap shop\/a as well/);
    });

    it('that name each other end in one error', async () => {
      const tree = await render({ 'apps/a.yaml': application('a', 'path: apps'), 'shop/x.yaml': config('x') });
      expect(keysOf(tree)).toEqual([]);
      expect(errors(tree)).toEqual([]);
    });

    it('that a chart makes without end stop somewhere, with one error, and everything else goes on', async () => {
      const tree = await render({
        'root.yaml': application('root', 'path: loop'),
        'loop/Chart.yaml': 'apiVersion: v2\nname: loop\nversion: 0.1.0\n',
        'loop/templates/next.yaml': application('{{ .Release.Name }}x', 'path: loop'),
        'fine.yaml': application('fine', 'path: fine'),
        'fine/a.yaml': config('a'),
      });
      expect(keysOf(tree)).toEqual(['v1/ConfigMap/fine/a']);
      expect(errors(tree)).toEqual([expect.stringMatching(/it comes of too many others, one of another/)]);
    });

    it('of a tenant reach no files and no namespaces of another one', async () => {
      const tenancy = createTenancy([
        { name: 'red', folder: 'red', namespaces: ['red', 'argocd'] },
        { name: 'blue', folder: 'blue', namespaces: ['blue'] },
      ]);
      const of = (path: string, namespace: string): string =>
        application('shop', `path: ${path}`, {
          policy: '{ automated: {}, syncOptions: [CreateNamespace=true] }',
        }).replace('namespace: shop }', `namespace: ${namespace} }`);
      const files = {
        'red/own/a.yaml': config('a'),
        'blue/own/secret.yaml': config('secret'),
        'blue/values.yaml': 'a: b\n',
        ...chart('red/chart'),
      };
      const own = await render({ ...files, 'red/app.yaml': of('red/own', 'red') }, '', { tenancy });
      expect(keysOf(own)).toContain('v1/ConfigMap/red/a');
      for (const [path, namespace, words] of [
        ['blue/own', 'red', /blue\/own\/secret\.yaml belongs to another tenant/],
        ['red/own', 'blue', /blue/],
        ['red/chart\nhelm: { valueFiles: [/blue/values.yaml] }', 'red', /blue\/values\.yaml belongs to another tenant/],
      ] as const) {
        const tree = await render({ ...files, 'red/app.yaml': of(path, namespace) }, '', { tenancy });
        expect(errors(tree).join('\n')).toMatch(words);
        expect(keysOf(tree).filter((key) => key !== 'v1/ConfigMap/default/secret')).toEqual([]);
      }
    });

    describe('in an ApplicationSet that an Application makes', () => {
      const set = (folder: string): string =>
        `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: { name: set, namespace: argocd }\nspec:\n  generators: [{ list: { elements: [{ name: one }, { name: two }] } }]\n  template:\n    metadata: { name: "{{name}}" }\n    spec: { source: { repoURL: "${url}", path: ${folder} }, destination: { name: in-cluster, namespace: "{{name}}" }, syncPolicy: { automated: {} } }\n`;
      const root = { 'root.yaml': application('root', 'path: sets'), 'a/a.yaml': config('a'), 'b/b.yaml': config('b') };
      const patch = '- { op: replace, path: /spec/template/spec/source/path, value: b }';

      it.each<readonly [string, Tree, string]>([
        ['of a folder', { 'sets/set.yaml': set('a') }, 'a'],
        [
          'of a kustomization',
          { 'sets/kustomization.yaml': 'resources: [set.yaml]\n', 'sets/set.yaml': set('a') },
          'a',
        ],
        [
          'of a kustomization that changes it',
          {
            'sets/kustomization.yaml': `resources: [set.yaml]\npatches: [{ target: { kind: ApplicationSet }, patch: "${patch}" }]\n`,
            'sets/set.yaml': set('a'),
          },
          'b',
        ],
        [
          'of a chart',
          {
            'sets/Chart.yaml': 'apiVersion: v2\nname: sets\nversion: 0.1.0\n',
            'sets/templates/set.yaml': set('{{ .Values.folder }}').replaceAll('{{name}}', '{{ "{{name}}" }}'),
            'sets/values.yaml': 'folder: b\n',
          },
          'b',
        ],
        [
          'of an Application that another one makes',
          { 'sets/inner.yaml': application('inner', 'path: inner'), 'inner/set.yaml': set('a') },
          'a',
        ],
      ])('they are followed once, as it makes them: %s', async (_, files, made) => {
        const tree = await render({ ...root, ...files });
        expect(errors(tree)).toEqual([]);
        expect(keysOf(tree)).toEqual([`v1/ConfigMap/one/${made}`, `v1/ConfigMap/two/${made}`]);
        // What all begins with is no file that nobody names.
        expect(told(tree).filter((text) => text.startsWith('root.yaml'))).toEqual([]);
      });
    });

    describe('made by an ApplicationSet', () => {
      const set = (generators: string, template: string, more = ''): string =>
        `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: { name: set, namespace: argocd }\nspec:\n${indented(more)}\n  generators:\n${indented(generators)}\n  template:\n${indented(template, 4)}\n`;
      const template = (name: string, path: string): string =>
        `metadata: { name: '${name}' }
spec:
  project: default
  destination: { server: https://kubernetes.default.svc, namespace: '${name}' }
  syncPolicy: { automated: { prune: true } }
  source: { repoURL: ${url}, targetRevision: HEAD, path: '${path}' }`;
      const apps: Tree = {
        'apps/shop/a.yaml': config('a'),
        'apps/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
        'apps/web/templates/a.yaml': config('of-chart'),
        'apps/old/a.yaml': config('old'),
        'apps/shop/deep/a.yaml': config('deep'),
      };
      const ofFolders = `- git:\n    repoURL: ${url}\n    revision: HEAD\n    directories: [{ path: apps/* }, { path: apps/old, exclude: true }]`;
      it.each<readonly [string, string]>([
        ['folders', set(ofFolders, template('{{path.basename}}', '{{path}}'))],
        [
          'folders, by a Go template',
          set(ofFolders, template('{{ .path.basename }}', 'apps/{{ index .path.segments 1 }}'), 'goTemplate: true'),
        ],
        ['a list', set('- list: { elements: [{ app: shop }, { app: web }] }', template('{{app}}', 'apps/{{app}}'))],
        [
          'files',
          set(
            `- git:\n    repoURL: ${url}\n    files: [{ path: "config/**/app.json" }]`,
            template('{{name}}', 'apps/{{of.folder}}'),
          ),
        ],
      ])('out of %s are followed', async (_, text) => {
        const tree = await render({
          ...apps,
          'set.yaml': text,
          'config/a/app.json': '{ "name": "shop", "of": { "folder": "shop" } }',
          'config/b/c/app.json': '{ "name": "web", "of": { "folder": "web" } }',
        });
        expect(errors(tree)).toEqual([]);
        expect(keysOf(tree)).toEqual(['v1/ConfigMap/shop/a', 'v1/ConfigMap/web/of-chart']);
        expect(tree.manifests.map(({ origin }) => unitOf(origin))).toEqual([
          'set.yaml#ApplicationSet/argocd/set#Application/argocd/shop',
          'set.yaml#ApplicationSet/argocd/set#Application/argocd/web',
        ]);
      });

      it.each<readonly [string, string, RegExp]>([
        [
          'another generator',
          set('- matrix: { generators: [] }', template('a', 'apps/shop')),
          /matrix is not followed/,
        ],
        [
          'other clusters',
          set('- clusters: { selector: { matchLabels: { a: b } } }', template('a', 'apps/shop')),
          /clusters with a selector/,
        ],
        [
          'functions',
          set('- list: { elements: [{ app: a }] }', template('{{ .app | upper }}', 'x'), 'goTemplate: true'),
          /\{\{ \.app \| upper \}\} is not followed/,
        ],
        [
          'an unknown name',
          set('- list: { elements: [{ app: a }] }', template('{{other}}', 'x')),
          /no generator says \{\{other\}\}/,
        ],
        [
          'a patch',
          set('- list: { elements: [] }', template('a', 'x'), 'templatePatch: "a: b"'),
          /templatePatch is not followed/,
        ],
        [
          'another repository',
          set('- git: { repoURL: "https://github.com/acme/other", directories: [{ path: "*" }] }', template('a', 'x')),
          /another repository/,
        ],
        [
          'thousands of them',
          set(`- list: { elements: [${'{ app: a }, '.repeat(501)}] }`, template('{{app}}', 'x')),
          /more than 500 Applications/,
        ],
      ])('with %s are refused, and what was made of it stays', async (_, text, words) => {
        const tree = await render(
          { 'set.yaml': text, 'apps/shop/a.yaml': config('a') },
          'set.yaml'.replace('set.yaml', ''),
        );
        expect(errors(tree).join('\n')).toMatch(words);
        expect(tree.strays.has('set.yaml#ApplicationSet/argocd/set')).toBe(true);
      });
    });
  },
);

describe('a pattern of Argo CD', () => {
  it.each<readonly [string, string, boolean]>([
    ['*.yaml', 'deep/a.yaml', true],
    ['{config.yaml,*-prod.yaml}', 'shop-prod.yaml', true],
    ['{config.yaml,*-prod.yaml}', 'shop.yaml', false],
    ['[ab]?.json', 'b1.json', true],
    ['[!a-c].json', 'b.json', false],
    ['deep/*', 'deep', false],
  ])('%s and %s: %s', (pattern, path, expected) => expect(readArgoGlob(pattern)?.(path)).toBe(expected));

  it.each(['{a', '{a,{b,c}}', '[ab', '{a,b,c,d,e}'.repeat(4)])('%s cannot be read', (pattern) =>
    expect(readArgoGlob(pattern)).toBeUndefined(),
  );

  it('takes time in proportion', () => {
    const started = performance.now();
    expect(readArgoGlob('*a'.repeat(200))?.('a'.repeat(4_000) + 'b')).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
