import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { substituted } from '../../src/render/envsubst.ts';

/** Texts, and what Flux's own code makes of them (null: it fails). */
const answers = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/flux/envsubst.json'), 'utf8'),
) as readonly (readonly [text: string, answer: string | null])[];
const values: Readonly<Record<string, string>> = {
  A: 'apple',
  B: 'Größe',
  C: 'a/b.c.txt',
  E: '',
  N: '3',
  X_1: 'v1.2.3',
};
const answer = (text: string): string | null => {
  try {
    return substituted(text, (name) => values[name] ?? '');
  } catch {
    return null;
  }
};

describe('variables of postBuild', () => {
  it('mean what they mean in Flux', () => {
    const wrong = answers
      .filter(([text, said]) => answer(text) !== said)
      .map(([text, said]) => [text, said, answer(text)]);
    expect(wrong).toEqual([]);
    expect(answers.length).toBeGreaterThan(500);
  });

  it('are filled in in linear time, however they are written', () => {
    const began = performance.now();
    for (const text of ['${A}'.repeat(200_000), '$$'.repeat(400_000), '${A:-'.repeat(200_000), '$'.repeat(800_000)])
      answer(text);
    const pattern = (value: string, of: string): string | null => {
      try {
        return substituted('${V%' + of + '}', () => value);
      } catch {
        return null;
      }
    };
    pattern('a'.repeat(3_000), '*a'.repeat(50) + 'b');
    expect(pattern('a'.repeat(100_000), '*b')).toBe(null);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
