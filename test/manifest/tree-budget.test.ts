import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTreeBudget } from '../../src/manifest/tree-budget.ts';

const tenantOf = (path: string): string => path.split('/')[0] ?? '';

/** What is left of the files, by the tenant. */
function kept(most: number, files: readonly (readonly [path: string, weight: number])[]): Map<string, number> {
  const budget = createTreeBudget(most, tenantOf);
  const left = new Map<string, number>();
  for (const [path, weight] of files) {
    left.set(path, weight);
    for (const gone of budget.add(path, weight)) left.delete(gone);
  }
  return left;
}
const sum = (files: ReadonlyMap<string, number>, tenant = ''): number =>
  [...files].reduce((all, [path, weight]) => (path.startsWith(tenant) ? all + weight : all), 0);

describe('The manifests of all tenants together', () => {
  it('take no more than there is room for, and cost nobody a file who has no more than a fair part', () => {
    const file = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 0, max: 300 }));
    fc.assert(
      fc.property(fc.array(file, { maxLength: 80 }), (files) => {
        const all = files.map(([tenant, weight], at) => [`${tenant}/${at}`, weight] as const);
        const left = kept(1_000, all);
        expect(sum(left)).toBeLessThanOrEqual(1_000);
        if (sum(new Map(all)) <= 1_000) expect(left.size).toBe(all.length);
        for (const tenant of ['a', 'b', 'c', 'd'])
          if (sum(new Map(all), tenant) <= 200) expect(sum(left, tenant)).toBe(sum(new Map(all), tenant));
      }),
    );
  });

  it('lose the largest files of the tenant with the most', () => {
    const files = [...Array.from({ length: 20 }, (_, at) => [`a/${at}`, 100 + at] as const), ['b/1', 300] as const];
    const left = kept(1_000, files);
    expect(left.get('b/1')).toBe(300);
    expect(left.has('a/0')).toBe(true);
    expect(left.has('a/19')).toBe(false);
  });

  it('push out no file for one of about its own size, nor is a file kept away by a tenant that has more', () => {
    const budget = createTreeBudget(1_000, tenantOf);
    for (let at = 0; at < 6; at += 1) budget.add(`a/${at}`, 150);
    expect(budget.mayFit('a/more', 90)).toBe(true);
    expect(budget.mayFit('a/more', 140)).toBe(false);
    expect(budget.mayFit('b/first', 400)).toBe(true);
    const other = createTreeBudget(1_000, tenantOf);
    for (const [path, weight] of [
      ['a/0', 150],
      ['a/1', 150],
      ['a/2', 600],
    ] as const)
      other.add(path, weight);
    expect(other.mayFit('a/more', 250)).toBe(true);
    expect(other.mayFit('a/more', 350)).toBe(false);
  });

  it('are weighed in little more than linear time', () => {
    const files = Array.from({ length: 100_000 }, (_, at) => [`a/${at}`, 1 + (at % 7)] as const);
    const before = process.cpuUsage();
    kept(20_000, files);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });
});
