import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRange } from '../../src/images/range.ts';
import { compareVersions, readVersion } from '../../src/images/version.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

const { tags, ranges } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/images/ranges.json'), 'utf8'),
) as { readonly tags: readonly string[]; readonly ranges: readonly (readonly [text: string, answer: string | null])[] };

/** Our answers in the form of the fixture: y or n, capital where the tag has all three numbers, - where it is no version; null: refused. */
function answerTo(text: string): string | null {
  const range = readRange(text);
  if ('problem' in range) return null;
  return tags
    .map((tag) => {
      const version = readVersion(tag, 'loose');
      if (!version) return '-';
      const letter = range.includes(version) ? 'y' : 'n';
      return readVersion(tag, 'strict') ? letter.toUpperCase() : letter;
    })
    .join('');
}
const differing = (text: string, answer: string): readonly string[] => {
  const ours = answerTo(text) ?? '';
  return tags.filter((tag, at) => ours[at] !== answer[at] && !isHuge(tag));
};
/** Numbers that JavaScript does not count to. Such a tag is no version here; in Flux it is one up to 2^64. */
const isHuge = (tag: string): boolean => /\d{16}/.test(tag);

/** What Flux's library says otherwise, and why that is left so. */
const differences: Readonly<Record<string, string>> = {
  '~0.0.0': 'Flux: every version. Here: those of 0.0, as ~ says everywhere else',
  '^*': 'Flux: 0.0.0 alone, where its documentation says any. Here: any',
  '^x.1': 'likewise',
  '>*': 'Flux: all but 0.0.0. Here: nothing is greater than any version',
  '!=*': 'Flux: all but 0.0.0. Here: nothing',
  '<=*': 'Flux: those of 0.0 alone. Here: any',
  '!=1.4-rc.1': 'Flux: leaves out 1.4.*-rc.1. Here: leaves out all of 1.4',
  '>=9007199254740993': 'Flux counts to 2^64. Here: refused',
};

describe('A range of versions', () => {
  it('includes what it includes in Flux, but for the table of differences', () => {
    const plain = ranges.filter(([text]) => !Object.hasOwn(differences, text) && !isOdd(text) && !isWild(text));
    for (const [text, answer] of plain) {
      if (answer === null) expect(answerTo(text), `"${text}" is refused by Flux`).toBeNull();
      else expect(differing(text, answer), `"${text}"`).toEqual([]);
    }
    expect(plain.length).toBeGreaterThan(250);
  });

  it.each(Object.entries(differences))('differs from Flux where that is meant: %s (%s)', (text) => {
    const answer = ranges.find(([one]) => one === text)?.[1];
    if (typeof answer !== 'string') throw new Error('it is not in the fixture');
    expect(differing(text, answer)).not.toEqual([]);
  });

  it.each<[range: string, tag: string, isIn: boolean]>([
    ['~1.4', '1.4.0', true],
    ['~1.4', '1.4.99', true],
    ['~1.4', '1.5.0', false],
    ['~1.4', 'v1.4.2', true],
    ['~1.4', '1.4.2-rc.1', false],
    ['~1.4-0', '1.4.2-rc.1', true],
    ['~1.4-0', '1.5.0-rc.1', false],
    ['>=1.0.0-0', '3.1.0-beta', true],
    ['1.x', '1.9.3', true],
    ['1.2 - 1.4', '1.4.7', true],
    ['1.2.0 - 1.4.0', '1.4.7', false],
    ['1.x || >=3.1, <4', '3.5.0', true],
    ['1.x || >=3.1, <4', '2.0.0', false],
    ['>=1.2 !=1.3.0', '1.3.0', false],
  ])('%s: whether it takes %s', (text, tag, isIn) => {
    const range = readRange(text);
    const version = readVersion(tag, 'loose');
    if ('problem' in range || !version) throw new Error('not read');
    expect(range.includes(version)).toBe(isIn);
  });

  it.each(['', ' ', '||', '1.x ||', 'latest', '1.4.0.1', '>', '>=1.2,', '[1.4,2.0)', '1|2'])(
    'that cannot be read takes nothing: %j',
    (text) => {
      expect(readRange(text)).toHaveProperty('problem');
    },
  );

  it('takes time in proportion to its text', () => {
    const spent = cpuMsOf(() => {
      for (const text of [
        '~'.repeat(600),
        '1.4 || '.repeat(50),
        '1'.repeat(512),
        '1.'.repeat(256),
        ' '.repeat(512),
        '- '.repeat(256),
        '1 - '.repeat(128),
        'v1-a.'.repeat(100),
      ])
        readRange(text);
    });
    expect(spent).toBeLessThan(300);
  });
});

/** An operator before a wild card, as in the table; and `!=` before a part of a version with a pre-release. */
const isWild = (text: string): boolean =>
  /(?:[<>^]|!=|[<>]=|=[<>])\s*v?[xX*]|!=\s*v?\d(?:\.[\dxX*])?(?:\.[xX*])?-/.test(text);

/** Flux reads signs between `|` and `,` as part of a version where one with a hyphen stands behind them, or wild cards as zero at its end. */
const isOdd = (text: string): boolean => / - /.test(text) && /\|\||,|\S \S+ - | - v?[x*]/.test(text);

describe('A tag', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['1.4.2', '1.4.2', '1.4.2'],
    ['v1.4.2', '1.4.2', '1.4.2'],
    ['V1.4.2', undefined, undefined],
    ['1.4', '1.4.0', undefined],
    ['v2', '2.0.0', undefined],
    ['1.4.0.1', undefined, undefined],
    ['1.4.0-alpine', '1.4.0-alpine', '1.4.0-alpine'],
    ['1.4.0_1', undefined, undefined],
    ['2024.01.02', '2024.1.2', undefined],
    ['1.4.0-01', undefined, undefined],
    ['latest', undefined, undefined],
    [`1.${'9'.repeat(20)}.0`, undefined, undefined],
  ])('%s is the version that Flux v1 and Flux v2 read in it', (tag, loose, strict) => {
    expect(readVersion(tag, 'loose')?.version).toBe(loose);
    expect(readVersion(tag, 'strict')?.version).toBe(strict);
  });

  it('rc10 is above rc9 where that is asked for', () => {
    const order = (names: readonly string[], by: 'semver' | 'natural'): readonly string[] =>
      names
        .map((name) => readVersion(`1.0.0-${name}`, 'strict'))
        .filter((version) => version !== undefined)
        .sort((a, b) => compareVersions(a, b, by))
        .map(({ prerelease }) => prerelease.join('.'));
    const names = ['rc10', 'rc9', 'rc1', 'beta2', 'rc.2', 'rc.10', 'rc10-1'];
    expect(order(names, 'semver')).toEqual(['beta2', 'rc.2', 'rc.10', 'rc1', 'rc10', 'rc10-1', 'rc9']);
    expect(order(names, 'natural')).toEqual(['beta2', 'rc.2', 'rc.10', 'rc1', 'rc9', 'rc10', 'rc10-1']);
  });
});
