import { describe, expect, it } from 'vitest';
import { identityKey } from '../../src/manifest/identity.ts';
import { type Manifest, refOf } from '../../src/manifest/types.ts';
import type { Inventory } from '../../src/sync/inventory.ts';
import { planPrune, type PruneInput, type PrunePlan } from '../../src/sync/prune-plan.ts';
import { aConfigMap, aManifest, named } from './a-manifest.ts';

const areaOf = (path: string): string => path.split('/')[0] ?? '';
const inventoryOf = (manifests: readonly Manifest[]): Inventory => ({
  revision: 'r',
  entries: new Map(
    manifests.map(({ object, source }) => [identityKey(refOf(object)), { ref: refOf(object), path: source.path }]),
  ),
});
const many = (tenant: string, count: number): Manifest[] =>
  Array.from({ length: count }, (_, index) => aConfigMap(`${tenant}${index}`, {}, `${tenant}/x.yaml`));
const prune = (desired: readonly Manifest[], inventory: Inventory, extra: Partial<PruneInput> = {}): PrunePlan =>
  planPrune({ desired, inventory, unreadablePaths: new Set(), prune: true, pruneAnything: false, areaOf, ...extra });
const going = ({ prune: entries }: PrunePlan): string[] => entries.map(({ ref }) => named(ref));

describe('what a tenant takes out of Git', () => {
  const [a, b] = [many('a', 8), many('b', 8)];
  const inventory = inventoryOf([...a, ...b]);

  it('goes, while the guard holds what another one takes out at once', () => {
    const plan = prune([...a.slice(0, 7), ...b.slice(0, 2)], inventory);
    expect(going(plan)).toEqual(['ConfigMap test/a7']);
    expect(plan.held).toMatch(/^tenant b: 6 of 8 objects are gone from Git at once/);
    expect(prune(a, inventory).held).toMatch(/^tenant b: the tree holds no objects at all/);
  });

  it('is let go by itself', () => {
    const plan = prune([...a.slice(0, 2), ...b.slice(0, 2)], inventory);
    expect(going(plan)).toEqual([]);
    const [first = '', second = ''] = plan.guarded?.split(',') ?? [];
    const allowed = prune([...a.slice(0, 2), ...b.slice(0, 2)], inventory, { allowed: new Set([first]) });
    expect(new Set(going(allowed).map((name) => name.slice(0, -1)))).toEqual(new Set(['ConfigMap test/a']));
    expect(allowed.guarded).toBe(second);
  });

  it('goes, whatever stands in files of another one: unreadable text, or what it may not write', () => {
    const areas = new Map([
      [
        'a',
        {
          unreadableText: 'name: b7 b6 b5',
          elsewhere: new Map([['/ConfigMap/test/b7', { path: 'a/y.yaml', line: 1, what: 'holds it' }]]),
        },
      ],
    ]);
    expect(going(prune([...a, ...b.slice(0, 7)], inventory, { areas }))).toEqual(['ConfigMap test/b7']);
    expect(going(prune([...a.slice(0, 7), ...b], inventory, { areas }))).toEqual(['ConfigMap test/a7']);
    const own = new Map([['b', { unreadableText: 'name: b7', elsewhere: new Map() }]]);
    expect(going(prune([...a, ...b.slice(0, 7)], inventory, { areas: own }))).toEqual([]);
  });

  it('takes no namespace along in which the guard holds something of another one', () => {
    const namespace = aManifest('Namespace test', {}, 'admin/ns.yaml');
    const other = aManifest('Namespace other', {}, 'admin/ns.yaml');
    const all = inventoryOf([namespace, other, ...b, ...many('admin', 3)]);
    expect(going(prune([...b.slice(0, 2), ...many('admin', 3)], all))).toEqual(['Namespace other']);
  });
});
