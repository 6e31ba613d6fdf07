import { afterAll, describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../../src/agent/deps.ts';
import { createSnapshots, type Snapshot } from '../../../src/agent/source/snapshots.ts';
import { asRevision, type GitRepo } from '../../../src/git/repo.ts';
import { createTenancy } from '../../../src/manifest/tenancy.ts';
import { createHelm } from '../../../src/render/helm.ts';
import { createKustomize } from '../../../src/render/kustomize.ts';
import { helmProgram } from '../../helpers/helm.ts';
import { kustomizeProgram } from '../../helpers/kustomize.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';

const never = new AbortController().signal;
type Tree = Readonly<Record<string, string>>;

/** An overlay with one ConfigMap of about so many bytes, named after its folder. */
const overlay = (folder: string, bytes: number): Tree => ({
  [`${folder}/kustomization.yaml`]: `configMapGenerator: [{ name: ${folder.replaceAll('/', '-')}, files: [a.txt] }]\n`,
  [`${folder}/a.txt`]: 'x'.repeat(bytes),
});
const plain = (name: string, bytes: number): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { a: "${'y'.repeat(bytes)}" }\n`;

describe.skipIf(kustomizeProgram === undefined)('what kustomize makes, of all tenants together,', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());

  /** Of each commit after the other: what is applied, what is told of it, how often the program ran. */
  async function follow(commits: readonly Tree[], more: Partial<WholeSettings>): Promise<readonly Seen[]> {
    const settings = {
      path: '',
      ledgerDir: '.releases',
      defaultNamespace: 'test',
      ...more,
    } as unknown as WholeSettings;
    const repo = treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo;
    const snapshots = createSnapshots(repo, settings, undefined, { kustomize });
    const seen: Seen[] = [];
    let last: Snapshot | undefined;
    for (const at of commits.keys()) {
      const before = kustomize.runs;
      last = await snapshots.at(asRevision(at.toString(16).padStart(40, '0')), last, never);
      const { manifests, problems } = last.loaded;
      seen.push({
        names: manifests.map(({ object }) => object.metadata.name.replace(/-\w{10}$/, '')),
        told: problems.map(({ path, message }) => `${path}: ${message}`),
        runs: kustomize.runs - before,
        strays: [...last.loaded.strays.keys()],
      });
    }
    return seen;
  }
  interface Seen {
    readonly names: readonly string[];
    readonly told: readonly string[];
    readonly runs: number;
    readonly strays: readonly string[];
  }
  const limits = { fileBytes: 1_000_000, objectLength: 1_000_000, treeBytes: 1_048_576 };
  const leftOut =
    'kustomize is not rendered here (what it makes is left out: all manifests together have more than the 1 MiB of --max-tree-size): what it makes is not applied';

  it('counts for --max-tree-size: the largest are left out and told, not rendered again for nothing, and taken in when there is room', async () => {
    const small = { ...overlay('small', 1_000), 'plain.yaml': plain('plain', 300_000) };
    const large = { ...overlay('large-a', 500_000), ...overlay('large-b', 400_000) };
    const seen = await follow(
      [
        { ...small, ...large },
        { ...small, ...large, 'other.yaml': plain('other', 10) },
        { ...small, ...overlay('large-a', 500_000), 'other.yaml': plain('other', 10) },
      ],
      { limits },
    );
    const [first, second, third] = seen;
    expect(first).toMatchObject({
      names: ['large-b', 'plain', 'small'],
      told: [`large-a/kustomization.yaml: ${leftOut}`],
      runs: 3,
    });
    expect(first?.strays).toContain('large-a/kustomization.yaml');
    expect(second).toMatchObject({ names: ['large-b', 'other', 'plain', 'small'], told: first?.told, runs: 0 });
    expect(third).toMatchObject({ names: ['large-a', 'other', 'plain', 'small'], told: [], runs: 1 });
  });

  it('costs nobody who has no more than a fair part, whoever fills the room with plain files or with overlays', async () => {
    const tenancy = createTenancy([
      { name: 'a', folder: 'a', namespaces: ['test'] },
      { name: 'b', folder: 'b', namespaces: ['test'] },
    ]);
    const files = (tenant: string): Tree =>
      Object.fromEntries(
        Array.from({ length: 5 }, (_, at) => [`${tenant}/${at}.yaml`, plain(`${tenant}-file-${at}`, 200_000)]),
      );
    const overlays = (tenant: string): Tree =>
      Object.assign({}, ...Array.from({ length: 5 }, (_, at) => overlay(`${tenant}/${at}`, 200_000))) as Tree;
    const cases: readonly (readonly [Tree, string])[] = [
      [{ ...files('a'), ...overlay('b/own', 400_000) }, 'b-own'],
      [{ ...files('b'), ...overlay('a/own', 400_000) }, 'a-own'],
      [{ ...overlays('a'), ...overlay('b/own', 400_000) }, 'b-own'],
      [{ ...overlays('b'), ...overlay('a/own', 400_000) }, 'a-own'],
      [{ ...overlays('a'), 'b/own.yaml': plain('b-own', 400_000) }, 'b-own'],
    ];
    for (const [tree, name] of cases) {
      const [first, second] = await follow([tree, { ...tree, 'a/x.yaml': 'a: b\n' }], { limits, tenancy });
      expect(first?.names).toContain(name);
      expect(first?.names.length).toBeGreaterThan(2);
      expect(first?.names.length).toBeLessThan(6);
      expect(first?.told.length).toBe(6 - (first?.names.length ?? 0));
      expect(second).toMatchObject({ names: first?.names, told: first?.told, runs: 0 });
    }
  });

  it('has no object of more than --max-object-size', async () => {
    const tree = { ...overlay('large', 900_000), ...overlay('small', 10) };
    const [seen] = await follow([tree], { limits: { ...limits, objectLength: 500_000 } });
    expect(seen?.names).toEqual(['small']);
    expect(seen?.told).toEqual([
      expect.stringMatching(
        /^large\/kustomization\.yaml: .* is too large \(0\.9 MiB as JSON, more than the 0\.5 MiB of --max-object-size\)/,
      ),
    ]);
  });
});

describe.skipIf(helmProgram === undefined)('what Helm makes', () => {
  const helm = createHelm({ program: helmProgram ?? '' });
  afterAll(() => helm.close());

  const chart = (folder: string): Tree => ({
    [`${folder}/chart/Chart.yaml`]: 'apiVersion: v2\nname: app\nversion: 1.0.0\n',
    [`${folder}/chart/templates/c.yaml`]:
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\ndata: { a: "{{ repeat (int .Values.size) "x" }}" }\n',
  });
  const release = (folder: string, name: string, size: number): Tree => ({
    [`${folder}/${name}.yaml`]: `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: test }\nspec:\n  chart: { spec: { chart: ./${folder}/chart, sourceRef: { kind: GitRepository, name: here } } }\n  values: { size: ${size} }\n`,
  });
  const seenOf = async (tree: Tree, treeBytes: number): Promise<readonly string[]> => {
    const tenancy = createTenancy(['a', 'b', 'c'].map((name) => ({ name, folder: name, namespaces: ['test'] })));
    const limits = { fileBytes: 1_000_000, objectLength: 1_000_000, treeBytes };
    const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test', tenancy, limits };
    const repo = treeRepo(() => tree) as GitRepo;
    const snapshots = createSnapshots(repo, settings as unknown as WholeSettings, undefined, { helm });
    const { loaded } = await snapshots.at(asRevision('0'.repeat(40)), undefined, never);
    return loaded.manifests.map(({ object }) => object.metadata.name).toSorted();
  };

  it.each([
    ['the first of the tenants', 'a', 'b'],
    ['the last', 'c', 'a'],
    ['one in between', 'b', 'c'],
  ])('leaves room for others, whichever tenant has the most: %s', async (_, greedy, small) => {
    const many = Object.assign(
      {},
      ...Array.from({ length: 5 }, (__, at) => release(greedy, `${greedy}-${at}`, 200_000 + at)),
    ) as Tree;
    const tree = { ...chart(greedy), ...chart(small), ...many, ...release(small, 'small', 300_000) };
    const names = await seenOf(tree, 1_048_576);
    expect(names).toContain('small');
    expect(names.length).toBeGreaterThan(2);
    expect(names.length).toBeLessThan(6);
    // With room for all, all are there.
    expect(await seenOf(tree, 4_194_304)).toHaveLength(6);
  });
});
