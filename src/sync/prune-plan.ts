import { sha256Hex } from '../lib/hash.ts';
import { identitiesOf, identityKey, nameOf } from '../manifest/identity.ts';
import { type Elsewhere, placeKey } from '../manifest/load.ts';
import { waveOf } from '../manifest/order.ts';
import type { Stray } from '../manifest/stray.ts';
import { groupOf, type Manifest, type ObjectRef, type Problem, refOf } from '../manifest/types.ts';
import type { Inventory, InventoryEntry } from './inventory.ts';

export interface PruneInput {
  readonly desired: readonly Manifest[];
  readonly inventory: Inventory;
  /** Files that cannot be read at the moment. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** What stands in them: an object may have moved there. Absent: nothing. */
  readonly unreadableText?: string;
  /** Files, and what else stands at the paths of the inventory, that hold something else than objects. Absent: none. */
  readonly strays?: ReadonlyMap<string, Stray>;
  /** See `LoadedTree`. Absent: none. */
  readonly elsewhere?: ReadonlyMap<string, Elsewhere>;
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
  /** Where it was the guard against mass deletion: what names exactly these objects. */
  readonly guarded: string | undefined;
  /** What stays because the place in Git that it came from holds something that cannot be understood. */
  readonly kept: readonly Problem[];
}

const guardMinimum = 5;
const namesShown = 8;
const override = 'if that is meant, set --prune-anything';

/** What is gone from Git and may be deleted. A tree that is empty, unreadable or suddenly much smaller deletes nothing. */
export function planPrune(input: PruneInput): PrunePlan {
  const { inventory, prune, pruneAnything, desired } = input;
  const { gone, kept } = goneFrom(input);
  const nothing = { prune: [], held: undefined, guarded: undefined, kept };
  if (gone.length === 0) return nothing;
  const total = inventory.entries.size;
  if (!prune)
    return { ...nothing, held: `${things(gone.length)} gone from Git and stay in the cluster: pruning is off` };
  const guard = (why: string): PrunePlan => ({
    ...nothing,
    held: `${why} (${shownNames(gone.map(({ ref }) => ref))}); ${override}`,
    guarded: namesOnly(gone),
  });
  if (!pruneAnything && desired.length === 0)
    return guard(`the tree holds no objects at all, so nothing is deleted of the ${total} that came from it before`);
  if (!pruneAnything && total > guardMinimum && gone.length * 2 > total)
    return guard(`${gone.length} of ${total} objects are gone from Git at once, so nothing is deleted`);
  const backwards = [...gone].sort(
    (a, b) => waveOf(b.ref) - waveOf(a.ref) || (identityKey(a.ref) < identityKey(b.ref) ? -1 : 1),
  );
  return { ...nothing, prune: backwards };
}

/** Twelve hex digits for these objects and no others. */
function namesOnly(gone: readonly InventoryEntry[]): string {
  const keys = gone.map(({ ref }) => identityKey(ref)).sort();
  return sha256Hex(keys.join('\n')).slice(0, 12);
}

const things = (count: number): string => (count === 1 ? '1 object is' : `${count} objects are`);

function shownNames(refs: readonly ObjectRef[]): string {
  const more = refs.length - namesShown;
  const names = refs.slice(0, namesShown).map(nameOf).sort().join(', ');
  return more > 0 ? `${names} and ${more} more` : names;
}

interface Gone {
  readonly gone: readonly InventoryEntry[];
  readonly kept: readonly Problem[];
}

/** What Git does not name any more, as far as it does not stay for a reason that Git gives. */
function goneFrom(input: PruneInput): Gone {
  const { desired, inventory, unreadablePaths, unreadableText = '', strays, elsewhere } = input;
  const wanted = identitiesOf(desired);
  const gone: InventoryEntry[] = [];
  const staying = new Map<string, Staying>();
  const stay = (at: Elsewhere, ref: ObjectRef): void => {
    const key = at.isToldOnce === true ? at.what : `${at.path}:${at.line}`;
    const known = staying.get(key) ?? { at, refs: [], paths: new Set() };
    staying.set(key, known);
    known.refs.push(ref);
    known.paths.add(at.path);
  };
  for (const [key, entry] of inventory.entries) {
    if (wanted.has(key)) continue;
    const { ref, path } = entry;
    const stray = strays?.get(path);
    const now = elsewhere?.get(key) ?? elsewhere?.get(placeKey(ref));
    if (now) stay(now, ref);
    else if (stray) stay({ path, ...stray }, ref);
    else if (!unreadablePaths.has(path) && !isNamedIn(unreadableText, ref.name)) gone.push(entry);
  }
  const leaving = new Set(gone);
  const left = [...inventory.entries.values()].filter((entry) => !leaving.has(entry)).map(({ ref }) => ref);
  const isNeeded = neededBy([...desired.map(({ object }) => refOf(object)), ...left], input.ownNamespace);
  return { gone: gone.filter(({ ref }) => !isNeeded(ref)), kept: [...staying.values()].map(keptAt) };
}

/** What stays for one reason. */
interface Staying {
  /** Where it is told. */
  readonly at: Elsewhere;
  readonly refs: ObjectRef[];
  readonly paths: Set<string>;
}

function keptAt({ at: { path, line, what, isDeliberate }, refs, paths }: Staying): Problem {
  const [stay, them] = refs.length === 1 ? ['stays', 'it'] : ['stay', 'them'];
  const others = paths.size === 1 ? '' : paths.size === 2 ? ', as is another' : `, as are ${paths.size - 1} others`;
  return {
    severity: isDeliberate === true ? 'warning' : 'error',
    path,
    line,
    message: `the file ${what}${others}: ${shownNames(refs)} came from Git and ${stay} in the cluster`,
    hint: `to delete ${them}, take away what stands at this path, or leave nothing but comments in the file`,
  };
}

function isNamedIn(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = `${text[at - 1] ?? ' '}${text[at + name.length] ?? ' '}`;
    if (!/[-.\w]/.test(around)) return true;
  }
  return false;
}

const systemNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/** With a Namespace or a definition everything in it goes, so both stay while something in them stays. */
function neededBy(staying: readonly ObjectRef[], ownNamespace: string | undefined): (ref: ObjectRef) => boolean {
  const namespaces = new Set([...systemNamespaces, ownNamespace, ...staying.map(({ namespace }) => namespace)]);
  const groups = new Set(staying.map(({ apiVersion }) => groupOf(apiVersion)));
  return ({ apiVersion, kind, name }) => {
    if (kind === 'Namespace' && apiVersion === 'v1') return namespaces.has(name);
    return kind === 'CustomResourceDefinition' && groups.has(name.slice(name.indexOf('.') + 1));
  };
}
