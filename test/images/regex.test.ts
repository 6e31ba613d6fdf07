import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expand, readRegex, type Regex } from '../../src/images/regex/regex.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

interface Expression {
  readonly pattern: string;
  readonly extract: string;
  readonly refused?: boolean;
  readonly texts: readonly { readonly text: string; readonly groups?: readonly number[]; readonly extract?: string }[];
}
const expressions = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/images/expressions.json'), 'utf8'),
) as readonly Expression[];

const regex = (pattern: string): Regex => {
  const read = readRegex(pattern);
  if ('problem' in read) throw new Error(read.problem);
  return read;
};

describe('A regular expression of a policy', () => {
  it('matches, captures and extracts what it does in Go', () => {
    for (const { pattern, extract, refused, texts } of expressions) {
      const read = readRegex(pattern);
      // A tag has only signs of ASCII, so classes of Unicode are refused.
      expect('problem' in read, pattern).toBe(refused === true || pattern.includes('\\p{'));
      if ('problem' in read) continue;
      for (const { text, groups, extract: extracted } of texts) {
        const found = read.find(text, { left: 1e6 });
        expect(found, `${pattern} in ${text}`).toEqual(groups);
        expect(read.matches(text, { left: 1e6 })).toBe(groups !== undefined);
        if (found) expect(expand(extract, read, text, found), `${pattern} in ${text}`).toBe(extracted ?? '');
      }
    }
    expect(expressions.length).toBeGreaterThan(250);
  });

  it.each([
    ['nested repetition', '(a*)*b'],
    ['alternatives that say the same', '^(a|a)*$'],
    ['repetition of repetition', '(((a+)+)+)+$'],
    ['many optional letters', `${'a?'.repeat(60)}${'a'.repeat(60)}`],
    ['counted repetition', '(a{1,20}){1,20}b'],
    ['dots', `${'.*'.repeat(60)}b`],
  ])('takes time in proportion to its size and the text: %s', (_, pattern) => {
    const read = regex(pattern);
    const budget = { left: 1e9 };
    for (let times = 0; times < 5; times += 1) read.matches('a'.repeat(128), budget);
    expect(1e9 - budget.left).toBeLessThan(5 * 129 * 2_100);
  });

  it.each([
    ['a repetition that is written out', '((((a{10}){10}){10}){10})'],
    ['a repetition of nothing', '(?:(?:(?:(?:){1000}){1000}){1000}){1000}'],
    ['depth', '('.repeat(500) + ')'.repeat(500)],
    ['length', 'a'.repeat(1e6)],
    ['open groups', '('.repeat(900)],
    ['open sets', '['.repeat(900)],
    ['look-ahead', '(?=a)'],
    ['a reference back', '(a)\\1'],
  ])('is refused at once where it is too much or no expression of Go: %s', (_, pattern) => {
    const spent = cpuMsOf(() => {
      expect(readRegex(pattern)).toHaveProperty('problem');
    });
    expect(spent).toBeLessThan(300);
  });

  it('says that it came to no end where the budget is used up', () => {
    const budget = { left: 1_000 };
    regex('(a*)*b').matches('a'.repeat(128), budget);
    expect(budget.left).toBeLessThan(0);
  });
});
