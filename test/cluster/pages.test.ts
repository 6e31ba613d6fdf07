import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPager, type Page, pageBytes, type PageRequest, tooLong } from '../../src/cluster/pages.ts';
import { aConfigMap, configMapKind } from './a-cluster.ts';

const MiB = 1024 * 1024;
const podKind = { apiVersion: 'v1', kind: 'Pod' };

/** A server that has objects of these sizes, and what it was asked. */
function serverWith(sizes: readonly number[]) {
  const objects = sizes.map((_, at) => aConfigMap(`c${at}`));
  const asked: { readonly limit: number; readonly sent: number; readonly isTaken: boolean }[] = [];
  const ask = ({ limit, from, maxBytes = Number.POSITIVE_INFINITY }: PageRequest): Promise<Page> => {
    const start = Number(from);
    const end = Math.min(start + limit, sizes.length);
    const length = sizes.slice(start, end).reduce((sum, size) => sum + size, 0);
    const isTaken = length < maxBytes;
    asked.push({ limit, sent: Math.min(length, maxBytes), isTaken });
    if (!isTaken) return Promise.reject(tooLong('list', maxBytes));
    const next = end < sizes.length ? String(end) : '';
    return Promise.resolve({ items: objects.slice(start, end), resourceVersion: '1', next, length });
  };
  return { objects, asked, ask };
}

async function namesIn(pages: AsyncIterable<Page>): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { items } of pages) names.push(...items.map(({ metadata }) => metadata.name));
  return names;
}

describe('a list in pages', () => {
  it('has every object once, in order, and holds no answer of more than a page but for a single object', async () => {
    const size = fc.oneof(
      fc.integer({ min: 100, max: 5_000 }),
      fc.integer({ min: MiB / 2, max: 2 * MiB }),
      fc.constant(20 * MiB),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { maxLength: 300 }),
        fc.constantFrom(configMapKind, podKind),
        async (sizes, kind) => {
          const { objects, asked, ask } = serverWith(sizes);
          const pager = createPager();
          for (const _ of ['first', 'after a watch that broke']) {
            expect(await namesIn(pager.pages(kind, ask))).toEqual(objects.map(({ metadata }) => metadata.name));
          }
          for (const { limit, sent } of asked) if (limit > 1) expect(sent).toBeLessThanOrEqual(pageBytes);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of small objects asks for five hundred at a time, and of kinds that may be large for fifty first', async () => {
    const small = Array.from({ length: 1_200 }, () => 500);
    const limitsOf = async (kind: typeof podKind): Promise<readonly number[]> => {
      const { asked, ask } = serverWith(small);
      await namesIn(createPager().pages(kind, ask));
      return asked.map(({ limit }) => limit);
    };
    expect(await limitsOf(podKind)).toEqual([500, 500, 500]);
    for (const kind of [configMapKind, { apiVersion: 'v1', kind: 'Secret' }])
      expect(await limitsOf(kind)).toEqual([50, 500, 500, 500]);
  });

  it('of objects of 1 MiB gives few answers up, none once it knows them, and asks for more again when they are small', async () => {
    const { asked, ask } = serverWith(Array.from({ length: 500 }, () => MiB));
    const pager = createPager();
    await namesIn(pager.pages(configMapKind, ask));
    expect(asked.filter(({ isTaken }) => !isTaken)).toHaveLength(2);
    asked.length = 0;
    await namesIn(pager.pages(configMapKind, ask));
    expect(asked.every(({ isTaken }) => isTaken)).toBe(true);
    expect(asked.length).toBeLessThan(130);
    const small = serverWith(Array.from({ length: 1_000 }, () => 100));
    await namesIn(pager.pages(configMapKind, small.ask));
    expect(small.asked.length).toBeLessThan(6);
  });

  it('asks for no more than is wanted, and passes on what else fails', async () => {
    const { asked, ask } = serverWith(Array.from({ length: 900 }, () => 100));
    expect(await namesIn(createPager().pages(podKind, ask, 600))).toHaveLength(600);
    expect(asked.map(({ limit }) => limit)).toEqual([500, 100]);
    const refused = createPager().pages(podKind, () => Promise.reject(new Error('refused')));
    await expect(namesIn(refused)).rejects.toThrow('refused');
  });
});
