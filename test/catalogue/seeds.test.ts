import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isTest, readSeeds, renderSeeds } from './seeds.ts';

const sections = readSeeds();
const items = sections.flatMap((section) => section.items);

describe('what the documents of the start show', () => {
  it('has all 171 items in their order', () => {
    expect(items.map(({ id }) => id)).toEqual(
      Array.from({ length: 171 }, (_, at) => `SC-${String(at + 1).padStart(3, '0')}`),
    );
  });

  it('names tests that there are', () => {
    const missing = items.flatMap(({ id, tests = [] }) =>
      tests.filter((test) => !isTest(test)).map((test) => [id, test]),
    );
    expect(missing).toEqual([]);
  });

  it('says of every item which test shows it, what will bring it, or who decides it', () => {
    expect(items.filter(({ tests, later, outside }) => !tests && !later && !outside)).toEqual([]);
    expect(items.filter(({ tests, later, outside }) => outside && (tests ?? later))).toEqual([]);
  });

  it('is the table beside this test', async () => {
    await expect(renderSeeds(sections)).toMatchFileSnapshot(join(import.meta.dirname, 'SEEDS.md'));
  });
});
