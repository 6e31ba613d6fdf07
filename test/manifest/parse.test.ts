import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Document, parseAllDocuments } from 'yaml';
import { splitDocuments } from '../../src/manifest/documents.ts';
import { parseManifests } from '../../src/manifest/parse.ts';

const configMap = (name: string, data = 'a: "1"'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  ${data}\n`;
const names = (path: string, text: string): string[] =>
  parseManifests(path, text).manifests.map(({ object }) => object.metadata.name);

describe('parseManifests', () => {
  it('gives each document of a stream its place and first line', () => {
    const text = `# apps\n---\n${configMap('a')}---\n# nothing here\n---\n\n${configMap('b')}`;
    expect(
      parseManifests('x.yaml', text).manifests.map(({ origin, object }) => [object.metadata.name, origin]),
    ).toEqual([
      ['a', { renderer: 'plain', path: 'x.yaml', document: 0, line: 3 }],
      ['b', { renderer: 'plain', path: 'x.yaml', document: 2, line: 13 }],
    ]);
  });

  it('reads a byte order mark, CRLF and a missing last line end', () => {
    const text = `\uFEFF${configMap('a')}---\n${configMap('b')}`.replaceAll('\n', '\r\n').trimEnd();
    const { manifests, problems } = parseManifests('x.yaml', text);
    expect(problems).toEqual([]);
    expect(manifests.map(({ object }) => object['data'])).toEqual([{ a: '1' }, { a: '1' }]);
  });

  it('takes Lists apart and tells the line of each item', () => {
    const text = `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: { name: a }
  - apiVersion: v1
    kind: ConfigMap
    metadata: { name: b }
`;
    expect(
      parseManifests('x.yaml', text).manifests.map(({ origin, object }) => [object.metadata.name, origin.line]),
    ).toEqual([
      ['a', 4],
      ['b', 7],
    ]);
  });

  it('reads JSON, and says the line where it is broken', () => {
    expect(names('x.json', '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}')).toEqual(['a']);
    const { problems } = parseManifests('x.json', '{\n "apiVersion": "v1",\n "kind": "Namespace"\n "metadata": {}\n}');
    expect(problems).toMatchObject([{ severity: 'error', path: 'x.json', line: 4 }]);
  });

  it('loses only the document that is broken', () => {
    const text = `${configMap('a')}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "b\n---\n${configMap('c')}`;
    const { manifests, problems, unreadableText } = parseManifests('x.yaml', text);
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['a', 'c']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'error', path: 'x.yaml' });
    expect(problems[0]?.line).toBeGreaterThanOrEqual(8);
    expect(unreadableText).toContain('"b');
    expect(unreadableText).not.toContain('name: a');
  });

  it.each([
    ['values of a chart', 'replicaCount: 1\nimage: {tag: v1}\n'],
    ['a chart', 'apiVersion: v2\nname: podinfo\nversion: 1.0.0\n'],
    ['comments', '# apiVersion: v1\n'],
    ['nothing', ''],
    ['a list', '- a\n- b\n'],
    ['a kubeconfig', 'apiVersion: v1\nkind: Config\nclusters: []\n'],
    ['a kind cluster', 'apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnodes: []\n'],
  ])('passes over %s without a word', (_what, text) => {
    const { stray: _stray, ...parsed } = parseManifests('x.yaml', text);
    expect(parsed).toEqual({ manifests: [], problems: [], unreadableText: '' });
  });

  it.each([
    ['kind: ConfigMap\nmetadata: {name: a}', 'apiVersion'],
    ['apiVersion: v1\nmetadata: {name: a}', 'kind'],
    ['apiVersion: v1\nkind: ConfigMap', 'no metadata'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}', 'metadata.name'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}', 'must be text'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {port: 80}}', 'labels["port"]'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {on: yes}}', 'annotations["on"]'],
    ['apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nsops: {mac: x}', 'SOPS'],
    ['apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a}', 'unique'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a', 'not readable'],
  ])('refuses %j and keeps its text', (text, what) => {
    const { manifests, problems, unreadableText } = parseManifests('x.yaml', text);
    expect(manifests).toEqual([]);
    expect(problems.map(({ severity, message }) => [severity, message])).toEqual([
      ['error', expect.stringContaining(what)],
    ]);
    expect(unreadableText).toBe(text);
  });

  it('knows templates and merge conflicts when it cannot read them', () => {
    const hint = (text: string) => parseManifests('x.yaml', text).problems[0]?.hint;
    expect(hint('apiVersion: v1\nkind: X\nmetadata:\n  name: {{ .Release.Name }}-a\n')).toContain('templates');
    expect(hint(`apiVersion: v1\n<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n`)).toContain('merge conflict');
  });

  it('says nothing of objects where a file was never meant to hold any', () => {
    const settings = '{\n  // what the editor shows\n  "folders": [{ "path": "."\n}';
    expect(parseManifests('.vscode/x.json', settings).problems).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringContaining('not readable as JSON') as string,
        hint: 'if it is no manifest, name the file in .serinignore',
      },
    ]);
    expect(parseManifests('package.json', '{"name": "x", "version": "1"}').problems).toEqual([]);
  });

  it.each([
    ['single quotes', "a: 'b\nc'\n", { a: 'b c' }],
    ['double quotes', 'x:\n  a: "b\n\n c"\n', { x: { a: 'b\nc' } }],
    ['quotes in a list', "x:\n- 'a\n  b'\n- 'c\nd'\n", { x: ['a b', 'c d'] }],
    ['brackets', 'x:\n  a: [\nb,\n"c"\n]\n  d: e\n', { x: { a: ['b', 'c'], d: 'e' } }],
    ['braces', 'x:\n  a: {\n  b: 1,\nc: 2\n}\n', { x: { a: { b: 1, c: 2 } } }],
  ])('reads text in %s that goes on at its key or before it, as kubectl does', (_, text, fields) => {
    const { manifests, problems } = parseManifests('x.yaml', `${configMap('a')}${text}`);
    expect(problems).toEqual([]);
    expect(manifests[0]?.object).toMatchObject(fields);
  });

  it('takes time that grows with the keys of a map, not with their square', () => {
    const secondsFor = (count: number): number => {
      const keys = Array.from({ length: count }, (_, at) => `  key${at}: v\n`).join('');
      const began = process.cpuUsage();
      expect(parseManifests('x.yaml', configMap('a') + keys).manifests).toHaveLength(1);
      return process.cpuUsage(began).user / 1e6;
    };
    secondsFor(500);
    const few = Math.max(0.04, Math.min(secondsFor(2000), secondsFor(2000)));
    expect(secondsFor(20_000)).toBeLessThan(few * 25);
  });

  it('reads scalars as kubectl does', () => {
    const [manifest] = parseManifests(
      'x.yaml',
      `${configMap('a')}x: [0644, 0400, yes, off, "yes", 1e3, ~, 08, 12:30, 2001-01-01, 0x10]\non: n\n`,
    ).manifests;
    const more =
      '[0o17, 0b11, -0x1F, 1_000, 0_7, 1_0.5, .5, 1., 18446744073709551616, 0b2, 1__0, _1, 1e400, +1, "1", !!str 1]';
    expect(parseManifests('x.yaml', `${configMap('b')}x: ${more}\n`).manifests[0]?.object['x']).toEqual([
      15,
      3,
      -31,
      1000,
      7,
      10.5,
      0.5,
      1,
      18446744073709552000,
      '0b2',
      10,
      '_1',
      '1e400',
      1,
      '1',
      '1',
    ]);
    expect(manifest?.object['x']).toEqual([420, 256, true, false, 'yes', 1000, null, 8, '12:30', '2001-01-01', 16]);
    expect(manifest?.object['on']).toBe(false);
  });

  it('merges maps, and stops aliases that multiply', () => {
    const merged = parseManifests('x.yaml', `${configMap('a')}base: &b {c: 1}\nuse: {<<: *b, d: 2}\n`).manifests[0];
    expect(merged?.object['use']).toEqual({ c: 1, d: 2 });
    const levels = Array.from(
      { length: 12 },
      (_, n) =>
        `l${n}: &l${n} [${Array(9)
          .fill(n === 0 ? 'x' : `*l${n - 1}`)
          .join(', ')}]`,
    );
    const { problems, manifests } = parseManifests('x.yaml', `${configMap('a')}${levels.join('\n')}\n`);
    expect(manifests).toEqual([]);
    expect(problems[0]?.message).toMatch(/alias/i);
  });

  it('drops empty metadata as kubectl does', () => {
    const [manifest] = parseManifests(
      'x.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: , labels: , annotations: {a: }}\n',
    ).manifests;
    expect(manifest?.object.metadata).toEqual({ name: 'a', annotations: { a: '' } });
  });

  it('counts documents as a YAML parser does', () => {
    const piece = fc.constantFrom(
      '---\n',
      '--- # c\n',
      '# c\n',
      '\n',
      'a: 1\n',
      '"x ---"\n',
      '  \n',
      '--- a\n',
      '- "---"\n',
      '...\n',
      '%YAML 1.2\n---\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        const whole = parseAllDocuments(text);
        const parts = splitDocuments(text).flatMap((part) => {
          const parsed = parseAllDocuments(part.text);
          return 'empty' in parsed ? [] : parsed;
        });
        if ('empty' in whole) return;
        if (whole.some(({ errors }) => errors.length > 0)) return;
        const values = (documents: readonly Document.Parsed[]) =>
          documents.map((document) => document.toJS() as unknown);
        expect(values(parts)).toEqual(values(whole));
      }),
      { numRuns: 300 },
    );
  });
});
