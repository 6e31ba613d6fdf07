import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { isManifestFile, type LoadedTree } from '../../src/manifest/load.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { withOthers } from '../../src/render/tree-files.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const flux = (name: string, spec: string): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: ${name}, namespace: flux-system }\nspec:\n  interval: 10m\n  prune: true\n  sourceRef: { kind: GitRepository, name: flux-system }\n${spec.replaceAll(/^/gm, '  ')}\n`;
const repository =
  'apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: flux-system, namespace: flux-system }\nspec: { interval: 1m, url: "ssh://git@github.com/acme/fleet" }\n';
const application = (name: string, source: string): string =>
  `apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: ${name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io] }\nspec:\n  project: default\n  destination: { server: https://kubernetes.default.svc, namespace: ${name} }\n  syncPolicy: { automated: { prune: true, selfHeal: true } }\n  source: { repoURL: "https://github.com/acme/fleet", targetRevision: HEAD, ${source} }\n`;
const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
const deployment = (name: string, place = ''): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name}${place} }\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - { name: main, image: "${name}:1" }\n`;
const chart = (path: string, more = ''): Tree => ({
  [`${path}/Chart.yaml`]: `apiVersion: v2\nname: ${path.slice(path.lastIndexOf('/') + 1)}\nversion: 0.1.0\n${more}`,
  [`${path}/values.yaml`]: 'replicas: 1\n',
  [`${path}/templates/main.yaml`]: deployment('{{ .Release.Name }}-{{ .Chart.Name }}').replace(
    'replicas: 1',
    'replicas: {{ .Values.replicas }}',
  ),
});
const release = (name: string, more: string): string =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: ${name} }\nspec:\n  interval: 50m\n${more}`;
const ofFolder = (path: string): string =>
  `  chart: { spec: { chart: ./${path}, sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system } } }\n`;

const bootstrap = (cluster: string): Tree => ({
  [`clusters/${cluster}/flux-system/gotk-sync.yaml`]: `${repository}---\n${flux('flux-system', `path: ./clusters/${cluster}`)}`,
  [`clusters/${cluster}/flux-system/kustomization.yaml`]: 'resources: [gotk-sync.yaml]\n',
});

/** Two clusters with a base of apps and patches of HelmReleases for each. */
const fluxWithHelm = (cluster: string): Tree => ({
  ...bootstrap(cluster),
  [`clusters/${cluster}/infrastructure.yaml`]: [
    flux('infra-controllers', 'path: ./infrastructure/controllers\nretryInterval: 1m\ntimeout: 5m\nwait: true'),
    flux('infra-configs', 'path: ./infrastructure/configs\ndependsOn: [{ name: infra-controllers }]'),
  ].join('---\n'),
  [`clusters/${cluster}/apps.yaml`]: flux(
    'apps',
    `path: ./apps/${cluster}\ndependsOn: [{ name: infra-configs }]\nwait: true`,
  ),
  [`apps/${cluster}/kustomization.yaml`]:
    'resources: [../base/podinfo]\npatches: [{ path: podinfo-patch.yaml, target: { kind: HelmRelease } }]\n',
  [`apps/${cluster}/podinfo-patch.yaml`]: release(
    'podinfo',
    `  values: { replicas: ${cluster === 'production' ? 3 : 2} }\n`,
  ),
});
const fluxExample: Tree = {
  ...fluxWithHelm('production'),
  ...fluxWithHelm('staging'),
  'apps/base/podinfo/kustomization.yaml': 'namespace: podinfo\nresources: [namespace.yaml, release.yaml]\n',
  'apps/base/podinfo/namespace.yaml': namespace('podinfo'),
  'apps/base/podinfo/release.yaml': release('podinfo', ofFolder('charts/podinfo')),
  ...chart('charts/podinfo'),
  'infrastructure/controllers/kustomization.yaml': 'resources: [proxy.yaml]\n',
  'infrastructure/controllers/proxy.yaml': [namespace('proxy'), release('proxy', ofFolder('charts/proxy'))].join(
    '---\n',
  ),
  ...chart('charts/proxy'),
  'infrastructure/configs/kustomization.yaml': 'resources: [policy.yaml]\n',
  'infrastructure/configs/policy.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: policy, namespace: proxy }\n',
};

/** Two clusters whose folders hold plain manifests of their own, and share some. */
const monorepo: Tree = Object.fromEntries(
  ['staging', 'production'].flatMap((cluster) => [
    ...Object.entries(bootstrap(cluster)),
    [`clusters/${cluster}/tenants/shop.yaml`, deployment('shop', ', namespace: shop')],
    [`clusters/${cluster}/common.yaml`, flux('common', 'path: ./common')],
    ['common/namespace.yaml', namespace('shop')],
  ]),
);

const appOfApps: Tree = {
  'bootstrap/root.yaml': application('root', 'path: apps'),
  'apps/guestbook.yaml': application('guestbook', 'path: guestbook'),
  'apps/shop.yaml': application('shop', 'path: overlays/production'),
  'guestbook/guestbook.yaml': deployment('guestbook'),
  'overlays/production/kustomization.yaml': 'resources: [../../base]\nnamePrefix: prod-\n',
  'overlays/staging/kustomization.yaml': 'resources: [../../base]\nnamePrefix: staging-\n',
  'base/kustomization.yaml': 'resources: [shop.yaml]\n',
  'base/shop.yaml': deployment('shop'),
};

const overlays: Tree = Object.fromEntries([
  ['base/kustomization.yaml', 'resources: [shop.yaml]\n'],
  ['base/shop.yaml', deployment('shop')],
  ...['staging', 'production'].map((env) => [
    `overlays/${env}/kustomization.yaml`,
    `namespace: shop\nresources: [../../base]\nreplicas: [{ name: shop, count: ${env === 'staging' ? 1 : 3} }]\n`,
  ]),
]);

const umbrella: Tree = {
  ...chart(
    'charts/shop',
    'dependencies:\n- { name: cart, version: 0.1.0, repository: "file://../cart" }\n- { name: db, version: 0.1.0, repository: "file://../db", condition: db.enabled }\n',
  ),
  ...chart('charts/cart'),
  ...chart('charts/db'),
  'charts/shop/values.yaml': 'replicas: 1\ndb: { enabled: false }\n',
  'charts/shop/values-production.yaml': 'replicas: 2\ncart: { replicas: 5 }\n',
  'charts/shop/values-staging.yaml': 'cart: { replicas: 1 }\n',
};

/** Folders by namespace: a component names it, and patches of Kustomizations bring patches of all HelmReleases below. */
const byNamespace: Tree = {
  ...chart('charts/app'),
  'kubernetes/cluster/ks.yaml': [
    flux('meta', 'path: ./kubernetes/meta\nwait: true'),
    flux(
      'apps',
      `path: ./kubernetes/apps\ndependsOn: [{ name: meta }]\npatches:\n- target: { group: kustomize.toolkit.fluxcd.io, kind: Kustomization }\n  patch: |-\n    apiVersion: kustomize.toolkit.fluxcd.io/v1\n    kind: Kustomization\n    metadata: { name: not-used }\n    spec:\n      patches:\n      - target: { group: helm.toolkit.fluxcd.io, kind: HelmRelease }\n        patch: |-\n          apiVersion: helm.toolkit.fluxcd.io/v2\n          kind: HelmRelease\n          metadata: { name: not-used }\n          spec: { timeout: 10m, values: { replicas: 4 } }`,
    ),
  ].join('---\n'),
  'kubernetes/meta/kustomization.yaml': 'resources: [settings.yaml]\n',
  'kubernetes/meta/settings.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: web }\ndata: { DOMAIN: example.test }\n',
  'kubernetes/components/common/kustomization.yaml':
    'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [namespace.yaml]\n',
  'kubernetes/components/common/namespace.yaml': namespace('not-used'),
  'kubernetes/apps/web/kustomization.yaml':
    'namespace: web\ncomponents: [../../components/common]\nresources: [echo/ks.yaml]\n',
  'kubernetes/apps/web/echo/ks.yaml': flux(
    'echo',
    'path: ./kubernetes/apps/web/echo/app\ntargetNamespace: web\npostBuild: { substituteFrom: [{ kind: ConfigMap, name: settings }], substitute: { APP: echo } }\ncommonMetadata: { labels: { app.kubernetes.io/name: echo } }',
  )
    .replace(', namespace: flux-system }', ' }')
    .replace(/name: flux-system \}/, 'name: flux-system, namespace: flux-system }'),
  'kubernetes/apps/web/echo/app/kustomization.yaml': 'resources: [release.yaml, config.yaml]\n',
  'kubernetes/apps/web/echo/app/release.yaml': release('echo', ofFolder('charts/app'))
    .replace('{ name: echo, namespace: echo }', '{ name: "${APP}" }')
    .replaceAll(/^/gm, ''),
  'kubernetes/apps/web/echo/app/config.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "${APP}-config" }\ndata: { host: "${DOMAIN:=none}" }\n',
};

/** Values of a HelmRelease come of a generator, whose name is hashed. */
const generatedValues: Tree = {
  ...chart('charts/app'),
  'apps/app.yaml': flux('app', 'path: ./base/app\nwait: false'),
  'base/app/kustomization.yaml':
    'namespace: games\nresources: [release.yaml]\nconfigMapGenerator:\n- { name: app-values, files: ["values.yaml=./values.yaml"] }\nconfigurations: [names.yaml]\n',
  'base/app/names.yaml':
    'nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs: [{ path: spec/valuesFrom/name, kind: HelmRelease }]\n',
  'base/app/values.yaml': 'replicas: 7\n',
  'base/app/release.yaml': release(
    'games',
    `${ofFolder('charts/app')}  valuesFrom: [{ kind: ConfigMap, name: app-values }]\n`,
  ),
};

/** An overlay says the values of a base's HelmRelease with variables, and a patch finds it by its annotation. */
const patchedBase: Tree = {
  ...chart('charts/app'),
  ...bootstrap('prod'),
  'clusters/prod/vars.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: vars, namespace: flux-system }\ndata: { replicas: "3" }\n',
  'clusters/prod/apps.yaml': flux(
    'apps',
    'path: ./apps/prod\npostBuild: { substituteFrom: [{ kind: ConfigMap, name: vars }] }\npatches:\n- target: { kind: HelmRelease, annotationSelector: example.org/base }\n  patch: |\n    - { op: add, path: /spec/install, value: { createNamespace: true } }',
  ),
  'apps/base/kustomization.yaml': 'resources: [release.yaml]\n',
  'apps/base/release.yaml': release('auth', `${ofFolder('charts/app')}  targetNamespace: login\n`).replace(
    'metadata: {',
    'metadata: { annotations: { example.org/base: auth },',
  ),
  'apps/prod/kustomization.yaml': 'resources: [../base]\npatches: [{ path: values.yaml }]\n',
  'apps/prod/values.yaml':
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: auth, namespace: auth }\nspec:\n  values:\n    replicas: ${replicas}\n',
};

/** A root that lists projects, Applications and an ApplicationSet over folders; one of them has a chart in its kustomization. */
const setsOfFolders: Tree = {
  'infra/root.yaml': application('root', 'path: infra/argocd'),
  'infra/argocd/kustomization.yaml': 'resources: [sets/storage.yaml, certs.yaml]\n',
  'infra/argocd/certs.yaml': application('certs', 'path: infra/certs'),
  'infra/argocd/sets/storage.yaml': `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: { name: storage, namespace: argocd }\nspec:\n  generators:\n  - git:\n      repoURL: https://github.com/acme/fleet.git\n      revision: HEAD\n      directories: [{ path: infra/network/gateway }, { path: "infra/storage/*" }, { path: infra/storage/old, exclude: true }]\n  template:\n    metadata: { name: "{{path.basename}}", labels: { app.kubernetes.io/part-of: infrastructure } }\n    spec:\n      source: { repoURL: "https://github.com/acme/fleet.git", targetRevision: HEAD, path: "{{path}}" }\n      destination: { server: "https://kubernetes.default.svc", namespace: "{{path.basename}}" }\n      syncPolicy: { automated: { prune: true } }\n`,
  'infra/network/gateway/gateway.yaml': deployment('gateway'),
  'infra/storage/local/kustomization.yaml': 'resources: [local.yaml]\n',
  'infra/storage/local/local.yaml': deployment('local'),
  'infra/storage/old/old.yaml': deployment('old'),
  'infra/certs/kustomization.yaml':
    'namespace: certs\nresources: [namespace.yaml]\nhelmCharts:\n- { name: app, releaseName: certs, namespace: certs, valuesFile: values.yaml, includeCRDs: true }\npatches:\n- target: { kind: Deployment }\n  patch: |\n    - { op: add, path: /metadata/namespace, value: certs }\n',
  'infra/certs/namespace.yaml': namespace('certs'),
  'infra/certs/values.yaml': 'replicas: 2\n',
  ...chart('infra/certs/charts/app'),
};

describe.skipIf(kustomizeProgram === undefined || helmProgram === undefined)('a repository as people have it', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '', helm: { program: helmProgram ?? '' } });
  const helm = createHelm({ program: helmProgram ?? '', kustomize });
  afterAll(async () => {
    await kustomize.close();
    await helm.close();
  });

  const render = (files: Tree, path = ''): Promise<LoadedTree> => {
    const settings = {
      path,
      ledgerDir: '.releases',
      defaultNamespace: 'default',
      repositoryUrl: 'https://github.com/acme/fleet',
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
    manifests.map(({ object }) => refKey(refOf(object)).replace(/-[a-z0-9]{10}$/, '-HASH')).toSorted();
  const errors = ({ problems }: LoadedTree): string[] =>
    problems.filter(({ severity }) => severity === 'error').map(({ path, message }) => `${path} ${message}`);
  const replicas = ({ manifests }: LoadedTree, name: string): unknown =>
    (
      manifests.find(({ object }) => object.metadata.name === name)?.object['spec'] as
        | { replicas?: unknown }
        | undefined
    )?.replicas;

  const cases: readonly (readonly [string, Tree, string, readonly string[], Readonly<Record<string, number>>])[] = [
    [
      'of Flux with Kustomize and Helm',
      fluxExample,
      'clusters/production',
      [
        'apps/v1/Deployment/podinfo/podinfo-podinfo',
        'apps/v1/Deployment/proxy/proxy-proxy',
        'v1/ConfigMap/proxy/policy',
        'v1/Namespace//podinfo',
        'v1/Namespace//proxy',
      ],
      { 'podinfo-podinfo': 3 },
    ],
    [
      'of Flux, the other cluster',
      fluxExample,
      'clusters/staging',
      [
        'apps/v1/Deployment/podinfo/podinfo-podinfo',
        'apps/v1/Deployment/proxy/proxy-proxy',
        'v1/ConfigMap/proxy/policy',
        'v1/Namespace//podinfo',
        'v1/Namespace//proxy',
      ],
      { 'podinfo-podinfo': 2 },
    ],
    [
      'of Flux for several clusters',
      monorepo,
      'clusters/staging',
      ['apps/v1/Deployment/shop/shop', 'v1/Namespace//shop'],
      {},
    ],
    [
      'of Argo CD, an app of apps',
      appOfApps,
      '',
      ['apps/v1/Deployment/guestbook/guestbook', 'apps/v1/Deployment/shop/prod-shop'],
      {},
    ],
    ['with a base and overlays', overlays, 'overlays/production', ['apps/v1/Deployment/shop/shop'], { shop: 3 }],
    [
      'with a chart of charts',
      {
        ...umbrella,
        'production/shop.yaml': release(
          'shop',
          ofFolder('charts/shop').replace(
            'chart: ./charts/shop,',
            'chart: ./charts/shop, valuesFiles: [charts/shop/values.yaml, charts/shop/values-production.yaml],',
          ),
        ),
      },
      'production',
      ['apps/v1/Deployment/shop/shop-cart', 'apps/v1/Deployment/shop/shop-shop'],
      { 'shop-cart': 5, 'shop-shop': 2 },
    ],
    [
      'with a chart of charts, by Argo CD',
      {
        ...umbrella,
        'argocd/shop.yaml': application('shop', 'path: charts/shop, helm: { valueFiles: [values-production.yaml] }'),
      },
      '',
      ['apps/v1/Deployment/shop/shop-cart', 'apps/v1/Deployment/shop/shop-shop'],
      { 'shop-cart': 5, 'shop-shop': 2 },
    ],
    [
      'of Flux, folders by namespace',
      byNamespace,
      'kubernetes/cluster',
      [
        'apps/v1/Deployment/web/echo-app',
        'v1/ConfigMap/web/echo-config',
        'v1/ConfigMap/web/settings',
        'v1/Namespace//web',
      ],
      { 'echo-app': 4 },
    ],
    [
      'of Flux, with values that are generated',
      generatedValues,
      'apps',
      ['apps/v1/Deployment/games/games-app', 'v1/ConfigMap/games/app-values-HASH'],
      { 'games-app': 7 },
    ],
    [
      'of Flux, with patches of a base',
      patchedBase,
      'clusters/prod',
      ['apps/v1/Deployment/login/login-auth-app', 'v1/ConfigMap/flux-system/vars', 'v1/Namespace//login'],
      { 'login-auth-app': 3 },
    ],
    [
      'of Argo CD, with sets over folders and charts of kustomizations',
      setsOfFolders,
      '',
      [
        'apps/v1/Deployment/certs/certs-app',
        'apps/v1/Deployment/gateway/gateway',
        'apps/v1/Deployment/local/local',
        'v1/Namespace//certs',
      ],
      { 'certs-app': 2 },
    ],
  ];
  it.each(cases)('%s is rendered for the environment that is chosen', async (_, files, path, expected, sizes) => {
    const tree = await render(files, path);
    expect(errors(tree)).toEqual([]);
    expect(keysOf(tree)).toEqual(expected);
    for (const [name, count] of Object.entries(sizes)) expect(replicas(tree, name)).toBe(count);
  });

  it.each<readonly [string, Tree]>([
    ['of Flux with Kustomize and Helm', fluxExample],
    ['of Flux for several clusters', monorepo],
    ['with a base and overlays', overlays],
  ])('%s is not applied as one environment: what chooses one is told', async (_, files) => {
    const tree = await render(files);
    expect(keysOf(tree)).toEqual([]);
    expect(errors(tree)).toHaveLength(2);
    for (const error of errors(tree)) expect(error).toContain('--git-path');
  });

  it('waits for what it depends on, also for charts in it', async () => {
    const { needs = new Map<string, never>() } = await render(fluxExample, 'clusters/production');
    const root = 'clusters/production/flux-system/gotk-sync.yaml#flux-system/flux-system';
    expect([...needs.keys()].toSorted()).toEqual([`${root}#flux-system/apps`, `${root}#flux-system/infra-configs`]);
    expect(needs.get(`${root}#flux-system/infra-configs`)).toEqual([
      {
        unit: `${root}#flux-system/infra-controllers`,
        name: 'Kustomization flux-system/infra-controllers',
        checks: 'all',
      },
    ]);
  });
});
