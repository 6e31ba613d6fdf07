import { identitiesOf, identityKey } from '../manifest/identity.ts';
import { waveOf } from '../manifest/order.ts';
import { groupOf, type Manifest, type ObjectRef } from '../manifest/types.ts';
import type { Inventory, InventoryEntry } from './inventory.ts';

export interface PruneInput {
  readonly desired: readonly Manifest[];
  readonly inventory: Inventory;
  /** Files that cannot be read at the moment. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** What stands in them: an object may have moved there. Absent: nothing. */
  readonly unreadableText?: string;
  readonly prune: boolean;
  /** Switches the guard off. */
  readonly pruneAnything: boolean;
  /** The agent's own namespace. Absent: not in Git. */
  readonly ownNamespace?: string;
}

export interface PrunePlan {
  /** In this order. */
  readonly prune: readonly InventoryEntry[];
  /** Why nothing is pruned although something is gone; undefined where nothing is held back. */
  readonly held: string | undefined;
  /** Whether it was the guard against mass deletion. */
  readonly isGuarded: boolean;
}

const guardMinimum = 5;
const override = 'if that is meant, set --prune-anything';

/** What is gone from Git and may be deleted. A tree that is empty, unreadable or suddenly much smaller deletes nothing. */
export function planPrune(input: PruneInput): PrunePlan {
  const { desired, inventory, prune, pruneAnything } = input;
  const wanted = identitiesOf(desired);
  const missing = [...inventory.entries].filter(([key]) => !wanted.has(key)).map(([, entry]) => entry);
  const gone = missing.filter((entry) => !mayBeUnreadable(entry, input) && !isNeeded(entry.ref, input));
  if (gone.length === 0) return hold(undefined);
  const total = inventory.entries.size;
  if (!prune) return hold(`${things(gone.length)} gone from Git and stay in the cluster: pruning is off`);
  if (!pruneAnything && desired.length === 0) {
    return guarded(
      `the tree holds no objects at all, so nothing is deleted of the ${total} that came from it before; ${override}`,
    );
  }
  if (!pruneAnything && total > guardMinimum && gone.length * 2 > total) {
    return guarded(`${gone.length} of ${total} objects are gone from Git at once, so nothing is deleted; ${override}`);
  }
  const backwards = [...gone].sort(
    (a, b) => waveOf(b.ref) - waveOf(a.ref) || (identityKey(a.ref) < identityKey(b.ref) ? -1 : 1),
  );
  return { prune: backwards, held: undefined, isGuarded: false };
}

const hold = (held: string | undefined): PrunePlan => ({ prune: [], held, isGuarded: false });
const guarded = (held: string): PrunePlan => ({ prune: [], held, isGuarded: true });
const things = (count: number): string => (count === 1 ? '1 object is' : `${count} objects are`);

function mayBeUnreadable({ ref, path }: InventoryEntry, { unreadablePaths, unreadableText = '' }: PruneInput): boolean {
  if (unreadablePaths.has(path)) return true;
  return isNamedIn(unreadableText, ref.name);
}

function isNamedIn(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = `${text[at - 1] ?? ' '}${text[at + name.length] ?? ' '}`;
    if (!/[-.\w]/.test(around)) return true;
  }
  return false;
}

const systemNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/** With a Namespace or a definition everything in it goes, so both stay while Git still has something in them. */
function isNeeded(ref: ObjectRef, { desired, ownNamespace }: PruneInput): boolean {
  if (ref.kind === 'Namespace' && ref.apiVersion === 'v1') {
    if (systemNamespaces.has(ref.name) || ref.name === ownNamespace) return true;
    return desired.some(({ object }) => object.metadata.namespace === ref.name);
  }
  if (ref.kind === 'CustomResourceDefinition') {
    const group = ref.name.slice(ref.name.indexOf('.') + 1);
    return desired.some(({ object }) => groupOf(object.apiVersion) === group);
  }
  return false;
}
