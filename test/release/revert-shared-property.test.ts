import fc from 'fast-check';
import { expect, it } from 'vitest';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { editedFiles } from '../../src/render/tree-files.ts';
import { appIn, type RenderedApp, type RenderedTree } from '../../src/release/rendered.ts';
import { revertApp } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { canaryText } from './a-config-repo.ts';

const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
const app = { namespace: 'test', name: 'a' };

/** How people write the same thing; what a writer of YAML must not mistake for anything else. */
type Quoting = (text: string) => string;
const quotings = fc.constantFrom<Quoting>(
  (text) => text,
  (text) => `"${text}"`,
  (text) => `'${text}'`,
  (text) => `${text} # was: {x: [1`,
  (text) => `"${text}"   `,
);
interface Shape {
  readonly image: string;
  readonly quoting: Quoting;
  readonly flow: boolean;
  readonly shared: boolean;
  readonly anchor: boolean;
  readonly args: readonly string[];
}
const shapes: fc.Arbitrary<Shape> = fc.record({
  image: fc.constantFrom('x:1.0', 'x:2.0', 'localhost:5000/x@sha256:ab'),
  quoting: quotings,
  flow: fc.boolean(),
  shared: fc.boolean(),
  anchor: fc.boolean(),
  args: fc.array(fc.constantFrom('--a', '--b=c', '"- x"', "'---'"), { maxLength: 3 }),
});
const config = fc.option(
  fc.record({ key: fc.constantFrom('1', 'yes', 'a: b'), block: fc.constantFrom('one\n    two', 'one\n\n    three') }),
  { nil: undefined },
);
interface World {
  readonly a: Shape;
  readonly b: Shape;
  readonly shared: { key: string; block: string } | undefined;
}
const worlds: fc.Arbitrary<World> = fc.record({ a: shapes, b: shapes, shared: config });

function deployment(name: string, { image, quoting, flow, shared, anchor, args }: Shape): string {
  const mark = anchor ? '&image ' : '';
  const refs = shared ? ['        envFrom: [{configMapRef: {name: shared}}]'] : [];
  const lines = flow
    ? [
        `      - {name: ${name}, image: "${image}", args: [${args.join(', ')}]${shared ? ', envFrom: [{configMapRef: {name: shared}}]' : ''}}`,
      ]
    : [
        `      - name: ${name}`,
        `        image: ${mark}${quoting(image)}`,
        ...(anchor ? ['        workingDir: *image'] : []),
        ...(args.length === 0 ? [] : ['        args:', ...args.map((arg) => `        - ${arg}`)]),
        ...refs,
      ];
  return `${[
    'apiVersion: apps/v1',
    'kind: Deployment',
    `metadata: {name: ${name}, namespace: test}`,
    'spec:',
    `  selector: {matchLabels: {app: ${name}}}`,
    '  template:',
    `    metadata: {labels: {app: ${name}}}`,
    '    spec:',
    '      containers:',
    ...lines,
  ].join('\n')}\n`;
}
const configMap = ({ key, block }: { key: string; block: string }): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\n  namespace: test\ndata:\n  key: '${key}' # why\n  block: |\n    ${block}\n`;

type Layout = (world: World) => Map<string, string>;
const documentsOf = ({ a, b, shared }: World): [string, string][] => [
  ['a', deployment('a', a)],
  ['b', deployment('b', b)],
  ...(shared ? [['c', configMap(shared)] as [string, string]] : []),
  ['d', canaryText({ name: 'a' })],
  ['e', canaryText({ name: 'b' })],
];
const layouts = fc.constantFrom<Layout>(
  (world) =>
    new Map([
      [
        'all.yaml',
        documentsOf(world)
          .map(([, text]) => text)
          .join('---\n'),
      ],
    ]),
  (world) =>
    new Map([
      [
        'all.yaml',
        documentsOf(world)
          .toReversed()
          .map(([, text]) => text)
          .join('--- # next\n'),
      ],
    ]),
  (world) => new Map(documentsOf(world).map(([name, text]) => [`${name}.yaml`, text])),
  (world) => new Map(documentsOf(world).map(([name, text]) => [`${name}.yaml`, `---\n${text}...\n`])),
);
const dialects = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `\uFEFF# head\n${text}`,
  (text) => text.trimEnd(),
);

const objects = ({ manifests }: RenderedTree): Map<string, unknown> =>
  new Map(manifests.map(({ object }) => [refKey(refOf(object)), object]));

const keysOf = (found: RenderedApp | undefined): string[] =>
  (found?.documents ?? []).map(({ object }) => refKey(refOf(object)));

it('whatever is shared and however it is written, a revert changes its own app or nothing', () => {
  let edited = 0;
  let runs = 0;
  fc.assert(
    fc.property(worlds, worlds, layouts, dialects, (before, after, layout, dialect) => {
      const render = createRender(settings);
      const files = (world: World): Map<string, string> =>
        new Map([...layout(world)].map(([path, text]) => [path, dialect(text)]));
      const [base, judged] = [files(before), files(after)];
      const result = revertApp({ app, base, judged, tip: judged, render });
      runs += 1;
      if (result.kind !== 'edited') {
        if (result.kind === 'nothing')
          expect(appIn(render(judged), app)?.content).toBe(appIn(render(base), app)?.content);
        return;
      }
      edited += 1;
      const now = render(judged);
      const then = render(editedFiles(judged, result.files));
      expect(appIn(then, app)?.content).toBe(appIn(render(base), app)?.content);
      const other = { namespace: 'test', name: 'b' };
      expect(appIn(then, other)?.content).toBe(appIn(now, other)?.content);
      const [was, is] = [objects(now), objects(then)];
      const own = new Set([base, judged].flatMap((tree) => keysOf(appIn(render(tree), app))));
      for (const [key, object] of was) if (!own.has(key)) expect(is.get(key)).toEqual(object);
      for (const key of is.keys()) expect(was.has(key) || own.has(key)).toBe(true);
      // Not a byte of a file that the release did not touch; line ends and the last one as they were.
      for (const [path, text] of result.files) {
        expect(base.get(path)).not.toBe(judged.get(path));
        if (text === null) continue;
        expect(/\r\n/.test(text)).toBe(/\r\n/.test(judged.get(path) ?? base.get(path) ?? ''));
        expect(/[^\r]\n/.test(text) && /\r\n/.test(text)).toBe(false);
      }
    }),
    { numRuns: 50 },
  );
  expect(edited).toBeGreaterThan(runs / 4);
});
