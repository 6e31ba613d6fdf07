import fc from 'fast-check';
import { expect, it } from 'vitest';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { editedFiles } from '../../src/render/tree-files.ts';
import { appIn, type RenderedTree } from '../../src/release/rendered.ts';
import type { Files } from '../../src/render/tree-files.ts';
import { revertApp } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { type AppShape, appTree, joined } from './a-config-repo.ts';

const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
const app = { namespace: 'test', name: 'a' };

/** What varies from commit to commit. */
const states = fc.record({
  image: fc.constantFrom('x:1', 'x:2', 'x:3@sha256:00'),
  replicas: fc.integer({ min: 1, max: 3 }),
  sidecar: fc.option(fc.constantFrom('envoy:1', 'envoy:2'), { nil: undefined }),
  env: fc.dictionary(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('1', 'yes', 'a: b'), { noNullPrototype: true }),
  config: fc.option(
    fc.dictionary(fc.constantFrom('k', 'l', 'm'), fc.constantFrom('v', "it's", '#'), { noNullPrototype: true }),
    {
      nil: undefined,
    },
  ),
});
type State = {
  image: string;
  replicas: number;
  sidecar?: string | undefined;
  env: Record<string, string>;
  config?: Record<string, string> | undefined;
};
// Keys keep one order: where it alone changed there is nothing to take back.
const shape = (name: string, { sidecar, config, ...rest }: State): AppShape => ({
  name,
  ...rest,
  ...(sidecar === undefined ? {} : { sidecar }),
  ...(config === undefined
    ? {}
    : {
        config: Object.fromEntries(
          Object.entries(config)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, value]) => [key, value.replace("'", "''")]),
        ),
      }),
});

/** How the two apps' objects lie in files: one for all, one for each app, one for each object. */
const layouts = fc.constantFrom<(apps: readonly AppShape[]) => Map<string, string>>(
  (apps) => new Map([['all.yaml', joined(...appTree(...apps).values())]]),
  (apps) => new Map(apps.map((each) => [`${each.name}.yaml`, joined(...appTree(each).values())])),
  (apps) => appTree(...apps),
);
const dialects = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `\uFEFF${text}`,
  (text) => text.trimEnd(),
  (text) => `# head\n---\n${text}`,
);
/** What later commits do to the text without touching the app's content. */
const laterEdits = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text.replaceAll('threshold: 5', 'threshold: 9'),
  (text) => text.replaceAll(/# the image of \w/g, '# later'),
  (text) => text.replaceAll('containers:', 'containers: # later'),
  (text) => `# later\n${text.replace(/^\uFEFF/, '')}`,
);

const objectsOf = (tree: RenderedTree, own: ReadonlySet<string>): Map<string, unknown> =>
  new Map(
    tree.manifests
      .map(({ object }) => [refKey(refOf(object)), object as unknown] as const)
      .filter(([key]) => !own.has(key)),
  );

it('reverting one of two apps that changed in a commit leaves the other and everything later alone', () => {
  let edited = 0;
  fc.assert(
    fc.property(
      states,
      states,
      states,
      states,
      layouts,
      dialects,
      laterEdits,
      (a1, a2, b1, b2, layout, dialect, later) => {
        const render = createRender(settings);
        const tree = (a: State, b: State): Map<string, string> =>
          new Map([...layout([shape('a', a), shape('b', b)])].map(([path, text]) => [path, dialect(text)]));
        const [base, judged] = [tree(a1, b1), tree(a2, b2)];
        const tip: Files = new Map([...judged].map(([path, text]) => [path, later(text)]));
        const [before, now] = [render(base), render(tip)];
        const result = revertApp({ app, base, judged, tip, render });
        if (result.kind === 'nothing') {
          expect(appIn(now, app)?.content).toBe(appIn(before, app)?.content);
          return;
        }
        if (result.kind !== 'edited') throw new Error(JSON.stringify(result));
        edited += 1;
        const files = editedFiles(tip, result.files);
        const after = render(files);
        expect(appIn(after, app)?.content).toBe(appIn(before, app)?.content);
        const own = new Set(
          [appIn(before, app), appIn(render(judged), app)]
            .flatMap((each) => each?.documents ?? [])
            .map(({ object }) => refKey(refOf(object))),
        );
        expect(objectsOf(after, own)).toEqual(objectsOf(now, own));
        // Without later commits the result is known to the byte, but for the end of a file whose last document came or went.
        if ([...tip].every(([path, text]) => judged.get(path) === text)) {
          const trimmed = (all: Files): Map<string, string> =>
            new Map([...all].map(([path, text]) => [path, text.trimEnd()]));
          expect(trimmed(files)).toEqual(trimmed(tree(a1, b2)));
        }
      },
    ),
    { numRuns: 80 },
  );
  expect(edited).toBeGreaterThan(40);
});
