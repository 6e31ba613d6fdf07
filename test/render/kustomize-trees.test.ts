import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { kustomizeByHand, kustomizeProgram } from '../helpers/kustomize.ts';
import { released, smallTrees } from './kustomize-trees.ts';

const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };

describe.skipIf(kustomizeProgram === undefined)(
  'a small tree renders to exactly what the program prints by hand',
  () => {
    const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
    const trees = createTreeRenderer(settings, { kustomize });
    afterAll(() => kustomize.close());

    it.each(smallTrees.map((tree) => [tree.name, tree] as const))('%s', async (_, tree) => {
      for (const files of [tree.files, released(tree)]) {
        const { manifests, problems } = await createTurns().run(trees.render(new Map(Object.entries(files))));
        expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
        const made = manifests.map(({ object }) => object);
        const byName = ({ kind, metadata }: (typeof made)[number]): string => `${kind} ${metadata.name}`;
        const sorted = (objects: typeof made): unknown =>
          objects.toSorted((a, b) => byName(a).localeCompare(byName(b)));
        expect(sorted(made)).toEqual(sorted([...kustomizeByHand(files, tree.folder)]));
        expect(made.length).toBeGreaterThan(3);
      }
    });
  },
);
