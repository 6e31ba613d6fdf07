import { sha256Hex } from '../lib/hash.ts';
import { identitiesOf, identityKey, nameOf } from '../manifest/identity.ts';
import { type AreaOfTree, type Elsewhere, placeKey } from '../manifest/load.ts';
import { waveOf } from '../manifest/order.ts';
import type { Stray } from '../manifest/stray.ts';
import {
  descriptionsOf,
  fileOfUnit,
  groupOf,
  holderOfRelease,
  type Manifest,
  type ObjectRef,
  placesOf,
  type Problem,
  refOf,
  unitOf,
} from '../manifest/types.ts';
import { namesIn } from '../manifest/unread-words.ts';
import type { Inventory, InventoryEntry } from './inventory.ts';

export interface PruneInput {
  readonly desired: readonly Manifest[];
  readonly inventory: Inventory;
  /** Files that cannot be read at the moment. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** Files, and what else stands at the paths of the inventory, that hold something else than objects. Absent: none. */
  readonly strays?: ReadonlyMap<string, Stray>;
  /** What files say of objects of the same area that are not applied, by area. Absent: nothing. */
  readonly areas?: ReadonlyMap<string, AreaOfTree>;
  /** The area of a file: the guard looks at each by itself, so that no tenant keeps another one's objects. Absent: there is one. */
  readonly areaOf?: (path: string) => string;
  readonly prune: boolean;
  /** Switches the guard off. */
  readonly pruneAnything: boolean;
  /** Names of objects that a person let go, see `PrunePlan.guarded`. Absent: none. */
  readonly allowed?: ReadonlySet<string>;
  /** The agent's own namespace. Absent: not in Git. */
  readonly ownNamespace?: string;
}

export interface PrunePlan {
  /** In this order. */
  readonly prune: readonly InventoryEntry[];
  /** Why nothing is pruned although something is gone; undefined where nothing is held back. */
  readonly held: string | undefined;
  /** Where it was the guard against mass deletion: what names exactly these objects, of several areas joined by commas. */
  readonly guarded: string | undefined;
  /** What stays because the place in Git that it came from holds something that cannot be understood. */
  readonly kept: readonly Problem[];
  /** The areas of which something is held back. Absent: none. */
  readonly heldAreas?: readonly string[];
}

const guardMinimum = 5;
const namesShown = 8;
const override = 'if that is meant, set --prune-anything';

/** What is gone from Git and may be deleted. A tree that is empty, unreadable or suddenly much smaller deletes nothing. */
export function planPrune(input: PruneInput): PrunePlan {
  const parts = partsOf(input);
  const found = parts.map((part) => goneFrom(part, input, part.area));
  const kept = found.flatMap((one) => one.kept);
  const all = new Set(found.flatMap(({ gone }) => gone));
  if (all.size === 0) return { prune: [], held: undefined, guarded: undefined, kept };
  const isNeeded = neededBeside(all, input);
  const judged = parts.map((part, index) => {
    const gone = (found[index]?.gone ?? []).filter(({ ref }) => !isNeeded(ref));
    return { gone, area: part.area, ...judge(gone, part, input) };
  });
  const held = judged.flatMap((part) => (part.held === undefined ? [] : [`${toldArea(part.area)}${part.held}`]));
  const guarded = judged.flatMap((part) => part.guarded ?? []);
  const going = new Set(judged.flatMap((part) => (part.held === undefined ? part.gone : [])));
  // What is held stays, and with it what it is in.
  const isNeededNow = held.length === 0 ? isNeeded : neededBeside(going, input);
  const backwards = [...going]
    .filter(({ ref }) => !isNeededNow(ref))
    .sort((a, b) => waveOf(b.ref) - waveOf(a.ref) || (identityKey(a.ref) < identityKey(b.ref) ? -1 : 1));
  return {
    prune: backwards,
    held: held.length === 0 ? undefined : held.join('; '),
    guarded: guarded.length === 0 ? undefined : guarded.join(','),
    kept,
    ...(held.length === 0
      ? {}
      : { heldAreas: judged.filter((part) => part.held !== undefined).map(({ area }) => area) }),
  };
}

const toldArea = (area: string): string => (area === '' ? '' : `tenant ${area}: `);

/** What one tenant has in the inventory and in Git; all, where there are none. */
interface Part extends AreaOfTree {
  readonly area: string;
  readonly entries: Inventory['entries'];
}

const nothingElse: AreaOfTree = { unreadableText: '', elsewhere: new Map() };

function partsOf({ inventory, areas, areaOf }: PruneInput): readonly Part[] {
  if (!areaOf) return [{ ...(areas?.get('') ?? nothingElse), area: '', entries: inventory.entries }];
  const byArea = new Map<string, Map<string, InventoryEntry>>();
  for (const [key, entry] of inventory.entries) {
    const area = areaOf(entry.path);
    const entries = byArea.get(area) ?? new Map<string, InventoryEntry>();
    byArea.set(area, entries.set(key, entry));
  }
  return [...byArea].map(([area, entries]) => {
    return { ...(areas?.get(area) ?? nothingElse), area, entries };
  });
}

/** Why nothing of a part may go; `held` undefined: it may. */
function judge(
  gone: readonly InventoryEntry[],
  { entries: { size: total } }: Part,
  { desired, prune, pruneAnything, allowed }: PruneInput,
): { readonly held: string | undefined; readonly guarded?: string } {
  if (gone.length === 0) return { held: undefined };
  if (!prune) return { held: `${things(gone.length)} gone from Git and stay in the cluster: pruning is off` };
  const guard = (why: string): { held: string; guarded: string } => ({
    held: `${why} (${shownNames(gone.map(({ ref }) => ref))}); ${override}`,
    guarded: namesOnly(gone),
  });
  if (pruneAnything || allowed?.has(namesOnly(gone)) === true) return { held: undefined };
  if (desired.length === 0)
    return guard(`the tree holds no objects at all, so nothing is deleted of the ${total} that came from it before`);
  if (total > guardMinimum && gone.length * 2 > total)
    return guard(`${gone.length} of ${total} objects are gone from Git at once, so nothing is deleted`);
  return { held: undefined };
}

/** Whether an object is needed by what stays when these go. */
function neededBeside(
  going: ReadonlySet<InventoryEntry>,
  { inventory, desired, ownNamespace }: PruneInput,
): (ref: ObjectRef) => boolean {
  const left = [...inventory.entries.values()].filter((entry) => !going.has(entry)).map(({ ref }) => ref);
  return neededBy([...desired.map(({ object }) => refOf(object)), ...left], ownNamespace);
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
function goneFrom({ entries, unreadableText, elsewhere }: Part, input: PruneInput, area: string): Gone {
  const wanted = identitiesOf(input.desired);
  const standsAt = holdingPlaces(input, area);
  const isNamed = namesIn(unreadableText);
  const gone: InventoryEntry[] = [];
  const staying = new Map<string, Staying>();
  const stay = (at: Elsewhere, ref: ObjectRef): void => {
    const key = at.isToldOnce === true ? at.what : `${at.path}:${at.line}`;
    const known = staying.get(key) ?? { at, refs: [], paths: new Set() };
    staying.set(key, known);
    known.refs.push(ref);
    known.paths.add(at.path);
  };
  for (const [key, entry] of entries) {
    if (wanted.has(key)) continue;
    const { ref, path } = entry;
    const now = elsewhere.get(key) ?? elsewhere.get(placeKey(ref));
    if (now) {
      stay(now, ref);
      continue;
    }
    const at = standsAt(entry);
    if (typeof at === 'object') stay({ path: at.describedIn ?? fileOfUnit(path), ...at }, ref);
    else if (at === undefined && !isNamed(ref.name)) gone.push(entry);
  }
  return { gone, kept: [...staying.values()].map(keptAt) };
}

type Held = Stray | 'unread';

/** What keeps an object, at the place that it came from, from being gone; `unread`: that cannot be read now. Undefined: nothing. */
function holdingPlaces(
  { desired, unreadablePaths, strays = new Map(), areaOf = () => '' }: PruneInput,
  area: string,
): (entry: InventoryEntry) => Held | undefined {
  const heldAt = (place: string): Held | undefined =>
    strays.get(place) ?? (unreadablePaths.has(place) ? 'unread' : undefined);
  /** By the name of what is described: it stays also where its description has moved to another file. */
  const described = new Map<string, Held>();
  /** By file or unit: all that older agents applied from it may be of a HelmRelease of it. */
  const besideReleases = new Map<string, Held>();
  for (const place of [...unreadablePaths, ...strays.keys()]) {
    const description = descriptionsOf(place).at(-1);
    const why = heldAt(place);
    if (description === undefined || why === undefined || areaOf(place) !== area) continue;
    described.set(description, why);
    const holder = holderOfRelease(place);
    if (holder !== undefined) besideReleases.set(holder, why);
  }
  let rendered: ReadonlySet<string> | undefined;
  const isRendered = (place: string): boolean =>
    (rendered ??= new Set(desired.flatMap(({ origin }) => placesOf(unitOf(origin))))).has(place);
  return ({ path, mayBeOfChart }) => {
    const places = placesOf(path);
    const own = places.flatMap((place) => heldAt(place) ?? []);
    const beside = mayBeOfChart === true ? places.flatMap((place) => besideReleases.get(place) ?? []) : [];
    const isMoved = described.size > 0 && own.length === 0 && !isRendered(path);
    const moved = isMoved ? descriptionsOf(path).flatMap((one) => described.get(one) ?? []) : [];
    const all = [...own, ...beside, ...moved];
    return all.find((one) => one !== 'unread') ?? all[0];
  };
}

/** What stays for one reason. */
interface Staying {
  /** Where it is told. */
  readonly at: Elsewhere;
  readonly refs: ObjectRef[];
  readonly paths: Set<string>;
}

function keptAt({ at: { path, line, what, isDeliberate, describedIn }, refs, paths }: Staying): Problem {
  const [stay, them] = refs.length === 1 ? ['stays', 'it'] : ['stay', 'them'];
  const others = paths.size === 1 ? '' : paths.size === 2 ? ', as is another' : `, as are ${paths.size - 1} others`;
  return {
    // Of what is described and not applied an error tells already why.
    severity: isDeliberate === true || describedIn !== undefined ? 'warning' : 'error',
    path,
    line,
    message: `the file ${what}${others}: ${shownNames(refs)} came from Git and ${stay} in the cluster`,
    hint:
      describedIn === undefined
        ? `to delete ${them}, take away what stands at this path, or leave nothing but comments in the file`
        : 'nothing of it is deleted until what is described here is applied again',
  };
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
