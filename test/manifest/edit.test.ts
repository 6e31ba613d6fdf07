import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type EditResult, editDocument } from '../../src/manifest/edit-object.ts';
import { mergeText } from '../../src/manifest/edit-merge.ts';
import { type YamlPath, writtenIn } from '../../src/manifest/edit-tree.ts';
import { anyCharacter } from '../helpers/any-character.ts';

const deployment = `# the shop
apiVersion: apps/v1
kind: Deployment # a comment
metadata:
  name: "podinfo"
  annotations: {a: 'it''s', b: "two", c: three}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: podinfod   # main
        image: stefanprodan/podinfo:3.1.0 # the image
        args: [--port, "9898"]
        env:
          # colour
          - name: COLOUR
            value: 'blue'

          - { name: SIZE, value: 3 }
      - name: sidecar
        image: &side envoy:1
        workingDir: *side
data:
  literal: |
    one
    two
  folded: >-
    one
    two
  empty:
  keep: |+
    x

---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
`;

const image: YamlPath = ['spec', 'template', 'spec', 'containers', 0, 'image'];

/** The first document's value with another value in one place. */
function withValue(text: string, path: YamlPath, value: unknown): unknown {
  const wanted: unknown = writtenIn(text)?.[0]?.value;
  const parent = path.slice(0, -1).reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], wanted);
  (parent as Record<string | number, unknown>)[path.at(-1) ?? ''] = value;
  return wanted;
}
const editScalar = (text: string, path: YamlPath, value: unknown): EditResult =>
  editDocument(text, 0, withValue(text, path, value));

function edited(text: string, path: YamlPath, value: string | number | boolean | null): string {
  const result = editScalar(text, path, value);
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.text;
}

describe('editing one scalar', () => {
  it('changes the value and not one byte besides', () => {
    expect(edited(deployment, image, 'stefanprodan/podinfo:3.1.1')).toBe(
      deployment.replace('podinfo:3.1.0', 'podinfo:3.1.1'),
    );
  });

  it.each([
    ['single quotes', ['metadata', 'annotations', 'a'], "can't: #", `'it''s'`, `'can''t: #'`],
    ['double quotes', ['metadata', 'annotations', 'b'], 'a"b', '"two"', '"a\\"b"'],
    ['plain text that would be retyped', ['metadata', 'annotations', 'c'], 'yes', 'three', '"yes"'],
    ['plain text in a flow collection', ['metadata', 'annotations', 'c'], 'a, b', 'three', '"a, b"'],
    ['a literal block', ['data', 'literal'], 'one\n\nthree\n', 'one\n    two\n', 'one\n\n    three\n'],
    ['a number', ['spec', 'replicas'], 3, 'replicas: 2', 'replicas: 3'],
    ['a key without a value', ['data', 'empty'], 'x', 'empty:\n', 'empty: x\n'],
  ] as const)('keeps %s', (_, path, value, from, to) => {
    const text =
      path[1] === 'literal'
        ? deployment.replace('literal: |\n    one\n    two', 'literal: |\n    one\n    two')
        : deployment;
    expect(edited(text, path, value)).toBe(text.replace(from, to));
  });

  it.each([
    ['folded text', ['data', 'folded'], '  folded: >-\n    one\n    two\n', '  folded: |-\n    a\n    b\n'],
    ['kept line ends', ['data', 'keep'], '  keep: |+\n    x\n\n', '  keep: |-\n    a\n    b\n'],
    ['an alias', ['spec', 'template', 'spec', 'containers', 1, 'workingDir'], '*side', '"a\\nb"'],
  ] as const)('writes the whole entry anew instead of %s', (_, path, from, to) => {
    const text = edited(deployment, path, 'a\nb');
    if (from === '*side')
      expect(text).toBe(deployment.replace('workingDir: *side', 'workingDir: |-\n          a\n          b'));
    else expect(text).toBe(deployment.replace(from, to));
  });

  it('writes an alias out where the value that it stands for changes', () => {
    expect(edited(deployment, ['spec', 'template', 'spec', 'containers', 1, 'image'], 'envoy:2')).toBe(
      deployment.replace('&side envoy:1', '&side envoy:2').replace('*side', 'envoy:1'),
    );
  });

  it('refuses a text that cannot be read', () => {
    expect(editDocument('a: [1\nb: {', 0, { a: 1 })).toMatchObject({ kind: 'refused' });
    expect(editDocument('a: *b', 0, { a: 1 })).toMatchObject({ kind: 'refused' });
  });

  const values = fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 30 }),
    fc.string({ maxLength: 30 }),
    fc.constantFrom(
      'yes',
      'null',
      '~',
      '0x1F',
      '012',
      '12:30:45',
      'a: b # c',
      ' lead',
      'trail ',
      '- x',
      '? y',
      '1e3',
      '.5',
      '2024-01-01',
      '=',
      '<<',
      '%a',
      '@b',
      '',
      '\t',
      'a\nb\n',
      '1_000',
      'é',
      '\u{1F600}',
      '\u2028',
      '#',
      '&a',
      '*a',
      '!t',
      '|',
      '>',
      'a:',
    ),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  );
  const paths = fc.constantFrom<YamlPath>(
    image,
    ['metadata', 'name'],
    ['metadata', 'annotations', 'a'],
    ['metadata', 'annotations', 'b'],
    ['metadata', 'annotations', 'c'],
    ['spec', 'replicas'],
    ['spec', 'template', 'spec', 'containers', 0, 'args', 1],
    ['spec', 'template', 'spec', 'containers', 0, 'env', 0, 'value'],
    ['spec', 'template', 'spec', 'containers', 0, 'env', 1, 'value'],
    ['data', 'literal'],
    ['data', 'empty'],
  );
  const variants = fc.constantFrom<(text: string) => string>(
    (text) => text,
    (text) => text.replaceAll('\n', '\r\n'),
    (text) => `\uFEFF${text}`,
    (text) => text.trimEnd(),
  );

  it('never writes anything else than what was asked, whatever the value and the file', () => {
    fc.assert(
      fc.property(variants, paths, values, (variant, path, value) => {
        const text = variant(deployment);
        const result = editScalar(text, path, value);
        if (result.kind === 'refused') throw new Error(result.reason);
        const [before, after] = [text, result.text].map((source) => parseAllDocuments(source));
        if (!Array.isArray(before) || !Array.isArray(after)) throw new Error('unreachable');
        expect(after[0]?.toJS()).toEqual(withValue(text, path, value));
        expect(after[1]?.toJS()).toEqual(before[1]?.toJS());
        // Common head and tail are byte for byte the old text.
        const lines = text.split('\n');
        const changed = result.text.split('\n').filter((line) => !lines.includes(line));
        if (path[1] !== 'literal' && !String(value).includes('\n')) expect(changed.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 600 },
    );
  });
});

describe('bringing an object to another state', () => {
  const read = (text: string): Record<string, unknown> => {
    const documents = parseAllDocuments(text);
    return (Array.isArray(documents) ? documents[0]?.toJS() : {}) as Record<string, unknown>;
  };
  const to = (change: (object: never) => void): string => {
    const expected = read(deployment);
    change(expected as never);
    const result = editDocument(deployment, 0, expected);
    if (result.kind === 'refused') throw new Error(result.reason);
    expect(read(result.text)).toEqual(expected);
    return result.text;
  };
  const containersOf = (object: { spec: { template: { spec: { containers: unknown[] } } } }): unknown[] =>
    object.spec.template.spec.containers;

  it('adds and removes keys by whole lines', () => {
    const text = to((object: { spec: Record<string, unknown>; data: Record<string, unknown> }) => {
      object.spec = { replicas: 2, paused: true, ...object.spec };
      delete object.data['literal'];
    });
    expect(text).toBe(
      deployment
        .replace('  replicas: 2\n', '  replicas: 2\n  paused: true\n')
        .replace('  literal: |\n    one\n    two\n', ''),
    );
  });

  it('adds and removes items of lists', () => {
    const text = to((object: never) => {
      const containers = containersOf(object);
      containers.shift();
      containers.unshift({ name: 'first', image: 'a:1' }, { name: 'second', image: 'b:1' });
    });
    expect(text).toContain('      - name: first\n        image: a:1\n      - name: second\n');
    expect(text).not.toContain('podinfod');
    expect(text).toContain('image: &side envoy:1\n');
  });

  it('takes the first key after a dash away', () => {
    const text = 'a:\n  - b: 1\n    c: 2 # two\n';
    const result = editDocument(text, 0, { a: [{ c: 2 }] });
    expect(result).toEqual({ kind: 'edited', text: 'a:\n  - c: 2 # two\n' });
  });

  it('rewrites what it cannot edit in place', () => {
    const text = to((object: { data: Record<string, unknown>; metadata: Record<string, unknown> }) => {
      object.data['folded'] = 'three\nfour';
      object.metadata['annotations'] = { z: 'new' };
    });
    expect(text).toContain('  annotations: {z: new}\n');
    expect(text).toContain('  folded: |-\n    three\n    four\n');
    expect(text).toContain('image: stefanprodan/podinfo:3.1.0 # the image\n');
  });
});

describe('merging texts', () => {
  it('joins changes of different lines and keeps line ends', () => {
    expect(mergeText('a\r\nB\r\nc\r\nd\r\ne', 'a\r\nb\r\nc\r\nd\r\ne', 'a\r\nb\r\nc\r\nD\r\ne')).toBe(
      'a\r\nB\r\nc\r\nD\r\ne',
    );
  });

  it('gives nothing where both changed neighbouring lines', () => {
    expect(mergeText('a\nB\nc\n', 'a\nb\nc\n', 'a\nb\nC\n')).toBeUndefined();
  });

  it('is quick for long files', () => {
    const lines = Array.from({ length: 6000 }, (_, at) => (at % 3 === 0 ? `- name: x${at}` : '  value: same'));
    const change = (at: number): string => lines.with(at, 'changed').join('\n');
    const started = performance.now();
    expect(mergeText(change(10), lines.join('\n'), change(5900))).toBe(
      lines.with(10, 'changed').with(5900, 'changed').join('\n'),
    );
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
