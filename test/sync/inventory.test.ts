import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityKey } from '../../src/manifest/identity.ts';
import type { ObjectRef } from '../../src/manifest/types.ts';
import { type Inventory, parseInventory, renderInventory } from '../../src/sync/inventory.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const ref: fc.Arbitrary<ObjectRef> = fc.record(
  {
    apiVersion: fc.constantFrom('v1', 'apps/v1', 'flagger.app/v1beta1'),
    kind: fc.constantFrom('ConfigMap', 'Deployment', 'Canary'),
    namespace: name,
    name,
  },
  { requiredKeys: ['apiVersion', 'kind', 'name'] },
);
const path = fc.oneof(
  fc.constantFrom(
    'a.yaml',
    'apps/web/all.yaml',
    'ünïcödé/ß.json',
    'with blank.yaml',
    'tab\there.yaml',
    'new\nline.yaml',
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
);

const inventoryOf = (revision: string, entries: readonly { ref: ObjectRef; path: string }[]): Inventory => ({
  revision,
  entries: new Map(entries.map((entry) => [identityKey(entry.ref), entry])),
});
const many = (count: number): Inventory =>
  inventoryOf(
    'a'.repeat(40),
    Array.from({ length: count }, (_, index) => ({
      ref: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: `team-${index % 40}`, name: `app-${index}` },
      path: `clusters/c${index % 5}/teams/t${index % 40}/app-${index}.yaml`,
    })),
  );

describe('the inventory', () => {
  it('is read as it was written, whatever paths are called', () => {
    const bareUid = fc.uuid();
    const entries = fc.uniqueArray(fc.record({ ref, path, bareUid }, { requiredKeys: ['ref', 'path'] }), {
      selector: (entry) => identityKey(entry.ref),
      maxLength: 30,
    });
    fc.assert(
      fc.property(entries, (all) => {
        const inventory = inventoryOf('0123abc', all);
        expect(parseInventory(renderInventory(inventory, 'serin'))).toEqual(inventory);
      }),
    );
  });

  it('is one ConfigMap while it is small, even when it is empty', () => {
    const shards = renderInventory(inventoryOf('', []), 'serin');
    expect(shards).toHaveLength(1);
    expect(shards[0]?.metadata).toMatchObject({ name: 'serin-inventory', namespace: 'serin' });
    expect(parseInventory(shards)).toEqual(inventoryOf('', []));
  });

  it('goes into several ConfigMaps that are each well under a mebibyte, and comes back in any order', () => {
    const inventory = many(10_000);
    const shards = renderInventory(inventory, 'serin');
    expect(shards.map(({ metadata }) => metadata.name)).toEqual(['serin-inventory', 'serin-inventory-1']);
    for (const shard of shards) expect(JSON.stringify(shard).length).toBeLessThan(700_000);
    expect(parseInventory(shards.toReversed()).entries.size).toBe(10_000);
  });

  it('is split by size where names and paths are long', () => {
    const long = inventoryOf(
      'r',
      Array.from({ length: 3_000 }, (_, index) => ({
        ref: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n'.repeat(63), name: `${'x'.repeat(240)}${index}` },
        path: `${'folder/'.repeat(60)}${index}.yaml`,
      })),
    );
    const shards = renderInventory(long, 'serin');
    for (const shard of shards) expect(JSON.stringify(shard).length).toBeLessThan(1_000_000);
    expect(parseInventory(shards).entries.size).toBe(3_000);
  });

  it('passes over lines that say nothing', () => {
    const shard = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'serin-inventory' } };
    expect(parseInventory([shard]).entries.size).toBe(0);
    expect(parseInventory([{ ...shard, data: { objects: '\n\tgarbage\n' } }]).entries.size).toBe(0);
  });
});
