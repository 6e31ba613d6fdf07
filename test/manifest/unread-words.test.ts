import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../src/manifest/parse.ts';
import { joinedWords, namesIn, unreadWords } from '../../src/manifest/unread-words.ts';
import { planPrune } from '../../src/sync/prune-plan.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const word = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?$/);

describe('What is kept of a text that cannot be read', () => {
  it('may name what it names, however it is written and however long it is, and is short', () => {
    const between = fc.constantFrom(' ', '\n', ': ', '"', '{', ',', '] ', '\t- ');
    const filler = fc.constantFrom('', 'x '.repeat(20 * KiB), 'word-1 '.repeat(40 * KiB), 'y'.repeat(600 * KiB));
    fc.assert(
      fc.property(fc.array(fc.tuple(between, word), { maxLength: 30 }), filler, (words, rest) => {
        const kept = unreadWords(`${rest}${words.flat().join('')} `);
        const may = namesIn(joinedWords([kept, 'else']));
        for (const [, name] of words) expect(may(name)).toBe(true);
        expect(kept.length).toBeLessThanOrEqual(32 * KiB);
      }),
    );
  });

  it('names nothing else where its words can be kept', () => {
    const may = namesIn(unreadWords(`${'some words of a long text '.repeat(2_000)}name: web-2`));
    expect(['web-2', 'long'].map(may)).toEqual([true, true]);
    expect(['web', '2', 'web-20', 'shorter'].map(may)).toEqual([false, false, false, false]);
    expect(namesIn('')('web')).toBe(false);
  });

  it('may name whatever is asked for where its words are too many', () => {
    const many = Array.from({ length: 20_000 }, (_, at) => `w${at}`).join(' ');
    for (const text of [many, 'a'.repeat(16 * MiB)]) expect(namesIn(unreadWords(text))('anything')).toBe(true);
    const each = unreadWords(many.slice(0, 30 * KiB));
    expect(namesIn(joinedWords([each, each]))('anything')).toBe(false);
    expect(namesIn(joinedWords(Array.from({ length: 20 }, () => each)))('anything')).toBe(true);
  });

  it('names a role by the parts of its name', () => {
    const may = namesIn('metadata: { name: system:node-reader }');
    expect(['system:node-reader', 'system:other'].map(may)).toEqual([true, false]);
  });

  it('is asked for names in linear time: a long run of one letter against names of it', () => {
    const names = Array.from({ length: 250 }, (_, at) => 'a'.repeat(at + 1));
    const entries = new Map(
      names.map((name) => {
        const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'a', name };
        return [name, { ref, path: `a/${name}.yaml` }];
      }),
    );
    const texts = ['a'.repeat(16 * MiB), 'a '.repeat(8 * MiB), 'a'.repeat(30 * KiB)];
    for (const text of texts) {
      const { unreadableText } = parseManifests('a.yaml', `apiVersion: v1\nkind: [\n${text}`);
      const before = process.cpuUsage();
      planPrune({
        desired: [],
        inventory: { revision: '1', entries },
        unreadablePaths: new Set(),
        areas: new Map([['', { unreadableText, elsewhere: new Map() }]]),
        prune: true,
        pruneAnything: true,
      });
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1_000).toBeLessThan(100);
    }
  }, 60_000);
});
