import { afterAll, describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../../src/agent/deps.ts';
import { createSnapshots, type Snapshot } from '../../../src/agent/source/snapshots.ts';
import { asRevision, type GitRepo } from '../../../src/git/repo.ts';
import { createKustomize } from '../../../src/render/kustomize.ts';
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
