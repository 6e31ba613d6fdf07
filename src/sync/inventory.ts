import { perObject } from '../lib/memo.ts';
import { identityKey } from '../manifest/identity.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';

/** What was applied, so that what is gone from Git can be told from what was never ours. */
export interface Inventory {
  /** Last completely applied revision; empty before the first. Later commits that changed no manifest do not count. */
  readonly revision: string;
  /** By identityKey. Never changed: other entries are another map. */
  readonly entries: ReadonlyMap<string, InventoryEntry>;
  /** Field manager under which all of them were applied. Absent: `serin`. */
  readonly manager?: string;
}

export interface InventoryEntry {
  readonly ref: ObjectRef;
  /** File that it came from: while that file cannot be read, the object is not taken for deleted. */
  readonly path: string;
  /** Of an object without a field that our apply could own: the uid of the one that was applied. */
  readonly bareUid?: string;
  /** Of a Job or Pod: hash of what has run to its end, or goes by itself when it has. Gone, that is not made again. */
  readonly ran?: string;
  /**
   * Noted by an agent that named the file also for what charts make: which of the two this is was not seen since. Absent: `path` says it.
   */
  readonly mayBeOfChart?: true;
}

export const emptyInventory: Inventory = { revision: '', entries: new Map() };

export const inventoryLabel = 'serin.dev/inventory';
/** On those of a source with a name of its own: agents of before, which know one source, do not take them for theirs. */
export const sourceInventoryLabel = 'serin.dev/source-inventory';
/** `source`: absent for the one that has no name of its own. Names of sources hold no dots. */
export function inventoryName(shard: number, source?: string): string {
  if (source !== undefined) return `serin-inventory.${source}${shard === 0 ? '' : `.${shard}`}`;
  return shard === 0 ? 'serin-inventory' : `serin-inventory-${shard}`;
}
/** On all that is kept of a source with a name of its own, so that one command takes it away. */
export const sourceLabel = 'serin.dev/source';
/** Tells the ConfigMaps of one inventory. */
export const inventorySelector = (source?: string): string =>
  source === undefined ? `${inventoryLabel}=true` : `${sourceInventoryLabel}=${source}`;

export interface InventoryData {
  /** In the first ConfigMap only. */
  readonly revision?: string;
  /** Likewise. */
  readonly manager?: string;
  /** Likewise: `2` where each HelmRelease has a place of its own. Absent: an older agent wrote it. */
  readonly format?: string;
  readonly objects: string;
}

/** One ConfigMap of an inventory. */
export interface InventoryShard extends KubeObject {
  readonly data: InventoryData;
}

/** A ConfigMap may hold 1 MiB. */
const shardBytes = 500_000;

/**
 * One ConfigMap `serin-inventory`, and `serin-inventory-1`, … where one is not enough. Data: one line an object; the revision stands in
 * the first, so that a new one does not write all of them.
 */
export function renderInventory(inventory: Inventory, namespace: string, source?: string): readonly InventoryShard[] {
  const labels =
    source === undefined ? { [inventoryLabel]: 'true' } : { [sourceInventoryLabel]: source, [sourceLabel]: source };
  return bodiesOf(inventory.entries).map((objects, index) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: inventoryName(index, source), namespace, labels },
    data: { ...(index === 0 ? headOf(inventory) : {}), objects },
  }));
}

const format = '2';

const headOf = ({ revision, manager }: Inventory): Omit<InventoryData, 'objects'> => ({
  revision,
  format,
  ...(manager === undefined ? {} : { manager }),
});

const bodiesOf = perObject((entries: Inventory['entries']): readonly string[] =>
  inShards([...entries.values()].map(renderEntry).sort()).map((lines) => lines.join('\n')),
);

export function parseInventory(shards: readonly KubeObject[]): Inventory {
  const entries = new Map<string, InventoryEntry>();
  const isOld = !shards.some((shard) => (shard['data'] as Partial<InventoryData> | undefined)?.format === format);
  let revision = '';
  let manager: string | undefined;
  for (const shard of shards) {
    const data = (shard['data'] ?? {}) as Partial<InventoryData>;
    revision = data.revision ?? revision;
    manager = data.manager ?? manager;
    for (const line of (data.objects ?? '').split('\n')) {
      const [apiVersion = '', kind = '', namespace = '', name = '', path = '', ...notes] = line.split('\t');
      if (name === '') continue;
      const ref: ObjectRef = namespace === '' ? { apiVersion, kind, name } : { apiVersion, kind, namespace, name };
      entries.set(identityKey(ref), {
        ref,
        path: readPath(path),
        ...(isOld ? { mayBeOfChart: true } : {}),
        ...readNotes(notes),
      });
    }
  }
  return manager === undefined ? { revision, entries } : { revision, entries, manager };
}

function inShards(lines: readonly string[]): readonly (readonly string[])[] {
  const shards: string[][] = [[]];
  let bytes = 0;
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1;
    if (bytes + size > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    bytes += size;
    shards.at(-1)?.push(line);
  }
  return shards;
}

const renderEntry = ({ ref, path, bareUid, ran, mayBeOfChart }: InventoryEntry): string => {
  const notes = [
    ...(bareUid === undefined ? [] : [`uid=${bareUid}`]),
    ...(ran === undefined ? [] : [`ran=${ran}`]),
    ...(mayBeOfChart === true ? [chartNote] : []),
  ];
  return [ref.apiVersion, ref.kind, ref.namespace ?? '', ref.name, renderPath(path), ...notes].join('\t');
};

const chartNote = 'may-be=chart';

function readNotes(notes: readonly string[]): Omit<InventoryEntry, 'ref' | 'path'> {
  const valueOf = (name: string): string | undefined =>
    notes.find((note) => note.startsWith(`${name}=`))?.slice(name.length + 1);
  const [bareUid, ran] = [valueOf('uid'), valueOf('ran')];
  return {
    ...(bareUid === undefined ? {} : { bareUid }),
    ...(ran === undefined ? {} : { ran }),
    ...(notes.includes(chartNote) ? { mayBeOfChart: true } : {}),
  };
}

/** Git allows tabs and line feeds in paths. */
const renderPath = (path: string): string => path.replace(/[%\t\n]/g, encodeURIComponent);
const readPath = (text: string): string => text.replace(/%(?:25|09|0A)/g, decodeURIComponent);
