import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutDocuments } from '../../src/manifest/documents.ts';
import { writtenIn } from '../../src/manifest/edit-tree.ts';
import { editedFiles } from '../../src/render/tree-files.ts';
import type { Files } from '../../src/render/tree-files.ts';
import { revertApp } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { undoChanges } from '../../src/manifest/edit-undo.ts';
import { makeRelease } from './a-release.ts';

/** One document of a tree: what it says, and its text without what stands between documents. */
interface Said {
  readonly name: string;
  /** Undefined where it cannot be read. */
  readonly value: unknown;
  readonly text: string;
}

/** All documents of a tree, whatever file they stand in. */
function saidIn(files: Files): readonly Said[] {
  const parts = [...files.values()].flatMap((text) => cutDocuments(text.replace('\uFEFF', '')));
  return parts.flatMap((part) => {
    const value: unknown = writtenIn(part)?.[0]?.value;
    const text = part.replace(/^---.*\r?\n/, '').trim();
    if (value === null || (value === undefined && /^(?:#.*\s*)*$/.test(text))) return [];
    const { kind, metadata } = (value ?? {}) as { kind?: string; metadata?: { name?: string } };
    return [{ name: `${kind ?? ''} ${metadata?.name ?? ''}`, value, text }];
  });
}

it('whatever was released and however it is written, the app reads as before and all else keeps its bytes', () => {
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (seed) => {
      const { base, judged, tip, own, isPlain } = makeRelease(seed);
      const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
      const result = revertApp({ app: { namespace: 'test', name: 'a' }, base, judged, tip, render });
      kinds.set(result.kind, (kinds.get(result.kind) ?? 0) + 1);
      if (result.kind === 'nothing') return;
      if (result.kind !== 'edited') throw new Error(JSON.stringify(result));
      const after = editedFiles(tip, result.files);
      if (isPlain) expect(new Map(after)).toEqual(new Map(base));

      const [before, tried, now, then] = [base, judged, tip, after].map(saidIn);
      if (!before || !tried || !now || !then) throw new Error('unreachable: four trees');
      const isOwn = ({ name }: Said): boolean => !name.startsWith('Canary') && own.has(name.split(' ')[1] ?? '');
      const mine = (said: readonly Said[]): ReadonlyMap<string, unknown> =>
        new Map(said.filter(isOwn).map(({ name, value }) => [name, value]));
      const [old, released, current] = [before, tried, now].map(mine);
      const wanted = new Map(
        [...(old ?? [])].map(([name, value]) => {
          const both = released?.has(name) === true && current?.has(name) === true;
          return [name, both ? undoChanges(value, released.get(name), current.get(name)) : value];
        }),
      );
      expect(mine(then)).toEqual(wanted);
      expect(then.filter(isOwn)).toHaveLength(wanted.size);
      // The head of a file is its first document's neighbour, whichever that is.
      const others = (said: readonly Said[]): readonly string[] =>
        said
          .filter((each) => !isOwn(each))
          .map(({ text }) => text.replace(/^# head\r?\n(?:# of the file\r?\n)?/, ''))
          .toSorted();
      expect(others(then)).toEqual(others(now));
      for (const text of after.values()) expect(/[^\r]\n/.test(text) && /\r\n/.test(text)).toBe(false);
    }),
    { numRuns: 80 },
  );
  expect(kinds.get('edited')).toBeGreaterThan(60);
});
