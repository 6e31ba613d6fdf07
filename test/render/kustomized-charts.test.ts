import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import type { Edit } from '../../src/render/renderer.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeByHand, kustomizeProgram } from '../helpers/kustomize.ts';
import { released } from './kustomize-trees.ts';
import { chartIn, kustomizedChartTrees } from './kustomized-chart-trees.ts';

type File = string | { readonly oid: string; readonly mode: string; readonly text: string };
type Files = Readonly<Record<string, File>>;

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'prod' };
const mapOf = <Of extends File>(files: Readonly<Record<string, Of>>): ReadonlyMap<string, Of> =>
  new Map(Object.entries(files));
const errorsOf = ({ problems }: Pick<LoadedTree, 'problems'>): string[] =>
  problems.filter(({ severity }) => severity === 'error').map(({ path, message }) => `${path}: ${message}`);

describe.skipIf(kustomizeProgram === undefined || helmProgram === undefined)('a kustomization with charts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kustomized-charts-'));
  const limits = { timeMs: 10_000, memoryBytes: 256 * 1024 * 1024, outputBytes: 4 * 1024 * 1024 };
  const program = helmProgram ?? '';
  const cluster = { kubeVersion: 'v1.33.7', apiVersions: ['gateway.networking.k8s.io/v1', 'v1'] };
  const ofKustomize = { program: kustomizeProgram ?? '', folder, limits };
  const kustomize = createKustomize({ ...ofKustomize, helm: { program } });
  const helm = createHelm({ program, folder });
  const trees = createTreeRenderer(settings, { kustomize, helm });
  const render = (files: Files, with_ = trees): Promise<LoadedTree> => turns.run(with_.render(mapOf(files)));
  afterAll(async () => {
    await helm.close();
    await kustomize.close();
    rmSync(folder, { recursive: true });
  });

  it.each(kustomizedChartTrees.map((tree) => [tree.name, tree] as const))(
    'is what the program prints by hand, and a release in it is taken back by its own lines: %s',
    async (_, tree) => {
      const [before, after] = [tree.files, released(tree)];
      const loaded = await render(after);
      expect(errorsOf(loaded)).toEqual([]);
      const sorted = (made: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[]) =>
        made.toSorted((a, b) => `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`));
      const withNamespace = kustomizeByHand(after, tree.folder, ['--enable-helm', '--helm-command', program]).map(
        (object) =>
          object.kind === 'CustomResourceDefinition'
            ? object
            : { ...object, metadata: { namespace: 'prod', ...object.metadata } },
      );
      expect(sorted(loaded.manifests.map(({ object }) => object))).toEqual(sorted(withNamespace));
      expect(loaded.manifests.length).toBeGreaterThan(4);
      const revert = await turns.run(
        reverting({
          app: { namespace: 'prod', name: 'shop' },
          base: mapOf(before),
          judged: mapOf(after),
          tip: mapOf(after),
          render: createRender(settings, undefined, { kustomize, helm }),
        }),
      );
      const paths = Object.keys(tree.release).toSorted();
      expect(revert).toEqual({ kind: 'edited', files: new Map(paths.map((path) => [path, before[path]])), paths });
    },
  );

  const [first] = kustomizedChartTrees;
  const good: Readonly<Record<string, string>> = first?.files ?? {};
  const path = 'prod/kustomization.yaml';
  const replaced = (from: string, to: string): Files => ({ ...good, [path]: (good[path] ?? '').replace(from, to) });
  const withTemplate = (text: string): Files => ({ ...good, 'prod/charts/shop/templates/more.yaml': text });
  const generator =
    'apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: { name: x }\nname: x\nreleaseName: x\nrepo: http://127.0.0.1:1\n';
  const plain = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: beside }\n';

  it.each<readonly [string, RegExp, Files]>([
    [
      'a name that would be an option',
      /helmCharts\[0\].releaseName, which cannot be read/,
      replaced('releaseName: shop', 'releaseName: --post-renderer=/bin/sh'),
    ],
    [
      'a chart that would be an option',
      /helmCharts\[0\].name, which cannot be read/,
      replaced('- name: shop', '- name: --post-renderer=/bin/sh'),
    ],
    [
      'a namespace that would be one',
      /helmCharts\[0\].namespace, which cannot be read/,
      replaced('namespace: prod', 'namespace: --debug'),
    ],
    [
      'a version of Kubernetes that would be one',
      /kubeVersion, which cannot be read/,
      replaced('namespace: prod', 'kubeVersion: --debug'),
    ],
    [
      'no name, so that Helm makes one up',
      /helmCharts\[0\].releaseName, which is missing/,
      replaced('  releaseName: shop\n', ''),
    ],
    [
      'a field that nobody knows',
      /helmCharts\[0\].nameTemplate/,
      replaced('namespace: prod', 'nameTemplate: "{{ randAlpha 5 }}"'),
    ],
    [
      'a folder of plug-ins and credentials',
      /helmGlobals.configHome/,
      replaced('helmCharts:', 'helmGlobals: { configHome: /root }\nhelmCharts:'),
    ],
    [
      'a home out of the repository',
      /chartHome, which is not in the repository/,
      replaced('helmCharts:', 'helmGlobals: { chartHome: ../../etc }\nhelmCharts:'),
    ],
    [
      'a home by an absolute path',
      /chartHome, which is not in the repository/,
      replaced('helmCharts:', 'helmGlobals: { chartHome: /etc }\nhelmCharts:'),
    ],
    [
      'a chart by a way out',
      /helmCharts\[0\].name, which cannot be read/,
      replaced('- name: shop', '- name: a/../../../shop'),
    ],
    [
      'a repository with credentials',
      /helmCharts\[0\].repo, which cannot be read/,
      replaced('namespace: prod', 'repo: https://me:secret@example.org'),
    ],
    ['no chart', /there is no chart in prod\/charts\/tea/, replaced('- name: shop', '- name: tea')],
    [
      'a chart of an index, which is not fetched',
      /chart tea is fetched only with --remote-charts/,
      replaced('- name: shop', '- repo: https://example.org\n  name: tea'),
    ],
    [
      'values that are not there',
      /there is no file prod\/none.yaml/,
      replaced('namespace: prod', 'valuesFile: none.yaml'),
    ],
    [
      'values out of the repository',
      /not in the repository/,
      replaced('namespace: prod', 'additionalValuesFiles: [../../../etc/passwd]'),
    ],
    [
      'a generator beside it',
      /generators beside helmCharts/,
      {
        ...replaced('helmCharts:', 'generators: [g.yaml]\nhelmCharts:'),
        'prod/g.yaml': generator,
      },
    ],
    [
      'a generator in a base of it',
      /generators beside helmCharts/,
      {
        ...replaced('[cart.yaml', '[../base, cart.yaml'),
        'base/kustomization.yaml': 'generators: [g.yaml]\n',
        'base/g.yaml': generator,
      },
    ],
    [
      'a link in the chart',
      /templates\/more.yaml is a symbolic link/,
      { ...good, 'prod/charts/shop/templates/more.yaml': { oid: 'x', mode: '120000', text: '/etc/passwd' } },
    ],
    [
      'something else each time',
      /is something else each time \(Secret, at .*\): give it a value/,
      withTemplate(
        'apiVersion: v1\nkind: Secret\nmetadata: { name: s, namespace: prod }\nstringData: { word: {{ randAlphaNum 20 | quote }} }\n',
      ),
    ],
    ['the environment', /function "env" not defined/, withTemplate('{{ env "HOME" }}')],
    [
      'more than there is memory for',
      /takes more than 256 MiB of memory/,
      withTemplate('{{- range $i, $_ := until 100000 }}{{ repeat 20000 "abcdefgh" }}{{ end }}'),
    ],
    [
      'values that no map is',
      /valuesInline, which cannot be read/,
      replaced('    image:\n      tag: 1.0.0', '  - image'),
    ],
  ])('ends in one clear problem with %s', async (_, said, files) => {
    const loaded = await render({ ...files, 'beside/beside.yaml': plain });
    const errors = errorsOf(loaded);
    // A base of it has one of its own, where that is what is wrong.
    expect(errors.filter((one) => one.startsWith('prod/kustomization.yaml: '))).toHaveLength(1);
    expect(errors.at(-1)).toMatch(said);
    expect(errors.join('\n')).not.toMatch(/\/tmp|\/dev\/shm|HELM_/);
    // Everything else goes on, and what the chart made stays.
    expect(loaded.manifests.map(({ object }) => object.metadata.name)).toEqual(['beside']);
    expect(loaded.unreadablePaths).toContain('prod/cart.yaml');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is ended where it never ends, with Helm', async () => {
    const short = createKustomize({ ...ofKustomize, limits: { ...limits, timeMs: 2_000 }, helm: { program } });
    const endless = withTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}');
    const loaded = await render(endless, createTreeRenderer(settings, { kustomize: short, helm }));
    expect(errorsOf(loaded)).toEqual([expect.stringContaining('kustomize cannot render this (takes longer than 2 s)')]);
    const commands = readdirSync('/proc').flatMap((pid) => {
      try {
        return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
      } catch {
        return [];
      }
    });
    expect(commands.filter((one) => one.includes(folder))).toEqual([]);
    await short.close();
  });

  it('is refused where it is not allowed', async () => {
    const without = createKustomize(ofKustomize);
    const loaded = await render(good, createTreeRenderer(settings, { kustomize: without, helm }));
    expect(errorsOf(loaded)[0]).toMatch(/helmCharts: they are rendered with --enable-helm only/);
    await without.close();
  });

  it('is rendered for the cluster, unless it says itself for which', async () => {
    const capabilities = () => Promise.resolve(cluster);
    const known = createKustomize({ ...ofKustomize, helm: { program, capabilities } });
    const asked = createTreeRenderer(settings, { kustomize: known, helm });
    const infoIn = ({ manifests }: LoadedTree): unknown =>
      manifests.find(({ object }) => object.metadata.name === 'shop-info')?.object['data'];
    expect(infoIn(await render(good, asked))).toEqual({ cluster: 'v1.33.7', hasGateways: 'true' });
    const own = replaced('namespace: prod', 'namespace: prod\n  kubeVersion: 1.30.0');
    expect(infoIn(await render(own, asked))).toEqual({ cluster: 'v1.30.0', hasGateways: 'false' });
    await known.close();
  });

  it('looks nothing up in the cluster, and says so', async () => {
    const looking = 'data: { found: {{ (lookup "v1" "Secret" "prod" "x") | toJson | quote }} }';
    const loaded = await render(
      withTemplate(`apiVersion: v1\nkind: ConfigMap\nmetadata: { name: l, namespace: prod }\n${looking}\n`),
    );
    expect(loaded.problems.map(({ path: at, message }) => `${at}: ${message}`)).toEqual([
      'prod/charts/shop/templates/more.yaml: looks something up in the cluster, and finds nothing here',
    ]);
  });

  it('has images moved by an entry of its kustomization, and says so where there is none', async () => {
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'prod', name: 'shop' };
    const moved = async (files: Readonly<Record<string, string>>): Promise<Edit> => {
      const tip = { files: mapOf(files), manifests: (await render(files)).manifests };
      const field = ['spec', 'template', 'spec', 'containers', 0, 'image'];
      return turns.run(trees.edit({ kind: 'field', tip, object, field, value: 'shop:1.1.0' }));
    };
    expect(await moved(good)).toEqual({
      kind: 'refused',
      reason: 'a chart of prod/kustomization.yaml says its image: add an entry to images there, which is moved then',
      paths: [path],
    });
    const entry = `images: [{ name: shop, newTag: 1.0.0 }]\n${good[path] ?? ''}`;
    expect(await moved({ ...good, [path]: entry })).toEqual({
      kind: 'edited',
      files: new Map([[path, entry.replace('newTag: 1.0.0', 'newTag: 1.1.0')]]),
    });
  });

  it('is not rendered again for what it is not made from', async () => {
    await render({ ...good, 'beside/beside.yaml': plain });
    const { runs } = kustomize;
    await render({ ...good, 'beside/beside.yaml': `${plain}data: { a: b }\n` });
    expect(kustomize.runs).toBe(runs);
    await render({ ...good, ...chartIn('prod/charts/shop', '1.0.1') });
    expect(kustomize.runs).toBe(runs + 1);
  });
});
