import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { released, type SmallTree, smallTrees } from '../render/kustomize-trees.ts';

type Files = Readonly<Record<string, string>>;

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };

describe.skipIf(kustomizeProgram === undefined)('a release in a small tree is taken back where it was written', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  const render = createRender(settings, undefined, { kustomize });
  afterAll(() => kustomize.close());
  const mapOf = (files: Files): ReadonlyMap<string, string> => new Map(Object.entries(files));

  const revert = async (tree: SmallTree, tip: Files): Promise<Revert> => {
    const [base, judged, now] = [mapOf(tree.files), mapOf(released(tree)), mapOf(tip)];
    const { apps } = await turns.run(render.inTurns(judged));
    const app = apps.find(({ id }) => id.namespace === 'prod' && id.name.includes('shop'))?.id;
    expect(app).toBeDefined();
    return turns.run(reverting({ app: app ?? { namespace: '', name: '' }, base, judged, tip: now, render }));
  };

  it.each(smallTrees.map((tree) => [tree.name, tree] as const))('%s', async (_, tree) => {
    const result = await revert(tree, released(tree));
    if (tree.held)
      return expect(result).toMatchObject({ kind: 'conflict', reason: expect.stringMatching(tree.held) as string });
    const paths = Object.keys(tree.release).toSorted();
    const before = new Map(paths.map((path) => [path, tree.files[path]]));
    expect(result).toEqual({ kind: 'edited', files: before, paths });
  });
});
