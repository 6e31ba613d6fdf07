import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import { matchesGlob, readGlob } from '../../src/manifest/glob.ts';
import { ignoredPaths, readIgnoreFile } from '../../src/manifest/ignore-file.ts';

const ignored = (files: Readonly<Record<string, string>>, paths: readonly string[]): readonly string[] => {
  const read = Object.entries(files).map(([path, text]) => readIgnoreFile(path, text));
  return [...atOnce(ignoredPaths(paths, read)).paths];
};

describe('An ignore file', () => {
  it.each([
    ['*.tmp.yaml', ['a.tmp.yaml', 'x/a.tmp.yaml'], ['a.yaml']],
    ['/a.yaml', ['a.yaml'], ['x/a.yaml']],
    ['docs/', ['docs/a.yaml', 'x/docs/y/a.yaml'], ['docs.yaml']],
    ['x/*.yaml', ['x/a.yaml'], ['x/y/a.yaml', 'z/x/a.yaml']],
    ['x/**', ['x/a.yaml', 'x/y/a.yaml'], ['xy/a.yaml']],
    ['**/y', ['y/a.yaml', 'x/y/a.yaml'], ['xy/a.yaml']],
    ['x/**/z.yaml', ['x/z.yaml', 'x/y/w/z.yaml'], ['x/yz.yaml']],
    ['a?.yaml', ['ab.yaml'], ['a.yaml', 'a/.yaml']],
    ['a**b', ['a/x/b', 'ab'], ['a/x/c']],
    ['*.yaml\n!keep.yaml', ['a.yaml'], ['keep.yaml']],
    ['# a comment\n\n  a.yaml  ', ['a.yaml'], ['b.yaml']],
  ])('%j leaves out what .gitignore would', (text, out, left) => {
    expect(ignored({ '.serinignore': text }, [...out, ...left])).toEqual(out);
  });

  it('is about its own folder, and says the last word there', () => {
    const files = { '.serinignore': '*.yaml', 'a/.serinignore': '!b.yaml' };
    expect(ignored(files, ['a/b.yaml', 'b.yaml', 'c/b.yaml'])).toEqual(['b.yaml', 'c/b.yaml']);
  });

  it.each([
    ['many stars', `${'*a'.repeat(13)}b`, 'a'.repeat(60)],
    ['many double stars', `${'**a'.repeat(200)}b`, 'a'.repeat(2_000)],
    ['many folders', `${'**/a/'.repeat(100)}b`, 'a/'.repeat(1_000)],
  ])('compares %s in no more steps than the product of the lengths', (_, pattern, path) => {
    let steps = 0;
    const glob = readGlob(pattern);
    expect(
      matchesGlob(glob, path, () => {
        steps += 1;
        return true;
      }),
    ).toBe(false);
    expect(steps).toBeLessThanOrEqual(glob.length * path.length);
  });

  it.each([
    ['nothing but stars', '*'.repeat(60_000)],
    ['folder after folder', '**/'.repeat(20_000)],
    ['both in turn', '****/'.repeat(12_000)],
  ])('may be %s', (_, pattern) => {
    const read = readIgnoreFile('mine/.serinignore', pattern);
    const found = atOnce(ignoredPaths(['mine/a/b.yaml', 'yours/a.yaml'], [read]));
    expect([...found.paths]).not.toContain('yours/a.yaml');
  });

  it('ends within its steps in one long line and one long name, too', () => {
    let left = 1_000;
    const glob = readGlob(`${'**a'.repeat(20_000)}b`);
    expect(matchesGlob(glob, 'a'.repeat(4_000), () => (left -= 1) >= 0)).toBe(false);
    expect(left).toBe(-1);
  });

  it('that takes too long costs its own folder, and says so', () => {
    const text = Array.from({ length: 400 }, (_, at) => `${'**a'.repeat(60)}${at}`).join('\n');
    const paths = Array.from({ length: 50 }, (_, at) => `mine/${'a'.repeat(200)}${at}.yaml`);
    const read = [readIgnoreFile('mine/.serinignore', text), readIgnoreFile('yours/.serinignore', 'b.yaml')];
    const found = atOnce(ignoredPaths([...paths, 'yours/a.yaml', 'yours/b.yaml'], read));
    expect([...found.paths]).toEqual([...paths, 'yours/b.yaml']);
    expect(found.problems).toMatchObject([{ severity: 'error', path: 'mine/.serinignore', line: 1 }]);
  });

  it('that is too large costs its own folder', () => {
    const read = [readIgnoreFile('mine/.serinignore', 'x\n'.repeat(40_000))];
    const found = atOnce(ignoredPaths(['mine/a.yaml', 'yours/a.yaml'], read));
    expect([...found.paths]).toEqual(['mine/a.yaml']);
    expect(found.problems[0]?.message).toContain('is larger than 64 KiB');
  });

  it('of a hundred ordinary lines is followed in a tree of thousands of files', () => {
    const lines = Array.from({ length: 100 }, (_, at) => (at % 3 === 0 ? `*.draft${at}.yaml` : `folder${at}/`));
    const paths = Array.from({ length: 5_000 }, (_, at) => `team${at % 50}/service${at}/base/deployment.yaml`);
    expect(atOnce(ignoredPaths(paths, [readIgnoreFile('.serinignore', lines.join('\n'))]))).toEqual({
      paths: new Set(),
      problems: [],
    });
  });
});
