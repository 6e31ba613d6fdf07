import { afterAll, describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../../src/agent/deps.ts';
import { createSnapshots, type Snapshot } from '../../../src/agent/source/snapshots.ts';
import { asRevision, type GitRepo } from '../../../src/git/repo.ts';
import { createHelm } from '../../../src/render/helm.ts';
import { createKustomize } from '../../../src/render/kustomize.ts';
import { helmProgram } from '../../helpers/helm.ts';
import { kustomizeProgram } from '../../helpers/kustomize.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';

const never = new AbortController().signal;
const settings = { path: 'apps', ledgerDir: '.releases', defaultNamespace: 'test' } as unknown as WholeSettings;
const first = {
  'apps/prod/kustomization.yaml': 'namespace: prod\nresources: [../../base]\n',
  'apps/plain.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain }\n',
  'base/kustomization.yaml': 'configMapGenerator: [{ name: a, files: [a.txt] }]\n',
  'base/a.txt': 'one\n',
  'README.md': 'hello\n',
};
const commits: readonly Readonly<Record<string, string>>[] = [
  first,
  { ...first, 'README.md': 'hello again\n', 'src/main.go': 'package main\n' },
  { ...first, 'apps/.releases/prod/a.yaml': 'apiVersion: x\n' },
  { ...first, 'base/a.txt': 'two\n' },
  { ...first, 'apps/plain.yaml': `${first['apps/plain.yaml']}data: { a: b }\n` },
];

const chart = 'charts/web/templates/';
const web = {
  'apps/r.yaml':
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  chart: { spec: { chart: charts/web, sourceRef: { kind: GitRepository, name: x } } }\n',
  'apps/plain.yaml': first['apps/plain.yaml'],
  'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
  [`${chart}_helpers.tpl`]: '{{ define "colour" }}blue{{ end }}',
  [`${chart}a.yaml`]:
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\ndata: { colour: "{{ include "colour" . }}" }\n',
};
const ofChart: readonly Readonly<Record<string, string>>[] = [
  web,
  { ...web, 'README.md': 'hello\n', 'charts/other/Chart.yaml': 'apiVersion: v2\nname: other\nversion: 1.0.0\n' },
  { ...web, 'apps/.releases/test/a.yaml': 'apiVersion: x\n' },
  { ...web, [`${chart}_helpers.tpl`]: '{{ define "colour" }}red{{ end }}' },
  { ...web, [`${chart}_helpers.tpl`]: '{{ define "colour" }}' },
  web,
];

describe.skipIf(helmProgram === undefined)('what the sync reads of a HelmRelease', () => {
  const helm = createHelm({ program: helmProgram ?? '' });
  afterAll(() => helm.close());
  const repo = treeRepo((at) => ofChart[Number.parseInt(at, 16)] ?? {}) as GitRepo;
  const snapshots = createSnapshots(repo, settings, undefined, { helm });
  const at = (index: number, last?: Snapshot): Promise<Snapshot> =>
    snapshots.at(asRevision(index.toString(16).padStart(40, '0')), last, never);
  const colour = ({ loaded }: Snapshot): unknown =>
    loaded.manifests.find(({ object }) => object.metadata.name === 'web')?.object['data'];

  it('follows its chart, wherever that stands, renders nothing for other commits, and keeps what it had where it breaks', async () => {
    const one = await at(0);
    expect(one.loaded.problems).toEqual([]);
    expect([colour(one), helm.runs]).toEqual([{ colour: 'blue' }, 1]);
    const elsewhere = await at(1, one);
    const outcome = await at(2, elsewhere);
    expect([elsewhere.loaded, outcome.loaded, helm.runs]).toEqual([one.loaded, one.loaded, 1]);
    expect(outcome.loaded).toBe(one.loaded);
    const changed = await at(3, outcome);
    expect([colour(changed), helm.runs]).toEqual([{ colour: 'red' }, 2]);
    const broken = await at(4, changed);
    expect([colour(broken), helm.runs]).toEqual([undefined, 3]);
    expect(broken.loaded.strays.has('apps/r.yaml#HelmRelease/test/web')).toBe(true);
    expect(broken.loaded.problems.map(({ path }) => path)).toEqual(['apps/r.yaml']);
    // From a state that was known: nothing is rendered.
    const back = await at(5, broken);
    expect([colour(back), helm.runs]).toEqual([{ colour: 'blue' }, 3]);
  });
});

describe.skipIf(kustomizeProgram === undefined)('what the sync reads of a kustomization', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());
  const snapshots = createSnapshots(
    treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo,
    settings,
    undefined,
    { kustomize },
  );
  const at = (index: number, last?: Snapshot): Promise<Snapshot> =>
    snapshots.at(asRevision(index.toString(16).padStart(40, '0')), last, never);
  const names = ({ loaded }: Snapshot): readonly string[] => loaded.manifests.map(({ object }) => object.metadata.name);

  it('follows what it is made from, wherever that stands, and nothing else', async () => {
    const one = await at(0);
    expect(one.loaded.problems).toEqual([]);
    expect(names(one)).toEqual(['plain', expect.stringMatching(/^a-/)]);
    expect(kustomize.runs).toBe(1);
    // A commit elsewhere, and an outcome of our own: nothing is rendered, and there is nothing to plan.
    const elsewhere = await at(1, one);
    const outcome = await at(2, elsewhere);
    expect([elsewhere.loaded, outcome.loaded]).toEqual([one.loaded, one.loaded]);
    expect(outcome.loaded).toBe(one.loaded);
    expect(kustomize.runs).toBe(1);
    const changed = await at(3, outcome);
    expect(names(changed)[1]).not.toBe(names(one)[1]);
    expect(kustomize.runs).toBe(2);
    const back = await at(4, changed);
    expect(names(back)).toEqual(names(one));
    expect(kustomize.runs).toBe(2);
  });
});
