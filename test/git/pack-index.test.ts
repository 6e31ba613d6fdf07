import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PackEntries } from '../../src/git/pack-entries.ts';
import { encodingPackIndex, parsePackIndex } from '../../src/git/pack-index.ts';

const idOf = (number: number): Buffer => createHash('sha1').update(String(number)).digest();
/** The same first bytes for all of them, as nobody's ids have who does not look for them. */
const alike =
  (first: readonly number[]) =>
  (number: number): Buffer => {
    const id = idOf(number);
    id.set(first);
    return id;
  };

describe('the index of a pack', () => {
  it.each([
    ['spread evenly', idOf],
    ['all at one end', alike([0, 0, 0])],
    ['all at the other end', alike([255, 255, 255, 255])],
    ['alike but for their last bytes', alike(Array.from({ length: 16 }, () => 7))],
    ['in two heaps', (number: number) => alike(number % 3 === 0 ? [1, 2, 3, 4] : [1, 200])(number)],
  ] as const)('of ids that are %s finds each and no other, and is made bit by bit', (_, make) => {
    const count = 20_000;
    const entries = new PackEntries();
    for (let number = 0; number < count; number += 1) entries.add(make(number), 12 + number * 9, number);
    const work = encodingPackIndex(entries, Buffer.alloc(20, 1));
    let steps = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) steps += 1;
    expect(steps).toBeGreaterThan(260);
    const index = parsePackIndex(step.value);
    expect(index.count).toBe(count);
    for (let number = 0; number < count; number += 1)
      if (index.offsetOf(make(number)) !== 12 + number * 9) throw new Error(`${number} is not found`);
    for (let number = count; number < 2 * count; number += 1)
      if (index.offsetOf(make(number)) !== undefined) throw new Error(`${number} is found and is not there`);
  });

  it('of a pack without objects finds nothing', () => {
    const work = encodingPackIndex(new PackEntries(), Buffer.alloc(20));
    let step = work.next();
    while (step.done !== true) step = work.next();
    expect(parsePackIndex(step.value).offsetOf(idOf(1))).toBeUndefined();
  });
});
