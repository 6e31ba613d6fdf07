import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import { applyDelta, encodeDelta } from '../../src/git/delta.ts';
import { addChild, createForest, descend } from '../../src/git/delta-forest.ts';

const contentOf = (node: number): Buffer => Buffer.from(`${'the same text for all of them, '.repeat(8)}${node}`);
const deltaBetween = (from: number, to: number): Buffer => {
  const delta = encodeDelta(contentOf(from), contentOf(to));
  if (!delta) throw new Error('no delta');
  return delta;
};

describe('objects that are made of each other', () => {
  it('are each computed, parents first, and however little is held', () => {
    // The parent of each among those before it; 0 is the root.
    const parents = fc.array(fc.nat(), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(parents, fc.constantFrom(0, 300, 1_000, 1_000_000), (seeds, heldBytes) => {
        const forest = createForest(seeds.length + 1);
        const parentOf = [-1, ...seeds.map((seed, at) => seed % (at + 1))];
        for (const [node, parent] of parentOf.entries()) if (parent >= 0) addChild(forest, parent, node);
        const seen = new Map<number, string>([[0, contentOf(0).toString()]]);
        atOnce(
          descend({
            forest,
            first: forest.firstChild[0] ?? -1,
            root: () => contentOf(0),
            deltaOf: (node) => deltaBetween(parentOf[node] ?? 0, node),
            visit: (node, content) => {
              expect(seen.has(parentOf[node] ?? 0)).toBe(true);
              expect(seen.has(node)).toBe(false);
              seen.set(node, content.toString());
            },
            heldBytes,
          }),
        );
        expect(seen.size).toBe(seeds.length + 1);
        for (const [node, text] of seen) expect(text).toBe(contentOf(node).toString());
      }),
    );
  });

  it('of a long chain are each made once where there is room', () => {
    const forest = createForest(2_000);
    for (let node = 1; node < 2_000; node += 1) addChild(forest, node - 1, node);
    let applied = 0;
    atOnce(
      descend({
        forest,
        first: 1,
        root: () => contentOf(0),
        deltaOf: (node) => {
          applied += 1;
          return deltaBetween(node - 1, node);
        },
        heldBytes: 1_000_000,
        visit: (node, content) => expect(applyDelta(deltaBetween(0, node), contentOf(0)).equals(content)).toBe(true),
      }),
    );
    expect(applied).toBe(1_999);
  });

  describe('each with a second one that comes when the chain has been made', () => {
    const length = 60;
    const size = 100_000;
    const filled = (node: number): Buffer => Buffer.alloc(size, node);
    /** Chain and second ones are both numbered from the root, 0. */
    const comb = createForest(3 * length);
    for (let node = 1; node < length; node += 1) {
      // With one below, or it would come first.
      addChild(comb, length + node, 2 * length + node);
      addChild(comb, node, length + node);
      addChild(comb, node - 1, node);
    }
    let asked = 0;
    const descent = {
      forest: comb,
      first: 1,
      root: () => filled(0),
      deltaOf: (node: number) => {
        asked += 1;
        const delta = encodeDelta(filled(node), filled(node));
        if (!delta) throw new Error('no delta');
        return delta;
      },
      heldBytes: 3 * size,
    };

    it('are made again a few at a time, so that others come between', () => {
      let seen = 0;
      let most = 0;
      const work = descend({ ...descent, visit: () => void (seen += 1) });
      for (asked = 0; work.next().done !== true; asked = 0) most = Math.max(most, asked);
      expect(seen).toBe(3 * (length - 1));
      expect(most).toBe(1);
    });

    it('need not be made again where nothing is made of them: they come first', () => {
      const forest = createForest(2 * length);
      for (let node = 1; node < length; node += 1) {
        addChild(forest, node, length + node);
        addChild(forest, node - 1, node);
      }
      asked = 0;
      atOnce(descend({ ...descent, forest, heldBytes: 0, visit: () => undefined, mostRemadeBytes: 2 * size }));
      expect(asked).toBe(2 * (length - 1));
    });

    it('are refused where nearly all is made again, as nobody but an attacker packs them', () => {
      const work = descend({ ...descent, visit: () => undefined, mostRemadeBytes: 10 * size });
      expect(() => atOnce(work)).toThrow('in too many ways');
    });
  });
});
