import { type KubeObject, type ObjectRef, refKey } from '../manifest/types.ts';

/** What was applied, so that what is gone from Git can be told from what was never ours. */
export interface Inventory {
  /** Last completely applied revision; empty before the first. */
  readonly revision: string;
  readonly entries: ReadonlyMap<string, InventoryEntry>;
}

export interface InventoryEntry {
  readonly ref: ObjectRef;
  /** File that it came from: while that file cannot be read, the object is not taken for deleted. */
  readonly path: string;
}

export const emptyInventory: Inventory = { revision: '', entries: new Map() };

/** A ConfigMap may hold 1 MiB; entries take some hundred bytes at most. */
const entriesPerShard = 2_000;
export const inventoryLabel = 'serin.dev/inventory';

/** One ConfigMap `serin-inventory`, and `serin-inventory-1`, … where one is not enough. Data: one line an object. */
export function renderInventory(inventory: Inventory, namespace: string): readonly KubeObject[] {
  const lines = [...inventory.entries.values()]
    .map(({ ref, path }) => [ref.apiVersion, ref.kind, ref.namespace ?? '', ref.name, path].join('\t'))
    .sort();
  const shards: KubeObject[] = [];
  for (let from = 0; from === 0 || from < lines.length; from += entriesPerShard) {
    const index = shards.length;
    shards.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: index === 0 ? 'serin-inventory' : `serin-inventory-${index}`,
        namespace,
        labels: { [inventoryLabel]: 'true' },
      },
      data: { revision: inventory.revision, objects: lines.slice(from, from + entriesPerShard).join('\n') },
    });
  }
  return shards;
}

export function parseInventory(shards: readonly KubeObject[]): Inventory {
  const entries = new Map<string, InventoryEntry>();
  let revision = '';
  for (const shard of shards) {
    const data = (shard['data'] ?? {}) as { revision?: string; objects?: string };
    revision = data.revision ?? revision;
    for (const line of (data.objects ?? '').split('\n')) {
      const [apiVersion = '', kind = '', namespace = '', name = '', path = ''] = line.split('\t');
      if (name === '') continue;
      const ref: ObjectRef = namespace === '' ? { apiVersion, kind, name } : { apiVersion, kind, namespace, name };
      entries.set(refKey(ref), { ref, path });
    }
  }
  return { revision, entries };
}
