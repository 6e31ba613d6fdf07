import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import {
  type Inventory,
  type InventoryData,
  inventoryName,
  inventorySelector,
  parseInventory,
  renderInventory,
} from './inventory.ts';
import { isFromGit } from './installation.ts';

export interface InventoryStore {
  /** From the cluster the first time, from memory afterwards. */
  read(signal: AbortSignal): Promise<Inventory>;
  /** What was read or saved last; undefined before. */
  known(): Inventory | undefined;
  save(next: Inventory, signal: AbortSignal): Promise<void>;
  /**
   * Which of these (see `PrunePlan.guarded`) a person allowed to be deleted although the guard does not let it: all of this revision, or
   * exactly these objects.
   */
  allowed(revision: string, guarded: string | undefined, signal: AbortSignal): Promise<ReadonlySet<string>>;
}

const manager = 'serin-inventory';
/**
 * On the first ConfigMap: the revision (at least seven digits of it) that may delete anything, or what names the objects that may go, which
 * is good for later commits too as long as the objects are the same.
 */
export const pruneAnnotation = 'serin.dev/prune-anything';

const isSame = (a: InventoryData, b: InventoryData): boolean =>
  a.revision === b.revision && a.manager === b.manager && a.format === b.format && a.objects === b.objects;

/** Keeps the inventory of a source in ConfigMaps of the agent's namespace. */
export function createInventoryStore(
  cluster: Cluster,
  namespace: string,
  log: Logger,
  source?: string,
): InventoryStore {
  const kind = { apiVersion: 'v1', kind: 'ConfigMap' };
  let inventory: Inventory | undefined;
  let saved: Inventory | undefined;
  /** Data of the ConfigMaps by name; undefined where it is not known. */
  let written = new Map<string, InventoryData | undefined>();

  const saveShard = async (shard: KubeObject, signal: AbortSignal): Promise<void> => {
    const options = { manager, force: true };
    try {
      await cluster.apply(shard, options, signal);
    } catch (error) {
      if (!(error instanceof AgentError) || error.details['status'] !== 404) throw error;
      // Started outside of an installation: the agent's own namespace is not there yet.
      await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, options, signal);
      await cluster.apply(shard, options, signal);
    }
  };

  return {
    async read(signal) {
      if (inventory) return inventory;
      const labelSelector = inventorySelector(source);
      const found = await cluster.list(kind, { namespace, labelSelector }, signal);
      const shards = found.filter((shard) => !isFromGit(shard));
      for (const { metadata } of found.filter(isFromGit))
        log.warn(
          { namespace, name: metadata.name },
          `ConfigMap ${namespacedName({ namespace, name: metadata.name })} came from Git, so it is no inventory: delete it`,
        );
      written = new Map(shards.map((shard) => [shard.metadata.name, undefined]));
      inventory = parseInventory(shards);
      return inventory;
    },
    known: () => inventory,
    async save(next, signal) {
      if (saved?.entries === next.entries && saved.revision === next.revision && saved.manager === next.manager) return;
      const shards = renderInventory(next, namespace, source);
      const names = new Set(shards.map(({ metadata }) => metadata.name));
      for (const shard of shards) {
        const before = written.get(shard.metadata.name);
        if (before && isSame(before, shard.data)) continue;
        await saveShard(shard, signal);
        written.set(shard.metadata.name, shard.data);
      }
      for (const name of written.keys()) {
        if (names.has(name)) continue;
        const ref: ObjectRef = { ...kind, namespace, name };
        await cluster.remove(ref, {}, signal);
        written.delete(name);
      }
      inventory = next;
      saved = next;
    },
    async allowed(revision, guarded, signal) {
      if (guarded === undefined) return new Set();
      const shard = await cluster.get({ ...kind, namespace, name: inventoryName(0, source) }, signal);
      const written = (shard?.metadata.annotations?.[pruneAnnotation] ?? '').split(',');
      const words = new Set(written.filter((word) => word.length >= 7));
      const isWhole = [...words].some((word) => revision.startsWith(word));
      return new Set(guarded.split(',').filter((name) => isWhole || words.has(name)));
    },
  };
}
