import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../src/manifest/parse.ts';
import { readKustomization } from '../../src/manifest/rendering-tools.ts';
import { knownText } from '../../src/manifest/stray.ts';
import { namesIn } from '../../src/manifest/unread-words.ts';

const config = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n${data}`;
const fill = (text: string, size: number): string => text.repeat(Math.ceil(size / text.length));
const lines = (size: number, line: (at: number) => string): string =>
  Array.from({ length: size / line(10_000).length }, (_, at) => line(at)).join('\n');

/** Milliseconds of CPU of the quickest of two runs. */
const timeOf = (work: () => unknown): number => {
  const times = [1, 2].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
};

describe('A text that somebody else wrote', () => {
  it.each<[string, (size: number) => string]>([
    ['keys', (size) => config(lines(size, (at) => `  key${at}: v`))],
    ['keys in flow', (size) => config(`  a: { ${lines(size, (at) => `k${at}: v,`)} }`)],
    ['the same key', (size) => config(fill('  a: b\n', size))],
    ['items', (size) => config(`  l:\n${fill('  - a\n', size)}`)],
    ['empty lists', (size) => config(`  a: [${fill('[],', size)}]`)],
    ['opening braces', (size) => config(`  a: ${fill('{', size)}`)],
    ['braces of a template', (size) => config(`  a: {{${fill('{{ x', size)}`)],
    ['closing brackets', (size) => config(`  a: ${fill(']', size)}`)],
    ['dashes', (size) => config(`  a:\n    ${fill('- ', size)}`)],
    ['question marks', (size) => config(`  ${fill('? ', size)}`)],
    ['quotes', (size) => config(`  a: ${fill('"', size)}`)],
    ['spaces', (size) => config(`  a: ${' '.repeat(size)}b`)],
    ['spaces within quotes', (size) => config(`  a: "${' '.repeat(size)}\n${' '.repeat(size)}b"`)],
    ['empty lines', (size) => `${config('\n'.repeat(size))}  a: b`],
    ['comments', (size) => fill('#\n', size)],
    ['markers', (size) => fill('---\n', size)],
    ['ends of documents', (size) => fill('...\n', size)],
    ['documents behind a directive', (size) => `%YAML 1.2\n${fill('---\na: ${B}\n', size)}`],
    ['documents that cannot be read, behind a directive', (size) => `%YAML 1.2\n${fill('---\n[\n', size)}`],
    ['tags', (size) => config(`  a: ${fill('!x ', size)}`)],
    [
      'anchors and aliases',
      (size) => config(`  l:\n${lines(size / 2, (at) => `  - &a${at} x`)}\n${lines(size / 2, (at) => `  - *a${at}`)}`),
    ],
    ['placeholders', (size) => config(`  a: "${fill('${A', size)}"`)],
    ['text', (size) => fill('x\n', size)],
  ])(
    'is read in proportion to its length: %s',
    (_, textOf) => {
      const half = 12_500;
      const time = (size: number): number => timeOf(() => parseManifests('a.yaml', textOf(size)));
      expect(time(2 * half)).toBeLessThan(Math.max(5 * time(half), 400));
    },
    60_000,
  );

  it.each([
    ['[', config(`  a: ${'['.repeat(20_000)}`)],
    ['{', config(`  a: ${'{a: '.repeat(20_000)}`)],
    ['-', config(`  a:\n    ${'- '.repeat(20_000)}`)],
    ['?', config(`  ${'? '.repeat(20_000)}`)],
    ['by indentation', config(Array.from({ length: 1_000 }, (_, at) => `${' '.repeat(at + 2)}a:`).join('\n'))],
  ])('is refused where it is too deep: %s', (_, text) => {
    const { problems, manifests } = parseManifests('a.yaml', `${config('  a: b\n')}---\n${text}`);
    expect(manifests).toHaveLength(1);
    expect(problems).toMatchObject([{ severity: 'error', message: expect.stringContaining('deeper than 200 levels') }]);
  });

  it('is refused where JSON of it is too deep', () => {
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    const text = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":${deep}}`;
    expect(parseManifests('a.json', text).problems[0]?.message).toBe('ConfigMap a is deeper than 200 levels');
  });

  it('may be as deep as definitions are', () => {
    const deep = Array.from({ length: 90 }, (_, at) => `${' '.repeat(at + 2)}a:`).join('\n');
    expect(parseManifests('a.yaml', `${config(deep)} b`).manifests).toHaveLength(1);
  });

  it('is refused where it is an object that no cluster stores', () => {
    const { problems, unreadableText } = parseManifests('a.yaml', config(`  a: ${'x'.repeat(1.6 * 1024 * 1024)}\n`));
    expect(problems).toMatchObject([
      { line: 1, message: 'ConfigMap a is too large (1.7 MiB as JSON, more than the 1.5 MiB of --max-object-size)' },
    ]);
    expect(namesIn(unreadableText ?? '')('a')).toBe(true);
  });

  it('costs only the item of a List that is too large', () => {
    const item = (name: string, length: number) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { a: 'x'.repeat(length) },
    });
    const list = { apiVersion: 'v1', kind: 'List', items: [item('a', 10), item('b', 2_000_000), item('c', 10)] };
    const { manifests, problems } = parseManifests('a.json', JSON.stringify(list));
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['a', 'c']);
    expect(problems).toHaveLength(1);
  });

  it('does not become what its aliases would make of it', () => {
    const text = `${config('  a: &a "')}${'x'.repeat(10_000)}"\n${Array.from({ length: 900 }, (_, at) => `  k${at}: *a\n`).join('')}`;
    expect(parseManifests('a.yaml', text).problems[0]?.message).toMatch(
      /is too large \(8\.\d MiB as JSON, more than the 1\.5 MiB of --max-object-size\)/,
    );
  });

  it('may hold 20,000 keys, and not any number of them', () => {
    const keys = (count: number): string => Array.from({ length: count }, (_, at) => `"k${at}":""`).join(',');
    const text = (count: number): string =>
      `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{${keys(count)}}}`;
    expect(parseManifests('a.json', text(20_000)).manifests).toHaveLength(1);
    expect(parseManifests('a.json', text(60_000)).problems[0]?.message).toContain('more than 50000 values');
  });

  it('is told apart from objects in linear time', () => {
    expect(timeOf(() => knownText(`${' '.repeat(200_000)}x`))).toBeLessThan(500);
    expect(timeOf(() => knownText(`${'# a\n'.repeat(50_000)}x`))).toBeLessThan(500);
    expect(knownText('---\n# a\n\nversion https://git-lfs.github.com/spec/v1\n').what).toBe(
      'holds a pointer of Git LFS',
    );
  });

  it('is read as a kustomization in linear time', () => {
    const text = (size: number): string =>
      `resources:\n${lines(size, (at) => `  - a${at}.yaml`)}\n${lines(size, (at) => `x${at}: y`)}`;
    const time = (size: number): number => timeOf(() => readKustomization('kustomization.yaml', text(size)));
    expect(time(50_000)).toBeLessThan(Math.max(5 * time(25_000), 800));
  });
});
