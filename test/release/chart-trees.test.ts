import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { helmByHand, helmProgram } from '../helpers/helm.ts';
import { kustomizeByHand, kustomizeProgram } from '../helpers/kustomize.ts';
import { type ChartTree, chartTrees, releasedChart } from '../render/chart-trees.ts';
import { smallTrees } from '../render/kustomize-trees.ts';

type Files = Readonly<Record<string, string>>;

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'prod' };
const app = { namespace: 'prod', name: 'shop' };

/** What the programs print of the tree with its release. */
function byHand({ hand, ...tree }: ChartTree): readonly KubeObject[] {
  const files = releasedChart(tree);
  if (hand.tool === 'kustomize') {
    // Our parser takes no open variables.
    const filledIn = Object.entries(files).map(([path, text]) => {
      const filled = Object.entries(hand.variables ?? {}).reduce(
        (now, [name, value]) => now.replaceAll(`\${${name}}`, value),
        text,
      );
      return [path, filled] as const;
    });
    const all = { ...Object.fromEntries(filledIn), 'by-hand/kustomization.yaml': hand.kustomization };
    return kustomizeByHand(all, hand.folder);
  }
  const values = Object.fromEntries(hand.values.map((text, at) => [`by-hand-${at}.yaml`, text]));
  const args = Object.keys(values).flatMap((path) => ['-f', path]);
  const printed = helmByHand({ ...files, ...hand.files, ...values }, [
    'template',
    '--namespace',
    'prod',
    ...hand.args,
    ...args,
  ]);
  if (hand.afterwards === undefined) return parseManifests('x.yaml', printed).manifests.map(({ object }) => object);
  const afterwards = { 'x/kustomization.yaml': `resources: [all.yaml]\n${hand.afterwards}`, 'x/all.yaml': printed };
  return kustomizeByHand(afterwards, 'x');
}

const sorted = (objects: readonly KubeObject[]): readonly KubeObject[] =>
  objects
    .map((object) => ({ ...object, metadata: { namespace: 'prod', ...object.metadata } }))
    .toSorted((a, b) => `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`));

it('are sixty small trees and more, with those of kustomize', () => {
  expect(new Set([...smallTrees, ...chartTrees].map(({ name }) => name)).size).toBe(
    smallTrees.length + chartTrees.length,
  );
  expect(smallTrees.length + chartTrees.length).toBeGreaterThanOrEqual(75);
});

describe.skipIf(helmProgram === undefined || kustomizeProgram === undefined)(
  'a small tree that Helm or a Kustomization of Flux renders',
  () => {
    const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
    const helm = createHelm({ program: helmProgram ?? '', kustomize });
    const render = createRender(settings, undefined, { helm, kustomize });
    afterAll(async () => {
      await helm.close();
      await kustomize.close();
    });
    const mapOf = (files: Files): ReadonlyMap<string, string> => new Map(Object.entries(files));
    const revert = async (before: Files, judged: Files, tip: Files): Promise<Revert> =>
      turns.run(reverting({ app, base: mapOf(before), judged: mapOf(judged), tip: mapOf(tip), render }));

    it.each(chartTrees.map((tree) => [tree.name, tree] as const))(
      'is what the programs print by hand, and a release in it is taken back by its own lines: %s',
      async (_, tree) => {
        const released = releasedChart(tree);
        const { manifests, problems } = await turns.run(render.inTurns(mapOf(released)));
        expect(problems).toEqual([]);
        const isOfHelm = tree.hand.tool === 'helm';
        const made = manifests.filter(({ object, origin }) =>
          isOfHelm
            ? origin.renderer === 'helm' && object.metadata.name.startsWith('shop')
            : origin.renderer === 'kustomize' && origin.path.startsWith('apps/'),
        );
        expect(sorted(made.map(({ object }) => object))).toEqual(sorted(byHand(tree)));

        // Another app is released by the same commit, and somebody writes a comment later.
        const others = (files: Files): Files =>
          releasedChart({ files, release: { 'releases/cart.yaml': [['tag: 1.0.0', 'tag: 1.2.0']] } });
        const later = (files: Files): Files => {
          const commented = Object.keys(tree.release).filter(
            (path) => tree.hasNoComments !== true && path.endsWith('.yaml') && !path.includes('templates'),
          );
          return { ...files, ...Object.fromEntries(commented.map((path) => [path, `# later\n${files[path] ?? ''}`])) };
        };
        const judged = others(released);
        const result = await revert(tree.files, judged, later(judged));
        if (tree.held)
          return expect(result).toMatchObject({ kind: 'conflict', reason: expect.stringMatching(tree.held) as string });
        if (result.kind === 'conflict') throw new Error(result.reason);
        expect(result).toMatchObject({ kind: 'edited', paths: Object.keys(tree.release).toSorted() });
        const edits = result.kind === 'edited' ? Object.fromEntries(result.files) : {};
        expect({ ...later(judged), ...edits }).toEqual(later(others(tree.files)));
      },
    );
  },
);
