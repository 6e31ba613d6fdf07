import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { atOnce, createTurns } from '../../src/lib/turns.ts';
import { leavingOutContested } from '../../src/manifest/contested.ts';
import { identityKey, identityOf } from '../../src/manifest/identity.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { type Manifest, type Origin, refKey, refOf } from '../../src/manifest/types.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { planPrune } from '../../src/sync/prune-plan.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };

const deployment = (name: string, image: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name}, namespace: test }\nspec:\n  template:\n    spec:\n      containers:\n      - { name: ${name}, image: "${image}" }\n`;
const config = (name: string, data = 'a: b'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: test }\ndata: { ${data} }\n`;
const release = (name: string, image: string, more = ''): string =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: test }\nspec:\n  chart: { spec: { chart: ./charts/web, sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system } } }\n  values: { image: "${image}" }\n${more}`;
/** A Deployment that is always called the same, and a ConfigMap that is called as the release. */
const chart: Tree = {
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
  'charts/web/templates/deployment.yaml': deployment('web', '{{ .Values.image }}'),
  'charts/web/templates/config.yaml': config('{{ .Release.Name }}-own'),
};

const keysOf = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object))).toSorted();
const errorsOf = ({ problems }: LoadedTree): string[] =>
  problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, line, message }) => `${path}:${line} ${message}`);
const web = 'apps/v1/Deployment/test/web';

describe.skipIf(helmProgram === undefined || kustomizeProgram === undefined)(
  'an object that is defined by two renderers',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'contested-test-'));
    const capabilities = { kubeVersion: 'v1.34.4', apiVersions: ['v1', 'apps/v1'] };
    const helm = createHelm({ program: helmProgram ?? '', folder, capabilities: () => Promise.resolve(capabilities) });
    const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder });
    /** Where everything but the HelmReleases was applied from `place`. */
    const render = (files: Tree, place?: string): Promise<LoadedTree> => {
      const placeOf = (key: string): string | undefined => (key.includes('/HelmRelease/') ? undefined : place);
      const trees = createTreeRenderer({ ...settings, placeOf }, { helm, kustomize });
      return turns.run(trees.render(new Map(Object.entries({ ...chart, ...files }))));
    };
    afterAll(async () => {
      await Promise.all([helm.close(), kustomize.close()]);
      rmSync(folder, { recursive: true });
    });

    const contests: readonly (readonly [string, Tree, unit: string, error: string, rest: readonly string[]])[] = [
      [
        'a file and a chart of the same file',
        { 'apps.yaml': `${release('one', 'web:1')}---\n${deployment('web', 'web:2')}---\n${config('other')}` },
        'apps.yaml',
        'apps.yaml:1 Deployment test/web is defined by apps.yaml:8 and by the chart of HelmRelease test/one (apps.yaml:1): it is applied from neither',
        ['v1/ConfigMap/test/one-own', 'v1/ConfigMap/test/other'],
      ],
      [
        'the charts of two HelmReleases of one file',
        { 'apps.yaml': `${release('one', 'web:1')}---\n${release('two', 'web:2')}` },
        'apps.yaml',
        'apps.yaml:8 Deployment test/web is defined by the chart of HelmRelease test/one (apps.yaml:1) and by the chart of HelmRelease test/two (apps.yaml:8): it is applied from neither',
        ['v1/ConfigMap/test/one-own', 'v1/ConfigMap/test/two-own'],
      ],
      [
        'a kustomization and the chart of a HelmRelease in it',
        {
          'prod/kustomization.yaml': 'resources: [one.yaml, web.yaml]\nimages: [{ name: web, newTag: "2" }]\n',
          'prod/one.yaml': release('one', 'web:1'),
          'prod/web.yaml': deployment('web', 'web:0'),
          'plain.yaml': config('other'),
        },
        'prod/kustomization.yaml',
        'prod/web.yaml:1 Deployment test/web is defined by the chart of HelmRelease test/one (prod/one.yaml:1) and by prod/web.yaml:1 (rendered for prod/kustomization.yaml): it is applied from neither',
        ['v1/ConfigMap/test/one-own', 'v1/ConfigMap/test/other'],
      ],
      [
        'a file and the chart of another one, whichever was applied before',
        { 'a.yaml': deployment('web', 'web:2'), 'r.yaml': release('one', 'web:1') },
        'a.yaml',
        'r.yaml:1 Deployment test/web is defined by a.yaml:1 and by the chart of HelmRelease test/one (r.yaml:1): it is applied from neither',
        ['v1/ConfigMap/test/one-own'],
      ],
    ];

    it.each(contests)(
      'is applied from neither, stays in the cluster, and the rest goes on: %s',
      async (_, files, unit, error, rest) => {
        for (const place of [undefined, unit]) {
          const tree = await render(files, place);
          expect(keysOf(tree)).toEqual(rest);
          expect(errorsOf(tree)).toEqual([error]);
          const entries = new Map(
            ['web', 'gone'].map((name) => {
              const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name };
              return [identityKey(ref), { ref, path: unit }] as const;
            }),
          );
          const { unreadablePaths, strays, areas, manifests: desired } = tree;
          const input = { desired, inventory: { revision: '', entries }, unreadablePaths, strays, areas };
          const plan = planPrune({ ...input, prune: true, pruneAnything: true });
          expect(plan.prune.map(({ ref }) => ref.name)).toEqual(['gone']);
          expect(plan.kept).toMatchObject([
            { severity: 'warning', message: expect.stringContaining('Deployment test/web') as string },
          ]);
        }
      },
    );

    it('is applied where one of the two is taken away', async () => {
      const both = { 'apps.yaml': `${release('one', 'web:1')}---\n${deployment('web', 'web:2')}` };
      expect(keysOf(await render(both, 'apps.yaml'))).not.toContain(web);
      const left = await render({ 'apps.yaml': release('one', 'web:1') }, 'apps.yaml');
      expect(keysOf(left)).toContain(web);
      expect(errorsOf(left)).toEqual([]);
    });

    it('is applied once, and told, where both say the same', async () => {
      const same = { 'apps.yaml': `${release('one', 'web:1')}---\n${deployment('web', 'web:1')}` };
      const tree = await render(same);
      expect(keysOf(tree)).toEqual([web, 'v1/ConfigMap/test/one-own']);
      expect(errorsOf(tree)).toEqual([expect.stringContaining('Deployment test/web is defined a second time')]);
    });
  },
);

describe('definitions of an object', () => {
  const chartOf = (path: string): Origin => ({
    renderer: 'helm',
    path,
    line: 1,
    document: undefined,
    namespace: undefined,
    unit: path,
    release: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', namespace: 'test', name: 'web' },
    source: { renderer: 'plain', path, line: 1, document: 0 },
  });
  const fileAt = (path: string): Origin => ({ renderer: 'plain', path, line: 1, document: 0 });
  const said = (origin: Origin, value: string, annotations: Record<string, string> = {}): Manifest => ({
    object: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', namespace: 'test', annotations },
      data: { value },
    },
    origin,
  });
  const tenancy = createTenancy([
    { name: 'a', folder: 'a', namespaces: ['test'] },
    { name: 'b', folder: 'b', namespaces: ['test'] },
  ]);
  const left = (all: readonly Manifest[], place?: string): readonly string[] => {
    const areaOf = (path: string): string => tenancy.tenantOf(path)?.name ?? '';
    const { manifests, contested } = atOnce(leavingOutContested(all, { placeOf: () => place, areaOf }));
    expect(manifests.length + contested.length).toBe(all.length);
    for (const { object } of contested) expect(identityOf(object)).toBe('/ConfigMap/test/x');
    return manifests.map(({ origin }) => origin.path);
  };

  it('of another tenant take nothing from the one that has it', () => {
    const all = [said(chartOf('a/r.yaml'), '1'), said(fileAt('b/x.yaml'), '2')];
    expect(left(all, 'b/x.yaml')).toEqual(['a/r.yaml', 'b/x.yaml']);
    expect(left(all, 'a/r.yaml')).toEqual(['a/r.yaml', 'b/x.yaml']);
    expect(left(all)).toEqual([]);
    const more = [...all, said(chartOf('b/r.yaml'), '3')];
    expect(left(more, 'b/x.yaml')).toEqual([]);
  });

  it('give way where they are only made if they are missing, as those of charts', () => {
    const ifAbsent = { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' };
    const all = [said(chartOf('r.yaml'), '1', ifAbsent), said(chartOf('s.yaml'), '2', ifAbsent)];
    expect(left(all)).toEqual(['r.yaml', 's.yaml']);
    expect(left([...all, said(fileAt('x.yaml'), '3')])).toEqual(['r.yaml', 's.yaml', 'x.yaml']);
    expect(left([...all, said(fileAt('x.yaml'), '3'), said(chartOf('t.yaml'), '4')])).toEqual([]);
  });

  it('of files alone are not looked at', () => {
    expect(left([said(fileAt('x.yaml'), '1'), said(fileAt('y.yaml'), '2')])).toEqual(['x.yaml', 'y.yaml']);
  });
});
