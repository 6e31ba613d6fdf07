import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canary, deployment } from '../render/kustomize-trees.ts';

const turns = createTurns();
const url = 'https://github.com/acme/fleet';
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default', repositoryUrl: url };
const application = (name: string, source: string): string => `# what this cluster runs
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: ${name}, namespace: argocd }
spec:
  project: default
  destination: { server: https://kubernetes.default.svc, namespace: prod }
  syncPolicy: { automated: { prune: true } }
  source:
    repoURL: ${url}
    targetRevision: HEAD
${source.replaceAll(/^(?=.)/gm, '    ')}
`;
const overlay = application(
  'apps',
  `path: apps
kustomize:
  images:
  - shop:1.0.0 # the shop's
  - cart:1.0.0
  patches:
  - target: { kind: Deployment, name: shop }
    patch: |
      - { op: add, path: /spec/template/metadata/annotations, value: { mode: calm } }`,
);
const kustomized: Tree = {
  'cluster/apps.yaml': overlay,
  'apps/kustomization.yaml': 'resources: [shop.yaml, cart.yaml]\n',
  'apps/shop.yaml': [deployment('shop'), canary('shop')].join('---\n'),
  'apps/cart.yaml': [deployment('cart'), canary('cart')].join('---\n'),
};
const folder: Tree = {
  ...kustomized,
  'cluster/apps.yaml': application('apps', 'path: apps\ndirectory: { exclude: kust* }'),
};
const chart: Tree = {
  'charts/app/Chart.yaml': 'apiVersion: v2\nname: app\nversion: 0.1.0\n',
  'charts/app/values.yaml': 'image: { tag: 1.0.0 } # of all\n',
  'charts/app/templates/app.yaml': [deployment('{{ .Release.Name }}'), canary('{{ .Release.Name }}')]
    .join('---\n')
    .replaceAll(/image: .*/g, 'image: "app:{{ .Values.image.tag }}"'),
};
const released = (helm: string): Tree => ({
  ...chart,
  'cluster/shop.yaml': application('shop', `path: charts/app\n${helm}`),
  'cluster/cart.yaml': application('cart', 'path: charts/app\nhelm: { valuesObject: { image: { tag: 1.0.0 } } }'),
  'values/shop.yaml': 'image:\n  tag: 1.0.0 # ours\n',
});

type Changes = readonly (readonly [string, string, string])[];
const changed = (files: Tree, ...changes: Changes): Tree => {
  const next = new Map(Object.entries(files));
  for (const [path, from, to] of changes) {
    expect(next.get(path)).toContain(from);
    next.set(path, (next.get(path) ?? '').replace(from, to));
  }
  return Object.fromEntries(next);
};

describe.skipIf(kustomizeProgram === undefined || helmProgram === undefined)(
  'a release that an Application of Argo CD describes',
  () => {
    const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
    const helm = createHelm({ program: helmProgram ?? '', kustomize });
    const render = createRender(settings, undefined, { kustomize, helm });
    afterAll(async () => {
      await kustomize.close();
      await helm.close();
    });
    const revert = (before: Tree, judged: Tree, tip: Tree = judged): Promise<Revert> => {
      const [base, tried, now] = [before, judged, tip].map((files) => new Map(Object.entries(files)));
      const app = { namespace: 'prod', name: 'shop' };
      return turns.run(reverting({ app, base: base as never, judged: tried as never, tip: now as never, render }));
    };

    const apps = 'cluster/apps.yaml';
    const shop = 'cluster/shop.yaml';
    const kinds: readonly (readonly [string, Tree, Changes, Changes])[] = [
      [
        'an image of kustomize',
        kustomized,
        [[apps, "1.0.0 # the shop's", "1.1.0 # the shop's"]],
        [[apps, 'cart:1.0.0', 'cart:1.2.0']],
      ],
      [
        'a patch',
        kustomized,
        [[apps, 'value: { mode: calm }', 'value: { mode: wild }']],
        [[apps, 'cart:1.0.0', 'cart:1.2.0']],
      ],
      [
        'a file of its folder',
        folder,
        [['apps/shop.yaml', '- name: main', '- name: main\n        args: ["-x"]']],
        [['apps/cart.yaml', '- name: main', '- name: main\n        args: ["-y"]']],
      ],
      [
        'values',
        released('helm:\n  valuesObject:\n    image:\n      tag: 1.0.0 # good'),
        [[shop, '1.0.0 # good', '1.1.0 # bad']],
        [['cluster/cart.yaml', 'tag: 1.0.0', 'tag: 1.2.0']],
      ],
      [
        'values that are one text',
        released('helm:\n  values: |\n    image:\n      tag: 1.0.0'),
        [[shop, '1.0.0', '1.1.0']],
        [['cluster/cart.yaml', 'tag: 1.0.0', 'tag: 1.2.0']],
      ],
      [
        'a parameter',
        released('helm:\n  parameters:\n  - name: image.tag\n    value: 1.0.0'),
        [[shop, '1.0.0', '1.1.0']],
        [['cluster/cart.yaml', 'tag: 1.0.0', 'tag: 1.2.0']],
      ],
      [
        'a file of values',
        released('helm:\n  valueFiles: [/values/shop.yaml]'),
        [['values/shop.yaml', '1.0.0 # ours', '1.1.0 # ours']],
        [['cluster/cart.yaml', 'tag: 1.0.0', 'tag: 1.2.0']],
      ],
      [
        'a value of one that another made',
        {
          'root.yaml': application('root', 'path: cluster'),
          ...released('helm:\n  valuesObject: { image: { tag: 1.0.0 } }'),
        },
        [[shop, '1.0.0', '1.1.0']],
        [['cluster/cart.yaml', 'tag: 1.0.0', 'tag: 1.2.0']],
      ],
    ];
    it.each(kinds)(
      'is taken back at its source, and what another app got in the same commit stays: %s',
      async (_, tree, bad, others) => {
        const judged = changed(tree, ...bad, ...others);
        const result = await revert(tree, judged);
        const meant = changed(tree, ...others);
        const path = bad[0]?.[0] ?? '';
        expect(result).toMatchObject({ kind: 'edited', files: new Map([[path, meant[path]]]) });
      },
    );

    it('is held where the default of a chart moves two', async () => {
      const tree = {
        ...released('helm: { releaseName: shop }'),
        'cluster/cart.yaml': application('cart', 'path: charts/app'),
      };
      expect(await revert(tree, changed(tree, ['charts/app/values.yaml', '1.0.0', '1.1.0']))).toMatchObject({
        kind: 'conflict',
        reason: expect.stringContaining('prod/cart would change as well') as string,
      });
    });

    it('waits while its Application is left alone', async () => {
      const judged = changed(kustomized, [apps, "1.0.0 # the shop's", "1.1.0 # the shop's"]);
      const tip = changed(judged, [apps, '{ automated: { prune: true } }', '{}']);
      expect(await revert(kustomized, judged, tip)).toMatchObject({
        kind: 'conflict',
        reason: 'it cannot be read now: cluster/apps.yaml describes what is left alone',
        isUnread: true,
      });
    });

    it('that a chart of Applications says goes to a person', async () => {
      const root = 'apps/templates/shop.yaml';
      const tree: Tree = {
        ...chart,
        'root.yaml': application('root', 'path: apps'),
        'apps/Chart.yaml': 'apiVersion: v2\nname: apps\nversion: 0.1.0\n',
        [root]: application('shop', 'path: charts/app\nhelm: { valuesObject: { image: { tag: 1.0.0 } } }'),
      };
      const result = await revert(tree, changed(tree, [root, '1.0.0', '1.1.0']));
      expect(result).toMatchObject({ kind: 'conflict' });
    });
  },
);
