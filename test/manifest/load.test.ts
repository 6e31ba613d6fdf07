import { describe, expect, it } from 'vitest';
import { isManifestFile, loadTree, type LoadCache, type LoadedTree, missingTexts } from '../../src/manifest/load.ts';
import { scopedAsDefined } from '../../src/manifest/normalise.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';

const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default' };
const configMap = (name: string, namespace?: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${namespace ? `  namespace: ${namespace}\n` : ''}`;

/** A text is its own blob id here. */
function load(
  files: Readonly<Record<string, string>>,
  cache?: LoadCache,
): LoadedTree & { readonly read: readonly string[] } {
  const tree = new Map(Object.entries(files).map(([path, text]) => [path, { oid: text }]));
  const read = missingTexts(tree, cache);
  return { ...loadTree(tree, new Map(read.map((path) => [path, files[path] ?? ''])), cache, settings), read };
}
const keys = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object)));

describe('loadTree', () => {
  it('reads only blobs that changed, and gives the same objects for the others', () => {
    const first = load({ 'a.yaml': configMap('a'), 'b.yaml': configMap('b') });
    expect(first.read).toEqual(['a.yaml', 'b.yaml']);
    const second = load({ 'a.yaml': configMap('a'), 'b.yaml': configMap('c'), 'd.yaml': configMap('d') }, first.cache);
    expect(second.read).toEqual(['b.yaml', 'd.yaml']);
    expect(second.manifests[0]).toBe(first.manifests[0]);
    expect(keys(second)).toEqual(['v1/ConfigMap/default/a', 'v1/ConfigMap/default/c', 'v1/ConfigMap/default/d']);
    expect(second.cache.size).toBe(3);
  });

  it('never takes a file without its text for an empty one', () => {
    expect(() => loadTree(new Map([['a.yaml', { oid: '1' }]]), new Map(), undefined, settings)).toThrow('a.yaml');
  });

  it('gives namespaced objects the default namespace, and cluster-scoped ones none', () => {
    const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: fleets.example.com }
spec: { group: example.com, scope: Cluster, names: { kind: Fleet, plural: fleets } }
`;
    const fleet = 'apiVersion: example.com/v1\nkind: Fleet\nmetadata: { name: f, namespace: x }\n';
    const role = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: { name: r, namespace: x }\n';
    const alone = load({ 'f.yaml': fleet, 'r.yaml': role, 'a.yaml': configMap('a') });
    expect(keys(alone)).toEqual([
      'v1/ConfigMap/default/a',
      'example.com/v1/Fleet/x/f',
      'rbac.authorization.k8s.io/v1/ClusterRole//r',
    ]);
    const together = load({ 'f.yaml': fleet, 'z.yaml': definition }, alone.cache);
    const { manifests } = together;
    expect(keys({ ...together, manifests: scopedAsDefined(manifests) })).toContain('example.com/v1/Fleet//f');
  });

  it('leaves out what only a server writes', () => {
    const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  uid: x
  resourceVersion: "1"
  creationTimestamp: null
  annotations: { kubectl.kubernetes.io/last-applied-configuration: "{}", keep: me }
status: {}
`;
    expect(load({ 'a.yaml': text }).manifests[0]?.object).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'default', annotations: { keep: 'me' } },
    });
  });

  it('applies the first of two objects with the same name and names both places, whatever their versions', () => {
    const hpa = (version: string): string =>
      `apiVersion: autoscaling/${version}\nkind: HorizontalPodAutoscaler\nmetadata: { name: a }\n`;
    const { manifests, problems } = load({ 'b.yaml': `---\n${hpa('v2')}`, 'a.yaml': hpa('v1') });
    expect(manifests.map(({ object, origin }) => [object.apiVersion, origin.path])).toEqual([
      ['autoscaling/v1', 'a.yaml'],
    ]);
    expect(problems).toEqual([
      {
        severity: 'error',
        path: 'b.yaml',
        line: 2,
        message: 'HorizontalPodAutoscaler default/a is defined a second time; the first is a.yaml:1',
        hint: 'only the first is applied: remove one of them',
      },
    ]);
  });

  it('tells which files and texts could not be read', () => {
    const tree = load({ 'a.yaml': configMap('a'), 'b.yaml': `${configMap('b')}---\napiVersion: v1\nkind: [` });
    expect(keys(tree)).toEqual(['v1/ConfigMap/default/a', 'v1/ConfigMap/default/b']);
    expect([...tree.unreadablePaths]).toEqual(['b.yaml']);
    expect(tree.unreadableText).toContain('kind: [');
  });

  it('obeys ignore files in every folder', () => {
    const ignore = '# drafts\n/drafts/\n*.tmp.yaml\n!keep.tmp.yaml\n**/old/**\n';
    const tree = load({
      '.serinignore': ignore,
      'apps/.sourceignore': 'x.yaml\n',
      'apps/x.yaml': configMap('x'),
      'x.yaml': configMap('root'),
      'drafts/a.yaml': configMap('draft'),
      'apps/drafts/a.yaml': configMap('nested'),
      'a.tmp.yaml': configMap('temporary'),
      'keep.tmp.yaml': configMap('kept'),
      'b/old/c/d.yaml': 'apiVersion: v1\nkind: [',
    });
    expect(keys(tree).map((key) => key.split('/').at(-1))).toEqual(['nested', 'kept', 'root']);
    expect(tree.problems).toEqual([]);
  });

  it('applies what a kustomization only lists, and holds what it would change', () => {
    const plain = load({ 'a/kustomization.yaml': 'resources: [x.yaml]\n', 'a/x.yaml': configMap('x') });
    expect(keys(plain)).toHaveLength(1);
    expect(plain.problems.map(({ severity }) => severity)).toEqual(['warning']);

    const changed = load({
      'base/kustomization.yaml':
        'kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources: [x.yaml]\n',
      'base/x.yaml': configMap('x'),
      'prod/kustomization.yaml': 'namespace: prod\nresources: [../base]\npatches: [{path: patch.yaml}]\n',
      'prod/patch.yaml': configMap('x'),
      'other.yaml': configMap('other'),
    });
    expect(keys(changed)).toEqual(['v1/ConfigMap/default/other']);
    expect(changed.problems.find(({ severity }) => severity === 'error')).toMatchObject({
      path: 'prod/kustomization.yaml',
      message:
        'no kustomization is rendered without a program kustomize, and this one needs it (namespace, patches): the 2 files it names are not applied',
    });
    expect([...changed.unreadablePaths].sort()).toEqual(['base/x.yaml', 'prod/patch.yaml']);

    const generating = load({ 'kustomization.yaml': 'configMapGenerator: [{name: x, literals: [a=b]}]\n' });
    expect(generating.problems.map(({ message }) => message)).toEqual([
      'no kustomization is rendered without a program kustomize, and this one needs it (configMapGenerator): what it makes is not applied',
    ]);
  });

  it.each(['../b', '..', '../..', '../../tenants'])(
    'applies what a kustomization names by %s, which kustomize would refuse, and says so',
    (name) => {
      const tree = load({
        'tenants/a/kustomization.yaml': `resources: [${name}]\nnamePrefix: x\n`,
        'tenants/b/x.yaml': configMap('x'),
      });
      expect(keys(tree)).toEqual(['v1/ConfigMap/default/x']);
      expect(tree.problems[0]).toMatchObject({ severity: 'error', path: 'tenants/a/kustomization.yaml' });
      expect(tree.problems[0]?.message).toMatch(/^kustomize would refuse this: /);
    },
  );

  it('knows a kustomization by the name that has no ending', () => {
    const tree = load({
      'base/Kustomization': 'resources: [x.yaml]\n',
      'base/x.yaml': configMap('x'),
      'prod/Kustomization': 'namespace: prod\nresources: [../base]\n',
    });
    expect(keys(tree)).toEqual([]);
    expect(isManifestFile('base/Kustomization', settings)).toBe(true);
  });

  it('takes of two definitions the one from which the object was applied', () => {
    const files = { 'a.yaml': configMap('x'), 'b.yaml': configMap('x') };
    const tree = new Map(Object.entries(files).map(([path, text]) => [path, { oid: text }]));
    const from = (place?: string): string | undefined => {
      const all = { ...settings, placeOf: () => place };
      const loaded = loadTree(tree, new Map(Object.entries(files)), undefined, all);
      expect(loaded.problems).toHaveLength(1);
      expect(loaded.problems[0]?.path).not.toBe(loaded.manifests[0]?.origin.path);
      return loaded.manifests[0]?.origin.path;
    };
    expect(from()).toBe('a.yaml');
    expect(from('b.yaml')).toBe('b.yaml');
    expect(from('gone.yaml')).toBe('a.yaml');
  });

  it("keeps Flux's Kustomizations, which are objects", () => {
    const text = 'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: apps }\n';
    expect(keys(load({ 'kustomization.yaml': text }))).toEqual([
      'kustomize.toolkit.fluxcd.io/v1/Kustomization/default/apps',
    ]);
  });

  it('does not read the templates of a chart', () => {
    const tree = load({
      'charts/p/Chart.yaml': 'apiVersion: v2\nname: p\n',
      'charts/p/values.yaml': 'a: 1\n',
      'charts/p/templates/d.yaml': 'apiVersion: v1\nkind: X\nmetadata:\n  name: {{ .Release.Name }}\n',
      'a.yaml': configMap('a'),
    });
    expect(keys(tree)).toEqual(['v1/ConfigMap/default/a']);
    expect(tree.problems).toMatchObject([{ severity: 'warning', path: 'charts/p/Chart.yaml' }]);
  });

  it('says that a symbolic link is not followed', () => {
    const tree = loadTree(
      new Map([['a.yaml', { oid: '1', mode: '120000' }]]),
      new Map([['a.yaml', 'b.yaml']]),
      undefined,
      settings,
    );
    expect(tree.problems).toMatchObject([
      { severity: 'warning', message: 'a symbolic link to b.yaml is not followed' },
    ]);
    expect(tree.strays.get('a.yaml')).toEqual({ line: 1, what: 'is a symbolic link' });
  });
});

describe('isManifestFile', () => {
  it.each([
    ['a.yaml', '', true],
    ['deep/er/a.YML', '', true],
    ['a.json', '', true],
    ['.serinignore', '', true],
    ['apps/.sourceignore', 'apps', true],
    ['README.md', '', false],
    ['.github/workflows/ci.yaml', '', false],
    ['.releases/test/podinfo.yaml', '', false],
    ['apps/.sops.yaml', 'apps', false],
    ['other/a.yaml', 'apps', false],
    ['apps2/a.yaml', 'apps', false],
    ['apps/a.yaml', 'apps', true],
  ])('%s under "%s": %s', (path, folder, expected) => {
    expect(isManifestFile(path, { ...settings, path: folder })).toBe(expected);
  });

  it('leaves out the ledgers wherever they are configured', () => {
    expect(isManifestFile('apps/ledger/a.yaml', { ...settings, path: 'apps', ledgerDir: 'ledger' })).toBe(false);
  });
});

it('holds more objects, and more faults, in one file than a call can have arguments', () => {
  const many = Array.from({ length: 140_000 }, (_, at) => ({
    apiVersion: 'v1',
    kind: 'Widget',
    metadata: { name: `w${at}` },
  }));
  const list = (items: unknown): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const files = { 'good.json': list(many), 'bad.json': list(many.map(() => 1)), 'z.yaml': configMap('last') };
  const tree = load(files);
  expect(tree.manifests.length).toBe(140_001);
  expect(tree.problems.length).toBeGreaterThanOrEqual(140_000);
});
