import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree, LoadSettings } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import type { LiveConfigs } from '../../src/render/live-configs.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const word = 'correct-horse';
const inBase64 = (text: string): string => Buffer.from(text).toString('base64');

describe.skipIf(kustomizeProgram === undefined || helmProgram === undefined)('values that the cluster has', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  const helm = createHelm({ program: helmProgram ?? '' });
  afterAll(() => Promise.all([kustomize.close(), helm.close()]));

  const asked: string[] = [];
  const cluster = (objects: Readonly<Record<string, Readonly<Record<string, string>>>>): LiveConfigs => ({
    read({ kind, namespace, name }) {
      asked.push(`${kind} ${namespace}/${name}`);
      const data = objects[`${kind} ${namespace}/${name}`];
      return Promise.resolve(data && ({ apiVersion: 'v1', kind, metadata: { namespace, name }, data } as KubeObject));
    },
  });
  const render = (
    files: Tree,
    live: LiveConfigs | undefined,
    more: Partial<LoadSettings> = {},
  ): Promise<LoadedTree> => {
    const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test', ...more };
    const salt = (): Promise<string> => Promise.resolve('salt');
    return turns.run(
      createTreeRenderer(settings, { kustomize, helm, live, salt }).render(new Map(Object.entries(files))),
    );
  };
  const told = ({ problems }: LoadedTree): string => problems.map(({ message }) => message).join('\n');
  const dataOf = ({ manifests }: LoadedTree): unknown =>
    manifests.find(({ object }) => object.metadata.name === 'shop')?.object['data'];
  const sealedIn = ({ manifests }: LoadedTree): unknown => manifests[0]?.sealed;

  const flux = (from: string, text = 'one: ${ONE}'): Tree => ({
    'c/a.yaml': `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: a, namespace: flux-system }\nspec:\n  path: ./a\n  sourceRef: { kind: GitRepository, name: flux-system }\n  postBuild: { substitute: { TWO: b }, substituteFrom: [${from}] }\n`,
    'a/kustomization.yaml': 'resources: [c.txt]\n',
    'a/c.txt': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: shop }\ndata:\n  ${text}\n`,
  });
  const chart = (from: string, template = '{{ .Values.a.b }}'): Tree => ({
    'chart/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'chart/values.yaml': 'a: { b: none }\n',
    'chart/templates/c.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: shop }\ndata: { one: "${template}" }\n`,
    'r.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: shop, namespace: flux-system }\nspec:\n  chart: { spec: { chart: ./chart, sourceRef: { kind: GitRepository, name: flux-system } } }\n  valuesFrom: [${from}]\n`,
  });
  const both = (
    kind: string,
    of: (text: string) => string,
  ): Readonly<Record<string, Readonly<Record<string, string>>>> => ({
    [`${kind} flux-system/x`]: { ONE: of(word), QUOTE: of('"') },
    [`${kind} flux-system/values`]: { ONE: of(word), 'values.yaml': of(`a: { b: ${word} }`) },
  });
  const [secret, config] = [both('Secret', inBase64), both('ConfigMap', (text) => text)];

  const found: readonly (readonly [string, Tree, LiveConfigs, unknown, string | undefined])[] = [
    ['a ConfigMap for variables', flux('{ kind: ConfigMap, name: x }'), cluster(config), word, undefined],
    ['a Secret for variables', flux('{ kind: Secret, name: x }'), cluster(secret), word, 'salt'],
    ['an optional one that is there', flux('{ kind: Secret, name: x, optional: true }'), cluster(secret), word, 'salt'],
    [
      'an optional one that is not',
      flux('{ kind: Secret, name: x, optional: true }', 'one: "${ONE:-two}"'),
      cluster({}),
      'two',
      undefined,
    ],
    ['a ConfigMap for a chart', chart('{ kind: ConfigMap, name: values }'), cluster(config), word, undefined],
    ['a Secret for a chart', chart('{ kind: Secret, name: values }'), cluster(secret), word, 'salt'],
    [
      'one value for a chart',
      chart('{ kind: Secret, name: values, valuesKey: ONE, targetPath: a.b }'),
      cluster(secret),
      word,
      'salt',
    ],
    [
      'an optional one that is not there, for a chart',
      chart('{ kind: Secret, name: values, optional: true }'),
      cluster({}),
      'none',
      undefined,
    ],
  ];
  it.each(found)('are taken: %s', async (_, files, live, value, sealed) => {
    const tree = await render(files, live);
    expect(told(tree)).toBe('');
    expect(dataOf(tree)).toEqual({ one: value });
    expect(sealedIn(tree)).toBe(sealed);
  });

  it('are not asked for where Git has them', async () => {
    asked.length = 0;
    const inGit = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x, namespace: flux-system }\ndata: { ONE: of Git }\n`;
    const tree = await render({ ...flux('{ kind: ConfigMap, name: x }'), 'x.yaml': inGit }, cluster(config));
    expect([dataOf(tree), asked]).toEqual([{ one: 'of Git' }, []]);
  });

  const failing: LiveConfigs = { read: () => Promise.reject(new Error('forbidden')) };
  const tenancy = createTenancy([{ name: 't', folder: '', namespaces: ['test'] }]);
  const own = { namespaces: ['flux-system'], isShared: false };
  const missing: readonly (readonly [string, LiveConfigs | undefined, Partial<LoadSettings>, RegExp])[] = [
    ['that are not there', cluster({}), {}, /neither in Git nor in the cluster/],
    ['that cannot be read', failing, {}, /cannot be read in the cluster \(forbidden\)/],
    ['where there is no cluster', undefined, {}, /no cluster is asked here/],
    ["of another tenant's namespace", cluster({ ...secret, ...config }), { tenancy }, /belongs to another tenant/],
    [
      "of the agent's own namespace",
      cluster({ ...secret, ...config }),
      { own },
      /the agent's own: put it into another namespace/,
    ],
  ];
  it.each(missing)('hold what the cluster has where they are those %s', async (_, live, more, why) => {
    const ofChart = 'own' in more || 'tenancy' in more ? [] : [chart('{ kind: ConfigMap, name: values }')];
    for (const files of [flux('{ kind: Secret, name: x }'), ...ofChart]) {
      const tree = await render(files, live, more);
      expect(told(tree)).toMatch(why);
      expect(dataOf(tree)).toBeUndefined();
      expect([...tree.strays.keys()].some((path) => path.includes('#'))).toBe(true);
    }
  });

  const leaking: readonly (readonly [string, Tree])[] = [
    ['a template that fails with them', chart('{ kind: Secret, name: values }', '{{ fail (upper .Values.a.b) }}')],
    ['a template that makes no YAML of them', chart('{ kind: Secret, name: values }', '"{{ .Values.a.b }}: [')],
    ['a variable that makes no object', flux('{ kind: Secret, name: x }', 'one: x\nkind: ${ONE}')],
    ['a variable that makes no YAML', flux('{ kind: Secret, name: x }', 'one: "${QUOTE}b ${ONE}"')],
    ['a variable that is refused', flux('{ kind: Secret, name: x }', 'one: "${ONE} ${TWO"')],
    [
      'a name that is none',
      flux(
        '{ kind: Secret, name: x }',
        'one: x\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: { b: "${ONE}", c: 5 }',
      ),
    ],
  ];
  it.each(leaking)('are told by no error: %s', async (_, files) => {
    const tree = await render(files, cluster(secret));
    expect(told(tree)).not.toBe('');
    const all = JSON.stringify([tree.problems, [...tree.strays]]).toLowerCase();
    expect(all).not.toContain(word);
    expect(all).not.toContain(inBase64(word).toLowerCase());
  });
});
