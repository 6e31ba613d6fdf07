import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { type KubeObject, refKey, refOf } from '../../src/manifest/types.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { helmByHand, helmProgram, podinfoRepository, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default' };

const keysOf = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object))).toSorted();
const told = ({ problems }: LoadedTree): string[] => problems.map(({ path, message }) => `${path}: ${message}`);
const madeByHelm = ({ manifests }: LoadedTree): KubeObject[] =>
  manifests.filter(({ origin }) => origin.renderer === 'helm').map(({ object }) => object);

/** A chart with one ConfigMap that shows its values. */
const chart = (name: string, more: Tree = {}): Tree => ({
  [`charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 0.1.0\n`,
  [`charts/${name}/values.yaml`]: 'colour: blue\nsize: 1\n',
  [`charts/${name}/templates/config.yaml`]:
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  values: {{ .Values | toJson | quote }}\n',
  ...Object.fromEntries(Object.entries(more).map(([path, text]) => [`charts/${name}/${path}`, text])),
});
const toolkit = (spec: string, version = 'v2'): string =>
  `apiVersion: helm.toolkit.fluxcd.io/${version}\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: test\nspec:\n  interval: 5m\n${spec.replaceAll(/^/gm, '  ')}\n`;
const fromGit = (name = 'web'): string =>
  `chart:\n  spec:\n    chart: ./charts/${name}\n    sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system }\n`;
const config = (kind: string, name: string, data: string): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: test }\n${kind === 'Secret' ? 'stringData' : 'data'}:\n${data}`;

describe.skipIf(helmProgram === undefined)('a HelmRelease', () => {
  const folder = mkdtempSync(join(tmpdir(), 'helm-test-'));
  const capabilities = { kubeVersion: 'v1.34.4', apiVersions: ['v1', 'apps/v1', 'flagger.app/v1beta1/Canary'] };
  const helm = createHelm({
    program: helmProgram ?? '',
    folder,
    capabilities: () => Promise.resolve(capabilities),
  });
  const trees = createTreeRenderer(settings, { helm });
  const render = (files: Tree): Promise<LoadedTree> => turns.run(trees.render(new Map(Object.entries(files))));
  afterAll(async () => {
    await helm.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['', 300_000],
    ['timeout: 1m', 60_000],
    ['timeout: 1m\ninstall: { timeout: 3m }', 180_000],
    ['upgrade: { timeout: 10m }', 600_000],
    ['timeout: 1m\nupgrade: { disableWait: true }', 60_000],
    ['install: { disableWait: true }\nupgrade: { disableWait: true }', undefined],
  ])('may take so long to be ready: %s', async (more, timeoutMs) => {
    const spec = `\nspec:\n${more.replaceAll(/^(?=.)/gm, '  ')}\n`;
    const release = `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }${spec}  chart: { spec: { chart: ./charts/podinfo, sourceRef: { kind: GitRepository, name: x } } }\n`;
    const { health } = await render({ ...podinfoRepository, 'web.yaml': release });
    expect(health?.get('web.yaml#HelmRelease/test/web')?.timeoutMs).toBe(timeoutMs);
  });

  it('is rendered with the chart that stands in the repository, and each object says where it comes from', async () => {
    const tree = await render(podinfoRepository);
    expect(told(tree)).toEqual([]);
    expect(keysOf(tree)).toEqual([
      'apps/v1/Deployment/test/backend',
      'apps/v1/Deployment/test/frontend',
      'autoscaling/v2/HorizontalPodAutoscaler/test/backend',
      'autoscaling/v2/HorizontalPodAutoscaler/test/frontend',
      'flagger.app/v1beta1/Canary/test/backend',
      'flagger.app/v1beta1/Canary/test/frontend',
      'gateway.networking.k8s.io/v1/Gateway/test/public',
      'v1/ConfigMap/test/backend',
      'v1/ConfigMap/test/frontend',
      'v1/Namespace//test',
    ]);
    const path = 'releases/test/frontend.yaml';
    const release = {
      apiVersion: 'flux.weave.works/v1beta1',
      kind: 'HelmRelease',
      namespace: 'test',
      name: 'frontend',
    };
    expect(tree.manifests.find(({ object }) => object.metadata.name === 'frontend')?.origin).toEqual({
      renderer: 'helm',
      path,
      line: 1,
      unit: `${path}#HelmRelease/test/frontend`,
      release,
      document: undefined,
      namespace: undefined,
      source: {
        renderer: 'plain',
        path,
        line: 1,
        document: 0,
      },
    });
  });

  it('has its namespace made where nothing in Git makes it, and labels for all objects', async () => {
    const spec = `${fromGit()}targetNamespace: shop\ninstall: { createNamespace: true }\ncommonMetadata: { labels: { team: a } }\n`;
    const files = { ...chart('web'), 'r.yaml': toolkit(spec) };
    const tree = await render(files);
    expect(told(tree)).toEqual([]);
    const namespace = tree.manifests.find(({ object }) => object.kind === 'Namespace')?.object;
    expect(namespace?.metadata).toEqual({
      name: 'shop',
      annotations: { 'serin.dev/prune': 'disabled', 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' },
    });
    const others = tree.manifests.filter(({ object }) => object.kind !== 'Namespace');
    expect(others.length).toBeGreaterThan(0);
    for (const { object } of others) expect(object.metadata.labels).toMatchObject({ team: 'a' });
    const brought = await render({ ...files, 'n.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n' });
    expect(told(brought)).toEqual([]);
    expect(brought.manifests.filter(({ object }) => object.kind === 'Namespace')).toHaveLength(1);
  });

  const hand = ['--namespace', 'test', '--kube-version', 'v1.34.4', '--skip-tests', '--include-crds'];
  const api = ['--api-versions', 'v1,apps/v1,flagger.app/v1beta1/Canary'];
  const values = 'values:\n  colour: red\n';

  const cases: readonly (readonly [string, Tree, readonly string[], Tree?])[] = [
    [
      'of seed 003',
      podinfoRepository,
      ['backend', 'charts/podinfo', '-f', 'v.yaml'],
      {
        'v.yaml':
          'image: { repository: registry.test/podinfo, tag: 3.1.0 }\nmessage: hello from the backend\ncanary: { enabled: true, gatewayApi: { gateway: public, host: backend.test.example.test } }\n',
      },
    ],
    [
      'of Flux 2',
      { ...chart('web'), 'r.yaml': toolkit(fromGit() + values) },
      ['web', 'charts/web', '--set', 'colour=red'],
    ],
    [
      'of Flux 2, v2beta1',
      { ...chart('web'), 'r.yaml': toolkit(fromGit() + values, 'v2beta1') },
      ['web', 'charts/web', '--set', 'colour=red'],
    ],
    [
      'of Flux 2, v2beta2, with a name of its own',
      { ...chart('web'), 'r.yaml': toolkit(`${fromGit()}releaseName: other\n`, 'v2beta2') },
      ['other', 'charts/web'],
    ],
    [
      'into another namespace',
      { ...chart('web'), 'r.yaml': toolkit(`${fromGit()}targetNamespace: prod\n`) },
      ['prod-web', 'charts/web', '--namespace', 'prod'],
    ],
    [
      'of the Helm operator, without a name',
      {
        ...chart('web'),
        'r.yaml':
          'apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  chart: { git: "https://git.example.org/x", ref: main, path: charts/web }\n  values: { size: 3 }\n',
      },
      ['test-web', 'charts/web', '--set', 'size=3'],
    ],
    [
      'with values of a ConfigMap, a Secret and its own, which overrule each other in order',
      {
        ...chart('web'),
        'c.yaml': config('ConfigMap', 'shared', '  values.yaml: |\n    colour: green\n    deep: { a: 1, b: 1 }\n'),
        's.yaml': config('Secret', 'more', '  all: |\n    deep: { b: 2, c: 2 }\n    size: 2\n'),
        'r.yaml': toolkit(
          `${fromGit()}valuesFrom:\n- { kind: ConfigMap, name: shared }\n- { kind: Secret, name: more, valuesKey: all }\n- { kind: Secret, name: none, optional: true }\nvalues:\n  deep: { c: 3 }\n`,
        ),
      },
      ['web', 'charts/web', '-f', 'a.yaml', '-f', 'b.yaml', '-f', 'c.values'],
      {
        'a.yaml': 'colour: green\ndeep: { a: 1, b: 1 }\n',
        'b.yaml': 'deep: { b: 2, c: 2 }\nsize: 2\n',
        'c.values': 'deep: { c: 3 }\n',
      },
    ],
    [
      'with single values that are put in their places',
      {
        ...chart('web'),
        'c.yaml': config('ConfigMap', 'shared', '  a: "12"\n  b: "\'12\'"\n  c: "true"\n'),
        'r.yaml': toolkit(
          `${fromGit()}valuesFrom:\n- { kind: ConfigMap, name: shared, valuesKey: a, targetPath: deep.a }\n- { kind: ConfigMap, name: shared, valuesKey: b, targetPath: deep.b }\n- { kind: ConfigMap, name: shared, valuesKey: c, targetPath: c }\n`,
        ),
      },
      ['web', 'charts/web', '--set', 'deep.a=12', '--set-string', 'deep.b=12', '--set', 'c=true'],
    ],
    [
      'with values files in the place of those of the chart',
      {
        ...chart('web', { 'prod.yaml': 'size: 9\n' }),
        'r.yaml': toolkit(
          `${fromGit().replace('    sourceRef', '    valuesFiles: [charts/web/prod.yaml]\n    sourceRef')}`,
        ),
      },
      ['web', 'charts/web', '-f', 'charts/web/prod.yaml'],
      { 'charts/web/values.yaml': '' },
    ],
    [
      "with a file of the chart's",
      {
        ...chart('web', { 'prod.yaml': 'size: 9\n' }),
        'r.yaml':
          'apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  releaseName: web\n  chart: { git: "https://git.example.org/x", path: charts/web }\n  valuesFrom: [{ chartFileRef: { path: prod.yaml } }]\n',
      },
      ['web', 'charts/web', '-f', 'charts/web/prod.yaml'],
    ],
    [
      'with a null that takes a default away, numbers, and texts that look like them',
      {
        ...chart('web'),
        'r.yaml': toolkit(
          `${fromGit()}values:\n  colour: null\n  size: 1.5\n  text: "1.50"\n  state: "on"\n  big: 12345678\n  list: [a, { b: 2 }]\n`,
        ),
      },
      ['web', 'charts/web', '-f', 'v.yaml'],
      { 'v.yaml': 'colour: null\nsize: 1.5\ntext: "1.50"\nstate: "on"\nbig: 12345678\nlist: [a, { b: 2 }]\n' },
    ],
    [
      'with a chart beside it that it depends on',
      {
        ...chart('web', {
          'Chart.yaml':
            'apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- { name: base, version: 0.1.0, repository: "file://../base" }\n',
        }),
        ...chart('base', {
          'templates/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-base" }\n',
        }),
        'r.yaml': toolkit(fromGit() + values),
      },
      ['web', 'charts/web', '--set', 'colour=red'],
      {
        'charts/web/charts/base/Chart.yaml': 'apiVersion: v2\nname: base\nversion: 0.1.0\n',
        'charts/web/charts/base/values.yaml': 'colour: blue\nsize: 1\n',
        'charts/web/charts/base/templates/config.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-base" }\n',
      },
    ],
    [
      'that asks what the cluster serves',
      {
        ...chart('web', {
          'templates/config.yaml':
            'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata:\n  a: "{{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.APIVersions.Has "flagger.app/v1beta1/Canary" }} {{ .Capabilities.APIVersions.Has "x/v1" }}"\n',
        }),
        'r.yaml': toolkit(fromGit()),
      },
      ['web', 'charts/web'],
    ],
    [
      'with braces and dollars that are meant',
      {
        ...chart('web', {
          'templates/config.yaml':
            'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata:\n  a: "${HOME}"\n  b: {{ "{{ $labels.pod }}" | quote }}\n',
        }),
        'r.yaml': toolkit(fromGit()),
      },
      ['web', 'charts/web'],
    ],
    [
      'with hooks, of which tests are left out',
      {
        ...chart('web', {
          'templates/job.yaml':
            'apiVersion: batch/v1\nkind: Job\nmetadata: { name: migrate, annotations: { helm.sh/hook: pre-upgrade } }\n',
          'templates/test.yaml':
            'apiVersion: v1\nkind: Pod\nmetadata: { name: t, annotations: { helm.sh/hook: test } }\n',
        }),
        'r.yaml': toolkit(fromGit()),
      },
      ['web', 'charts/web'],
    ],
    [
      'without hooks where it asks for none',
      {
        ...chart('web', {
          'templates/job.yaml':
            'apiVersion: batch/v1\nkind: Job\nmetadata: { name: migrate, annotations: { helm.sh/hook: pre-upgrade } }\n',
        }),
        'r.yaml': toolkit(`${fromGit()}install: { disableHooks: true }\nupgrade: { disableHooks: true }\n`),
      },
      ['web', 'charts/web', '--no-hooks'],
    ],
    [
      'with files of its chart, also such as are no text',
      {
        ...chart('web', {
          'files/a.bin': 'a\u0000\n',
          'templates/config.yaml':
            'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\nbinaryData:\n  a: {{ .Files.Get "files/a.bin" | b64enc }}\n',
        }),
        'r.yaml': toolkit(fromGit()),
      },
      ['web', 'charts/web'],
    ],
  ];
  const table = cases.map(([name, files, args, more = {}]) => ({ name, files, args, more }));

  it.each(table)('renders to what the program prints by hand: $name', async ({ files, args, more }) => {
    const tree = await render(files);
    expect(told(tree)).toEqual([]);
    const text = helmByHand({ ...files, ...more }, ['template', ...hand, ...api, ...args]);
    const printed = parseManifests('x.yaml', text.replaceAll('${', '$\u0000{')).manifests.map(({ object }) => object);
    const namespace = args.includes('prod') ? 'prod' : 'test';
    const placed = printed.map((object) => ({ ...object, metadata: { namespace, ...object.metadata } }));
    const plain = (object: unknown): unknown => JSON.parse(JSON.stringify(object).replaceAll('$\\u0000{', '${'));
    const made = madeByHelm(tree).filter(({ metadata }) => args[0] !== 'backend' || metadata.name === 'backend');
    expect(made.map(plain)).toEqual(placed.map(plain));
    expect(made.length).toBeGreaterThan(0);
  });

  it('keeps definitions of its chart, and makes them only where they are missing', async () => {
    const crd =
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: things.example.org }\nspec: { scope: Namespaced, group: example.org, names: { kind: Thing } }\n';
    const files = (install: string): Tree => ({
      ...chart('web', { 'crds/a.yaml': crd }),
      'r.yaml': toolkit(fromGit() + install),
    });
    const found = async (install: string): Promise<unknown> =>
      madeByHelm(await render(files(install))).find(({ kind }) => kind === 'CustomResourceDefinition')?.metadata
        .annotations;
    const keep = { 'helm.sh/resource-policy': 'keep' };
    expect(await found('')).toEqual({ ...keep, 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' });
    expect(await found('install: { crds: CreateReplace }\n')).toEqual(keep);
    expect(await found('upgrade: { crds: CreateReplace }\n')).toEqual(keep);
    expect(await found('install: { skipCRDs: true }\n')).toBeUndefined();
    expect(await found('install: { crds: Skip }\n')).toBeUndefined();
  });

  it.skipIf(kustomizeProgram === undefined)('is changed by its post-renderers, one after the other', async () => {
    const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder });
    const both = createHelm({ program: helmProgram ?? '', folder, kustomize });
    const posts = `postRenderers:
- kustomize:
    patches:
    - target: { kind: Deployment }
      patch: |
        - { op: add, path: /metadata/annotations, value: { team: web } }
    images: [{ name: registry.test/podinfo, newTag: 9.9.9 }]
- kustomize:
    patchesStrategicMerge:
    - { apiVersion: v1, kind: ConfigMap, metadata: { name: web }, data: { MORE: "1" } }
    patchesJson6902:
    - target: { kind: ConfigMap, name: web, version: v1 }
      patch: [{ op: add, path: /data/AGAIN, value: "2" }]
`;
    const files = {
      ...podinfoRepository,
      'releases/test/frontend.yaml': '',
      'releases/test/backend.yaml': toolkit(`${fromGit('podinfo')}${posts}`),
    };
    const few = createTreeRenderer(settings, { helm: both, kustomize });
    try {
      const tree = await turns.run(few.render(new Map(Object.entries(files))));
      expect(told(tree)).toEqual([]);
      const found = (kind: string): KubeObject | undefined => madeByHelm(tree).find((object) => object.kind === kind);
      expect(found('ConfigMap')?.['data']).toMatchObject({ MORE: '1', AGAIN: '2' });
      expect(found('Deployment')?.metadata.annotations).toEqual({ team: 'web' });
      expect(JSON.stringify(found('Deployment'))).toContain('registry.test/podinfo:9.9.9');
      const without = await render(files);
      expect(told(without)).toEqual([expect.stringContaining('there is no program kustomize of version 5')]);
    } finally {
      await both.close();
      await kustomize.close();
    }
  });

  it('is not rendered again where nothing that it is made from changed', async () => {
    const files = { ...chart('web'), 'r.yaml': toolkit(fromGit() + values) };
    const first = await render(files);
    const before = helm.runs;
    const same = await render({ ...files, 'other.yaml': config('ConfigMap', 'other', '  a: b\n') });
    expect(helm.runs).toBe(before);
    expect(madeByHelm(same)[0]).toBe(madeByHelm(first)[0]);
    // Its line has moved, and a comment has come: no work either.
    await render({ ...files, 'r.yaml': `# ours\n${files['r.yaml']}` });
    await render({ ...files, 'r.yaml': files['r.yaml'].replace('interval: 5m', 'interval: 1h') });
    expect(helm.runs).toBe(before);
    await render({ ...files, 'charts/web/values.yaml': 'colour: blue\nsize: 2\n' });
    expect(helm.runs).toBe(before + 1);
  });

  it('is kept with others for no more than they may take together, the latest used', async () => {
    const limits = { fileBytes: 1_000_000, objectLength: 1_000_000, treeBytes: 400_000 };
    const small = createTreeRenderer({ ...settings, limits }, { helm });
    const colours = ['a', 'b', 'c', 'd', 'e', 'f'];
    const runsOf = async (colour: string): Promise<number> => {
      const before = helm.runs;
      const spec = `${fromGit()}values: { colour: ${colour.repeat(150_000)} }`;
      const files = { ...chart('web'), 'r.yaml': toolkit(spec) };
      expect(keysOf(await turns.run(small.render(new Map(Object.entries(files)))))).toHaveLength(1);
      return helm.runs - before;
    };
    for (const colour of colours) expect(await runsOf(colour)).toBe(1);
    expect(await runsOf('f')).toBe(0);
    expect(await runsOf('e')).toBe(0);
    expect(await runsOf('a'), 'all six would be 900 KB').toBe(1);
  });

  const web = { ...chart('web'), 'other.yaml': config('ConfigMap', 'other', '  a: b\n') };
  const with_ = (more: Tree, spec = fromGit()): Tree => ({ ...web, ...more, 'r.yaml': toolkit(spec) });
  const inChart = (path: string, text: string): Tree => ({ [`charts/web/${path}`]: text });

  it.each<readonly [string, Tree, RegExp]>([
    [
      'a chart of another folder than the repository',
      with_({}, fromGit('../../../etc')),
      /its chart .* is not in the repository/,
    ],
    [
      'an absolute path',
      with_({}, fromGit().replace('./charts/web', '/etc')),
      /its chart \/etc is not in the repository/,
    ],
    ['no such chart', with_({}, fromGit('none')), /there is no chart in charts\/none: it has no Chart.yaml/],
    ['a chart that cannot be read', with_(inChart('Chart.yaml', 'name: [')), /Chart.yaml cannot be read/],
    [
      'a template that does not parse',
      with_(inChart('templates/x.yaml', '{{ if }}')),
      /\(charts\/web\/templates\/x.yaml:1\)/,
    ],
    ['a template that makes no YAML', with_(inChart('templates/x.yaml', 'kind: [\n')), /templates\/x.yaml/],
    [
      'a template that fails',
      with_(inChart('templates/x.yaml', '{{ required "a host is needed" .Values.host }}')),
      /charts\/web\/templates\/x.yaml:1:3\).*a host is needed/,
    ],
    [
      'a template that reads the environment',
      with_(inChart('templates/x.yaml', 'a: {{ env "PATH" }}')),
      /function "env" not defined/,
    ],
    [
      'a template that expands the environment',
      with_(inChart('templates/x.yaml', 'a: {{ expandenv "$PATH" }}')),
      /function "expandenv" not defined/,
    ],
    [
      'values that its schema refuses',
      with_({ ...inChart('values.schema.json', '{ "properties": { "size": { "type": "string" } } }') }),
      /size.*(string|number)/i,
    ],
    [
      'a chart that includes itself',
      with_(
        inChart(
          'Chart.yaml',
          'apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{ name: web, version: 0.1.0, repository: "file://." }]\n',
        ),
      ),
      /the chart charts\/web depends on itself/,
    ],
    [
      'a dependency out of the repository',
      with_(
        inChart(
          'Chart.yaml',
          'apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{ name: etc, version: 0.1.0, repository: "file:///etc" }]\n',
        ),
      ),
      /depends on file:\/\/\/etc, which is not in the repository/,
    ],
    [
      'a dependency that has to be fetched',
      with_(
        inChart(
          'Chart.yaml',
          'apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{ name: redis, version: 1.0.0, repository: "https://charts.example.org" }]\n',
        ),
      ),
      /missing in charts\/ directory: redis/,
    ],
    [
      'a template that calls itself for ever',
      with_(inChart('templates/x.yaml', '{{ define "x" }}{{ include "x" . }}{{ end }}a: {{ include "x" . }}')),
      /Helm cannot render it/,
    ],
    [
      'values of a Secret that is not in Git',
      with_({}, `${fromGit()}valuesFrom: [{ kind: Secret, name: keys }]\n`),
      /its values come from the Secret test\/keys, which is not in Git, and no cluster is asked here/,
    ],
    [
      'values under a key that is not there',
      with_({}, `${fromGit()}valuesFrom: [{ kind: ConfigMap, name: other }]\n`),
      /the ConfigMap test\/other has no key values.yaml/,
    ],
    [
      'values that are no map',
      with_(
        { 'v.yaml': config('ConfigMap', 'v', '  values.yaml: "- a"\n') },
        `${fromGit()}valuesFrom: [{ kind: ConfigMap, name: v }]\n`,
      ),
      /Helm cannot render it/,
    ],
    [
      'a values file of 20 MB',
      with_(
        { 'big.yaml': `a: ${'x'.repeat(20_000_000)}\n` },
        fromGit().replace('    sourceRef', '    valuesFiles: [big.yaml]\n    sourceRef'),
      ),
      /its values take more than 2 MiB/,
    ],
    [
      "values of the chart's own of 20 MB",
      with_(inChart('values.yaml', `a: ${'x'.repeat(20_000_000)}\n`)),
      /its chart takes more than 16 MiB/,
    ],
    [
      'a values file out of the repository',
      with_({}, fromGit().replace('    sourceRef', '    valuesFiles: [../../etc/passwd]\n    sourceRef')),
      /is not in the repository/,
    ],
    [
      'a chart of an index',
      with_(
        {},
        'chart:\n  spec: { chart: podinfo, version: 6.x, sourceRef: { kind: HelmRepository, name: podinfo } }\n',
      ),
      /the HelmRepository test\/podinfo of its chart is not in Git/,
    ],
    [
      'a chart of a bucket',
      with_({}, 'chart:\n  spec: { chart: podinfo, sourceRef: { kind: Bucket, name: podinfo } }\n'),
      /its chart comes from a Bucket/,
    ],
    ['another cluster', with_({}, `${fromGit()}kubeConfig: { secretRef: { name: x } }\n`), /another cluster/],
    [
      'a patch that is a file',
      with_({}, `${fromGit()}postRenderers: [{ kustomize: { patches: [{ path: /etc/passwd }] } }]\n`),
      /names a file: write the patch itself/,
    ],
    [
      'a merge that is a file',
      with_({}, `${fromGit()}postRenderers: [{ kustomize: { patchesStrategicMerge: [/etc/passwd] } }]\n`),
      /names a file/,
    ],
    [
      'a post-renderer that is a program',
      with_({}, `${fromGit()}postRenderers: [{ exec: { command: id } }]\n`),
      /is no kustomize/,
    ],
    [
      'resources in a post-renderer',
      with_({}, `${fromGit()}postRenderers: [{ kustomize: { resources: [/etc] } }]\n`),
      /kustomize.resources is unknown/,
    ],
    ['a name that is an argument', with_({}, `${fromGit()}releaseName: --debug\n`), /cannot be the name of a release/],
    ['nothing in it', { ...web, 'r.yaml': toolkit('a: b') }, /spec.chart.spec is missing/],
    [
      'something else each time',
      with_(
        inChart(
          'templates/x.yaml',
          'apiVersion: v1\nkind: Secret\nmetadata: { name: x }\nstringData: { password: {{ randAlphaNum 20 }} }\n',
        ),
      ),
      /Secret test\/x is another one each time|Secret x is another one each time/,
    ],
    [
      'the time in it',
      with_(
        inChart(
          'templates/x.yaml',
          'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata: { at: "{{ now | unixEpoch }}" }\n',
        ),
      ),
      /is another one each time/,
    ],
    [
      'what it depends on is missing',
      with_({}, `${fromGit()}dependsOn: [{ name: none }]\n`),
      /it depends on test\/none, which is not rendered/,
    ],
    [
      'it depends on itself',
      with_({}, `${fromGit()}dependsOn: [{ name: web }]\n`),
      /it depends on test\/web, which is not rendered/,
    ],
  ])('is held back as a whole, with one reason at its file, where there is: %s', async (_, files, reason) => {
    const tree = await render(files);
    // A file that is too large is told at itself as well.
    const errors = tree.problems.filter(
      ({ severity, path }) => severity === 'error' && files[path]!.length < 1_000_000,
    );
    expect(errors.map(({ path, line, message }) => [path, line, message])).toEqual([
      ['r.yaml', 1, expect.stringMatching(reason)],
    ]);
    expect(keysOf(tree).filter((key) => key.startsWith('v1/ConfigMap'))).toContain('v1/ConfigMap/test/other');
    expect(madeByHelm(tree)).toEqual([]);
    // What the cluster has of it stays.
    expect(tree.strays.has('r.yaml#HelmRelease/test/web')).toBe(true);
    expect(JSON.stringify(tree.problems)).not.toContain(tmpdir());
  });

  it('is ended where it takes too long, too much memory or makes too much', async () => {
    const limits = { timeMs: 2_000, memoryBytes: 200 * 1024 * 1024, outputBytes: 1024 * 1024 };
    const bounded = createHelm({ program: helmProgram ?? '', folder, limits });
    const few = createTreeRenderer(settings, { helm: bounded });
    const template = (text: string): Promise<LoadedTree> =>
      turns.run(few.render(new Map(Object.entries(with_(inChart('templates/x.yaml', text))))));
    try {
      for (const [text, reason] of [
        [
          '{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}',
          /takes (longer than 2 s|more than 200 MiB of memory)/,
        ],
        ['{{ range until 40 }}# {{ repeat 100000 "x" }}\n{{ end }}\n', /makes more than 1 MiB/],
        [
          'a: {{ range until 1000 }}{{ repeat 1000000 "x" }}{{ end }}',
          /takes (longer than 2 s|more than 200 MiB of memory)|makes more than 1 MiB/,
        ],
      ] as const) {
        const tree = await template(text);
        expect(told(tree)).toEqual([expect.stringMatching(reason)]);
        expect(keysOf(tree)).toEqual(['v1/ConfigMap/test/other']);
      }
    } finally {
      await bounded.close();
    }
  });

  it('finds nothing in the cluster, in other files and in the network', async () => {
    const text =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata:\n  a: {{ lookup "v1" "Secret" "kube-system" "" | toJson | quote }}\n  b: {{ .Files.Get "../../r.yaml" | quote }}\n  c: {{ .Files.Get "/etc/hostname" | quote }}\n  d: {{ getHostByName "localhost" | quote }}\n';
    const tree = await render(with_(inChart('templates/config.yaml', text)));
    expect(madeByHelm(tree)[0]?.['data']).toEqual({ a: '{}', b: '', c: '', d: '' });
    expect(told(tree)).toEqual([
      expect.stringMatching(
        /^r.yaml: HelmRelease test\/web: charts\/web\/templates\/config.yaml looks something up in the cluster/,
      ),
    ]);
  });

  it('is made of no link, and of nothing of another tenant', async () => {
    const link = { oid: 'link', mode: '120000', text: '/etc/passwd' };
    const linked = new Map<string, string | typeof link>(Object.entries(with_({})));
    linked.set('charts/web/files/secret', link);
    expect(told(await turns.run(trees.render(linked)))).toEqual([
      expect.stringContaining('charts/web/files/secret is a symbolic link'),
    ]);
    const teams = [
      { name: 'a', folder: 'a', namespaces: ['a'] },
      { name: 'b', folder: 'b', namespaces: ['b'] },
    ];
    const guarded = createTreeRenderer({ ...settings, tenancy: createTenancy(teams) }, { helm });
    const own = (files: Tree, folder: string): Tree =>
      Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));
    const release = (path: string, more = ''): string =>
      toolkit(`${fromGit().replace('./charts/web', path)}${more}`).replace('namespace: test', 'namespace: a');
    const asked = async (text: string): Promise<LoadedTree> =>
      turns.run(
        guarded.render(
          new Map(
            Object.entries({
              ...own(chart('web'), 'a'),
              ...own(chart('web'), 'b'),
              'b/s.yaml': config('Secret', 'keys', '  values.yaml: "a: b"\n').replace(
                'namespace: test',
                'namespace: b',
              ),
              'a/r.yaml': text,
            }),
          ),
        ),
      );
    expect(keysOf(await asked(release('a/charts/web')))).toEqual(['v1/ConfigMap/a/web', 'v1/Secret/b/keys']);
    const foreign = await asked(release('b/charts/web'));
    expect(told(foreign)).toContainEqual(expect.stringMatching(/^a\/r.yaml: .*belongs to another tenant/));
    expect(keysOf(foreign)).toEqual(['v1/Secret/b/keys']);
    // Nor does a chart bring what its tenant may not say, or values that are another's.
    expect(keysOf(await asked(release('a/charts/web', 'targetNamespace: b\n')))).toEqual(['v1/Secret/b/keys']);
    const old = `apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: { name: web, namespace: a }\nspec:\n  chart: { git: x, path: a/charts/web }\n  valuesFrom: [{ secretKeyRef: { namespace: b, name: keys } }]\n`;
    expect(told(await asked(old))).toContainEqual(
      expect.stringContaining(
        'its values come from the Secret b/keys, which is not in Git, and in the cluster belongs to another tenant',
      ),
    );
  });

  it('tells no value of a Secret that it cannot render', async () => {
    for (const text of ['fail .Values.key', 'required (printf "no %s" .Values.key) .Values.none', '.Values.key.deeper'])
      for (const kind of ['Secret'] as const) {
        const tree = await render(
          with_(
            {
              ...inChart('templates/x.yaml', `a: {{ ${text} }}`),
              's.yaml': config(kind, 'keys', '  values.yaml: "key: hunter2"\n'),
            },
            `${fromGit()}valuesFrom: [{ kind: ${kind}, name: keys }]\n`,
          ),
        );
        expect(told(tree)).toEqual([expect.stringContaining('Helm cannot render it')]);
        expect(JSON.stringify(tree.problems)).not.toContain('hunter2');
      }
  });

  it('stays an object where it was applied as one, until it says otherwise', async () => {
    const placed = (text: string): Promise<LoadedTree> =>
      turns.run(
        createTreeRenderer(
          { ...settings, placeOf: (key) => (key.includes('HelmRelease') ? 'r.yaml' : undefined) },
          { helm },
        ).render(new Map(Object.entries({ ...web, 'r.yaml': text }))),
      );
    const before = await placed(toolkit(fromGit()));
    expect(keysOf(before)).toContain('helm.toolkit.fluxcd.io/v2/HelmRelease/test/web');
    expect(madeByHelm(before)).toEqual([]);
    const taken = await placed(
      toolkit(fromGit()).replace('namespace: test', 'namespace: test\n  annotations: { serin.dev/render: "true" }'),
    );
    expect(keysOf(taken)).toEqual(['v1/ConfigMap/test/other', 'v1/ConfigMap/test/web']);
    const left = await render(with_({}, fromGit()));
    const said = toolkit(fromGit()).replace(
      'namespace: test',
      'namespace: test\n  annotations: { serin.dev/render: "false" }',
    );
    expect(keysOf(await render({ ...web, 'r.yaml': said }))).not.toEqual(keysOf(left));
    expect(keysOf(await render({ ...web, 'r.yaml': said }))).toContain(
      'helm.toolkit.fluxcd.io/v2/HelmRelease/test/web',
    );
  });

  it('leaves out the chart of another repository', async () => {
    const named = createTreeRenderer(
      { ...settings, repositoryUrl: 'https://user@git.example.org/team/apps.git' },
      { helm },
    );
    const source = (url: string, ref = ''): string =>
      `apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: flux-system, namespace: flux-system }\nspec: { url: "${url}"${ref} }\n`;
    const reasons = async (text: string): Promise<readonly string[]> =>
      told(await turns.run(named.render(new Map(Object.entries(with_({ 'source.yaml': text }))))));
    for (const url of [
      'https://git.example.org/team/apps',
      'ssh://git@git.example.org/team/apps.git',
      'git@git.example.org:team/apps.git',
    ])
      expect(await reasons(source(url))).toEqual([]);
    expect(await reasons(source('https://git.example.org/team/other'))).toEqual([
      expect.stringContaining('comes from another repository, https://git.example.org/...'),
    ]);
    expect(await reasons(source('https://git.example.org/team/apps', ', ref: { tag: v1 }'))).toEqual([
      expect.stringContaining('comes from another revision'),
    ]);
  });

  it('leaves no folder behind', () => {
    expect(readdirSync(folder)).toEqual([]);
  });
});
