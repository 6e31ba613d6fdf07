import { writtenByCanaries } from '../canary/footprint.ts';
import { setMaxListeners } from 'node:events';
import type { Cluster, KindRef } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { alwaysHeld, type Fence } from '../lib/fence.ts';
import type { Logger } from '../lib/log.ts';
import { perObject } from '../lib/memo.ts';
import { createTurns, type Turns } from '../lib/turns.ts';
import { identitiesOf, identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import { hintsOf } from '../manifest/hints.ts';
import { type AreaOfTree, areaOf, type Elsewhere } from '../manifest/load.ts';
import type { OwnObjects } from '../manifest/own-objects.ts';
import { leavingOutRefused, refusedAt } from '../manifest/refused.ts';
import type { UnitHealths, UnitNeeds } from '../manifest/needs.ts';
import type { Stray } from '../manifest/stray.ts';
import type { Tenancy } from '../manifest/tenancy.ts';
import {
  type KubeObject,
  type Manifest,
  type ObjectRef,
  placesOf,
  type Problem,
  refOf,
  unitOf,
} from '../manifest/types.ts';
import { applyLanes } from './apply.ts';
import { ownedFields, syncManager } from './drift.ts';
import { createDriftWatch } from './drift-watch.ts';
import { fencedWrites } from './fenced-writes.ts';
import { type Inventory, type InventoryEntry, inventoryName } from './inventory.ts';
import { managerOf, ofInstallation, renameFormer } from './installation.ts';
import { createInventoryStore, pruneAnnotation } from './inventory-store.ts';
import { lanesOf } from './lanes.ts';
import { leavingCanaries } from './canary-removal.ts';
import { createLiveView } from './live-view.ts';
import { type ApplyAction, planning, type SyncPlan } from './plan.ts';
import { planPrune } from './prune-plan.ts';
import { pruneEntries } from './prune.ts';
import { createRender } from './render.ts';
import { createScopes } from './scopes.ts';
import { createUnitHealth } from './unit-health.ts';
import { isAsApplied } from './as-applied.ts';
import { createWaitingUnits, isAmong } from './waiting-units.ts';
import { createWriters } from './writers.ts';

/** Dry runs side by side. */
const mostAsked = 8;

export interface SyncSettings {
  /** Namespace of the inventory. */
  readonly namespace: string;
  /** Drift is looked for in this namespace only: an agent of one namespace may see no other. Absent: everywhere. */
  readonly watchNamespace?: string;
  readonly prune: boolean;
  readonly pruneAnything: boolean;
  /** Absent: everything may be said from everywhere. */
  readonly tenancy?: Tenancy;
  /** Absent: nothing of it is refused. */
  readonly own?: OwnObjects;
  /** How long tenants wait for each other. Absent: some seconds. */
  readonly tenantPatienceMs?: number;
}

/** What Git says, ready to be applied. */
export interface Desired {
  readonly revision: string;
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly unreadablePaths: ReadonlySet<string>;
  /** See `LoadedTree`. Absent: none. */
  readonly strays?: ReadonlyMap<string, Stray>;
  /** See `LoadedTree`. Absent: nothing is told of what is not applied. */
  readonly areas?: ReadonlyMap<string, AreaOfTree>;
  /** What units wait for. Absent: for nothing. */
  readonly needs?: UnitNeeds;
  /** See `LoadedTree`. Absent: of none. */
  readonly health?: UnitHealths;
  /** Objects that are applied whatever their unit waits for. Absent: none. */
  readonly waitsForNobody?: (manifest: Manifest) => boolean;
  /** What stands at a path that was not read, or above it; undefined: nothing. Absent: nothing anywhere. */
  readonly standing?: (path: string) => Promise<Stray | undefined>;
  /** Targets of Canaries, by refKey: their replicas belong to the canary. */
  readonly canaryTargets: ReadonlySet<string>;
  /** Services that a Canary took over, by refKey: their selector and ports belong to it. */
  readonly takenOver: ReadonlySet<string>;
  /** Apply these even if nothing of them changed in Git. */
  readonly drifted: readonly ObjectRef[];
  /** Apply all, whatever was applied before. */
  readonly everything: boolean;
  /**
   * Asked again and again before something is changed: false once Git is known to say something else, which somebody else may have
   * applied already. Absent: it never does.
   */
  readonly isCurrent?: (signal: AbortSignal) => Promise<boolean>;
  /** Asked where something is to be deleted: what it waits for, and for people why, once that lasts. Absent: for nothing. */
  readonly pruneWaitsFor?: () => { readonly held: string | undefined } | undefined;
}

export interface SyncResult {
  readonly applied: readonly ObjectRef[];
  readonly unchanged: number;
  readonly pruned: readonly ObjectRef[];
  /** With file and line, and what the API server said. Not empty: sync again soon. */
  readonly failed: readonly Problem[];
  /** Objects that are not applied although they stand in Git, and what stays although Git does not name it; with the reason. */
  readonly warnings: readonly Problem[];
  /** Why nothing was deleted although something is gone from Git. */
  readonly held: string | undefined;
  /** Tenants of whom something is held back, or not done yet; the empty string: nobody's. Absent: none. */
  readonly heldAreas?: readonly string[];
  /** What is told of tenants who have so much to be applied that others waited: sync again at once. Among the warnings, too. Absent: all is done. */
  readonly unfinished?: readonly Problem[];
  /** What is still to be applied of theirs, by identityKey. */
  readonly left?: ReadonlySet<string>;
  /** Where it was the guard against mass deletion: asked for with `mayPrune`. */
  readonly guarded: string | undefined;
  /** Canaries that Git does not name any more hand back what is theirs: sync again soon. Absent: none does. */
  readonly isHandingBack?: boolean;
  /** Units wait for others, or are not ready: sync again soon. Absent: none does. */
  readonly isWaiting?: boolean;
  /** Git says something else by now: the rest was not done. */
  readonly isOutdated: boolean;
  /** The resourceVersions of `applied`, by identityKey. */
  readonly versions: ReadonlyMap<string, string>;
  /** Why an object of `failed` could not be applied, by identityKey. */
  readonly refused: ReadonlyMap<string, string>;
}

export interface Syncer {
  /** Not to be called while it runs. Throws CLUSTER_UNREACHABLE where the cluster does not answer; what was done stays known. */
  sync(desired: Desired, signal: AbortSignal): Promise<SyncResult>;
  /** Whether a person has allowed by now what the guard held back at this revision. */
  mayPrune(revision: string, guarded: string, signal: AbortSignal): Promise<boolean>;
  /** Reads what was applied before. Throws CLUSTER_UNREACHABLE. */
  open(signal: AbortSignal): Promise<void>;
  /** The file from which an object, by identityKey, was applied last; undefined: from none, or not opened yet. */
  placeOf(key: string): string | undefined;
  /** All that was applied, by identityKey; nothing before it is opened. */
  known(): Iterable<string>;
  /** Called when somebody changed or removed what we apply; the next sync corrects it. */
  onDrift(listener: (refs: readonly ObjectRef[]) => void): void;
  stop(): void;
}

export interface SyncDeps {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: SyncSettings;
  /** Asked before each write. Absent: there is one replica. */
  readonly fence?: Fence | undefined;
  /** Where several sources share a cluster. */
  readonly shared?: {
    /** The source's name in the names of its inventory. Absent: they are as where there is one source. */
    readonly source?: string;
    /** Whether another source says this object, by identityKey, or has it: then it is handed over, not deleted. */
    readonly isElsewhere: (key: string) => boolean;
  };
}

/** Applies plans by server-side apply, remembers what was applied, prunes with care and notices drift. */
export function createSyncer({
  cluster: unfenced,
  clock,
  log,
  settings,
  fence = alwaysHeld,
  shared,
}: SyncDeps): Syncer {
  /** Of the sync under way: what was planned in an earlier one is not applied any more. */
  let epoch = fence.epoch();
  const ofAll = fencedWrites(unfenced, fence, () => epoch);
  const manager = managerOf(settings.namespace);
  const cluster = ofInstallation(ofAll, manager);
  const stopping = new AbortController();
  const stop = stopping.signal;
  // As many wait for it as there are kinds in Git.
  setMaxListeners(0, stop);
  const live = createLiveView({
    cluster,
    clock,
    log,
    stop,
    ...(settings.watchNamespace === undefined ? {} : { namespace: settings.watchNamespace }),
  });
  const drift = createDriftWatch({ cluster, clock, log, live, stop });
  const store = createInventoryStore(ofAll, settings.namespace, log, shared?.source);
  const areaOfPath = (path: string): string => areaOf(path, settings);
  const writers = createWriters(cluster, settings.tenancy);
  const inScope = createScopes(cluster);
  const render = createRender();
  const turns = createTurns();
  const waitingUnits = createWaitingUnits(cluster);
  const unitHealth = createUnitHealth({ cluster, clock, log });
  const applied = new Map<string, string>();
  /** The same, also of what somebody has changed since. */
  const lastApplied = new Map<string, string>();
  /** Uids of objects without a field that our apply could own, by identityKey; undefined: it has one. */
  const bare = new Map<string, string | undefined>();
  drift.onDrift((ref) => applied.delete(identityKey(ref)));

  /** What was applied before, all of it under this installation's manager. */
  const ownInventory = async (signal: AbortSignal): Promise<Inventory> => {
    const found = await store.read(signal);
    if (manager === syncManager || found.manager === manager) return found;
    const refs = [...found.entries.values()].map(({ ref }) => ref);
    const renamed = await renameFormer(refs, manager, ofAll, signal);
    if (renamed > 0)
      log.info({ manager }, `${renamed} objects have the field manager of this installation now: ${manager}`);
    const own = { ...found, manager };
    await store.save(own, signal);
    return own;
  };

  /** The scope of a kind is what the server says, and only then it is known whether a tenant may write it. */
  const withinBounds = async (
    { manifests, areas = new Map() }: Desired,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<Bounded> => {
    const scoped = await inScope(manifests, inventory, signal);
    if (scoped === manifests) return { manifests, problems: [], areas };
    const { refused, ...within } = await turns.run(leavingOutRefused(scoped, settings));
    return { ...within, areas: refused.length === 0 ? areas : withElsewhere(areas, refused, areaOfPath) };
  };

  const plan = async (desired: Desired, inventory: Inventory, signal: AbortSignal): Promise<FullPlan> => {
    const { manifests, problems: outside, areas } = await withinBounds(desired, inventory, signal);
    const base = {
      ...settings,
      desired: manifests,
      inventory,
      unreadablePaths: desired.unreadablePaths,
      strays: await straysOf(desired, inventory, turns),
      areas,
      ...(settings.tenancy === undefined ? {} : { areaOf: areaOfPath }),
      ownNamespace: settings.namespace,
    };
    const first = planPrune(base);
    const allowed = await store.allowed(desired.revision, first.guarded, signal);
    const pruning = allowed.size > 0 ? planPrune({ ...base, allowed }) : first;
    await turns.breathe();
    const going = new Set(pruning.prune.map(({ ref }) => identityKey(ref)));
    const leaving = await leavingCanaries({ desired: manifests, inventory, going, cluster }, signal);
    const waitingFor = await waitingUnits.waiting(desired.manifests, desired.needs, signal);
    const input = {
      ...base,
      allowed,
      applied,
      lastApplied,
      fought: drift.fought(),
      ran: drift.ran(),
      live: (ref: ObjectRef) => live.get(ref),
      canaryTargets: new Set([...desired.canaryTargets, ...leaving.targets]),
      takenOver: new Set([...desired.takenOver, ...leaving.services]),
      stayingCanaries: leaving.staying,
      drifted: new Set(desired.drifted.map(identityKey)),
      waiting: waitingFor,
      ...(desired.waitsForNobody ? { waitsForNobody: desired.waitsForNobody } : {}),
      everything: desired.everything,
      render,
    };
    const planned = await turns.run(planning(input));
    const changed = await changedOf(planned, signal);
    const made = {
      ...planned,
      waves:
        changed.size === 0
          ? planned.waves
          : planned.waves.map((wave) => wave.filter(({ object }) => !changed.has(identityOf(object)))),
      refused: changed.size === 0 ? planned.refused : new Map([...planned.refused, ...changed]),
    };
    const held =
      made.guarded === undefined
        ? made.held
        : `${made.held ?? ''}, or let these objects go: ${annotationFor(made.guarded, settings.namespace, inventoryName(0, shared?.source))}`;
    const prune = made.prune.filter(({ ref }) => !leaving.waiting.has(identityKey(ref)));
    const { problems: waiting, staying, isHandingBack } = leaving;
    const warnings = [...made.warnings, ...outside];
    const isWaiting = waitingFor.size > 0;
    return { ...made, prune, held, warnings, waiting, staying, isHandingBack, isWaiting };
  };

  /** What a former process applied of units that wait, and Git says otherwise by now: it waits as well. */
  const changedOf = async (
    { waves, unsure }: Pick<SyncPlan, 'waves' | 'unsure'>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Problem>> => {
    const changed = new Map<string, Problem>();
    if (unsure.size === 0) return changed;
    const left = waves.flat().values();
    const work = async (): Promise<void> => {
      for (const action of left) {
        const key = identityOf(action.object);
        const wait = unsure.get(key);
        if (wait && !(await isAsApplied(cluster, action, signal))) changed.set(key, wait);
      }
    };
    await Promise.all(Array.from({ length: mostAsked }, work));
    return changed;
  };

  /** What another source says as well, and this one not any more, is that one's: it is neither deleted nor corrected from here. */
  const withoutHandedOver = (inventory: Inventory, manifests: readonly Manifest[]): Inventory => {
    if (!shared) return inventory;
    const wanted = identitiesOf(manifests);
    const going = [...inventory.entries].filter(([key]) => !wanted.has(key) && shared.isElsewhere(key));
    if (going.length === 0) return inventory;
    const entries = new Map(inventory.entries);
    for (const [key, { ref }] of going) {
      entries.delete(key);
      applied.delete(key);
      lastApplied.delete(key);
      drift.forget(ref);
      log.info({ kind: ref.kind, namespace: ref.namespace, name: ref.name }, `${nameOf(ref)} is another source's now`);
    }
    return { ...inventory, entries };
  };

  return {
    async sync(desired, signal) {
      epoch = fence.epoch();
      const mayGoOn = untilOutdated(desired, signal);
      const before = withoutHandedOver(await ownInventory(signal), desired.manifests);
      await live.ensure(kindsOf(desired.manifests), signal);
      if (!(await mayGoOn())) return outdated([]);
      await turns.breathe();
      const made = await plan(desired, before, signal);
      const { waves, unchanged, prune, held, guarded, kept, warnings, waiting, staying, isHandingBack } = made;

      // What is about to be applied is noted first: after a crash in between it can still be pruned one day.
      await turns.breathe();
      const noted = withNoted(withPaths(before.entries, desired.manifests), waves.flat());
      await store.save({ ...before, entries: noted }, signal);

      const versions = new Map<string, string>();
      const onApplied = ({ object, hash, manifest }: ApplyAction, made: KubeObject): void => {
        const { resourceVersion, uid } = made.metadata;
        applied.set(identityOf(object), hash);
        lastApplied.set(identityOf(object), hash);
        if (resourceVersion === undefined || live.get(refOf(object))?.metadata.resourceVersion !== resourceVersion)
          unitHealth.changed(manifest);
        const isBare = ownedFields(made) === undefined && !hintsOf(object).onlyIfAbsent;
        bare.set(identityOf(object), isBare ? uid : undefined);
        if (resourceVersion !== undefined) versions.set(identityOf(object), resourceVersion);
      };
      const { tenantPatienceMs: patienceMs } = settings;
      const applyDeps = { cluster, writers, clock, log, drift, onApplied, mayGoOn, patienceMs };
      const lanes = lanesOf(waves, settings.tenancy);
      const { done, left, notMade, idle, ...outcome } = await applyLanes(lanes, applyDeps, signal);
      const leftKeys = new Set(left.map(({ object }) => identityOf(object)));
      // Also where nothing of it has changed, as with a full comparison, it is still to be done.
      for (const key of leftKeys) applied.delete(key);
      const failed = [...new Set(made.refused.values()), ...outcome.failed];
      const isFailed = isAmong(new Set([...made.refused.keys(), ...outcome.refused.keys(), ...notMade, ...leftKeys]));
      waitingUnits.applied(desired.manifests, isFailed);
      if (!(await mayGoOn())) return outdated(done);

      // What replaces an object must stand before the old one goes.
      const unfinished = unfinishedOf(left, areaOfPath);
      const unsettled = new Set([...unfinished.keys(), ...failed.map(({ path }) => areaOfPath(path))]);
      const waits = prune.length > 0 ? desired.pruneWaitsFor?.() : undefined;
      const going = waits ? [] : prune.filter(({ path }) => !unsettled.has(areaOfPath(path)));
      const heldBack = waits ? 0 : prune.length - going.length;
      const isGoverned = governedBy(desired.manifests, staying);
      const pruneDeps = { cluster, writers, log, drift, isGoverned, ...(settings.own ? { own: settings.own } : {}) };
      const removal = await pruneEntries(going, identitiesOf(desired.manifests), pruneDeps, signal);
      for (const { ref } of going) {
        applied.delete(identityKey(ref));
        lastApplied.delete(identityKey(ref));
      }
      const standing = withoutRefused(noted, before.entries, notMade);
      const entries = withRuns(withBare(withoutPruned(standing, going, removal.kept), bare), drift.ran());
      const problems = [...failed, ...removal.failed, ...waiting];
      const isComplete = problems.length + left.length === 0 && held === undefined && waits === undefined;
      await store.save({ ...before, revision: isComplete ? desired.revision : before.revision, entries }, signal);
      bare.clear();
      const health = await unitHealth.look(desired.manifests, desired.health, signal);
      return {
        applied: done.map(({ object }) => refOf(object)),
        unchanged,
        pruned: removal.pruned,
        failed: problems,
        warnings: [...kept, ...removal.staying, ...idle, ...warnings, ...unfinished.values(), ...health.problems],
        held: waits?.held ?? bothOf(held, heldBack),
        heldAreas: [...(made.heldAreas ?? []), ...unfinished.keys()],
        ...(left.length === 0 ? {} : { unfinished: [...unfinished.values()], left: leftKeys }),
        guarded,
        isHandingBack: isHandingBack || waits !== undefined,
        ...(made.isWaiting || health.isOpen ? { isWaiting: true } : {}),
        isOutdated: false,
        versions,
        refused: new Map([
          ...outcome.refused,
          ...[...made.refused].map(([key, { message }]) => [key, message] as const),
        ]),
      };
    },
    mayPrune: async (revision, guarded, signal) => (await store.allowed(revision, guarded, signal)).size > 0,
    open: async (signal) => void (await store.read(signal)),
    placeOf: (key) => store.known()?.entries.get(key)?.path,
    known: () => store.known()?.entries.keys() ?? [],
    onDrift(listener) {
      drift.onDrift((ref) => listener([ref]));
    },
    stop: () => stopping.abort(new Error('the syncer stops')),
  };
}

/** Why nothing, or not all, was deleted. `heldBack`: how much waits for objects of its own tenant that could not be applied. */
function bothOf(held: string | undefined, heldBack: number): string | undefined {
  if (heldBack === 0) return held;
  const waiting = `${heldBack} gone from Git, to be deleted once everything else could be applied`;
  return held === undefined ? waiting : `${held}; ${waiting}`;
}

/** What is told of each area of which something is still to be applied. */
function unfinishedOf(
  left: readonly ApplyAction[],
  areaOfPath: (path: string) => string,
): ReadonlyMap<string, Problem> {
  const told = new Map<string, Problem>();
  for (const { manifest } of left) {
    const { path, line } = manifest.origin;
    const area = areaOfPath(path);
    const whose = area === '' ? 'outside of all folders of tenants' : `of tenant ${area}`;
    const message = `so many objects ${whose} are to be applied that it takes longer: the others go on`;
    if (!told.has(area)) told.set(area, { severity: 'warning', path, line, message });
  }
  return told;
}

/** Whether Git still says the same; once it does not, what is under way is not taken up again. */
function untilOutdated({ isCurrent }: Desired, signal: AbortSignal): () => Promise<boolean> {
  let isOutdated = false;
  return async () => {
    if (!isOutdated && isCurrent && !(await isCurrent(signal))) isOutdated = true;
    return !isOutdated;
  };
}

function outdated(done: readonly ApplyAction[]): SyncResult {
  const applied = done.map(({ object }) => refOf(object));
  const nothing = { unchanged: 0, pruned: [], failed: [], warnings: [], held: undefined, guarded: undefined };
  return { ...nothing, applied, isOutdated: true, versions: new Map(), refused: new Map() };
}

/** What holds something else than objects, also where no manifest is looked for at a path of the inventory any more. */
async function straysOf(
  { manifests, strays = new Map(), standing }: Desired,
  { entries }: Inventory,
  turns: Turns,
): Promise<ReadonlyMap<string, Stray>> {
  if (!standing) return strays;
  const wanted = identitiesOf(manifests);
  const asked = new Set<string>();
  const found = new Map(strays);
  for (const [key, { path }] of entries) {
    if (wanted.has(key)) continue;
    for (const place of placesOf(path)) {
      if (asked.has(place) || found.has(place)) continue;
      asked.add(place);
      const stray = await standing(place);
      if (stray) found.set(place, stray);
      await turns.breathe();
    }
  }
  return found;
}

/** Objects that moved to another file without a change are noted there. The same map where none did. */
function withPaths(entries: Inventory['entries'], manifests: readonly Manifest[]): Inventory['entries'] {
  let moved: Map<string, InventoryEntry> | undefined;
  for (const { object, origin } of manifests) {
    const known = entries.get(identityOf(object));
    if (known === undefined || (known.path === unitOf(origin) && known.mayBeOfChart !== true)) continue;
    const { mayBeOfChart: _seen, ...entry } = known;
    moved ??= new Map(entries);
    moved.set(identityOf(object), { ...entry, path: unitOf(origin) });
  }
  return moved ?? entries;
}

/** The same map where nothing of it is new. */
function withNoted(entries: Inventory['entries'], actions: readonly ApplyAction[]): Inventory['entries'] {
  const isKnown = ({ object, manifest }: ApplyAction): boolean => {
    const known = entries.get(identityOf(object));
    return known?.path === unitOf(manifest.origin) && known.ref.apiVersion === object.apiVersion;
  };
  if (actions.every(isKnown)) return entries;
  const noted = new Map(entries);
  for (const { object, manifest } of actions)
    noted.set(identityOf(object), { ref: refOf(object), path: unitOf(manifest.origin) });
  return noted;
}

/** Likewise. */
function withBare(entries: Inventory['entries'], bare: ReadonlyMap<string, string | undefined>): Inventory['entries'] {
  let noted: Map<string, InventoryEntry> | undefined;
  for (const [key, uid] of bare) {
    const known = entries.get(key);
    if (!known || known.bareUid === uid) continue;
    const { bareUid: _before, ...entry } = known;
    noted ??= new Map(entries);
    noted.set(key, uid === undefined ? entry : { ...entry, bareUid: uid });
  }
  return noted ?? entries;
}

/** Likewise. */
function withRuns(entries: Inventory['entries'], ran: ReadonlyMap<string, string>): Inventory['entries'] {
  let noted: Map<string, InventoryEntry> | undefined;
  for (const [key, hash] of ran) {
    const known = entries.get(key);
    if (!known || known.ran === hash) continue;
    noted ??= new Map(entries);
    noted.set(key, { ...known, ran: hash });
  }
  return noted ?? entries;
}

/** Whether a Canary that stays writes under the name of an object. */
function governedBy(manifests: readonly Manifest[], staying: readonly KubeObject[]): (ref: ObjectRef) => boolean {
  let names: ReturnType<typeof writtenByCanaries> | undefined;
  return ({ apiVersion, kind, namespace, name }) => {
    names ??= writtenByCanaries([...manifests.map(({ object }) => object), ...staying]);
    return names({ apiVersion, kind, metadata: namespace === undefined ? { name } : { namespace, name } });
  };
}

/** What the server never made is not ours to delete one day. Whatever was there before, and an answer that was lost, stay noted. */
function withoutRefused(
  entries: Inventory['entries'],
  before: Inventory['entries'],
  notMade: ReadonlySet<string>,
): Inventory['entries'] {
  const gone = [...notMade].filter((key) => !before.has(key) && entries.has(key));
  if (gone.length === 0) return entries;
  const left = new Map(entries);
  for (const key of gone) left.delete(key);
  return left;
}

/** Likewise. */
function withoutPruned(
  entries: Inventory['entries'],
  going: readonly InventoryEntry[],
  kept: readonly InventoryEntry[],
): Inventory['entries'] {
  if (going.length === 0) return entries;
  const left = new Map(entries);
  for (const { ref } of going) left.delete(identityKey(ref));
  for (const entry of kept) left.set(identityKey(entry.ref), entry);
  return left;
}

interface Bounded {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly areas: ReadonlyMap<string, AreaOfTree>;
}

/** What is refused still stands in Git, so it is not deleted. */
function withElsewhere(
  areas: ReadonlyMap<string, AreaOfTree>,
  refused: readonly Manifest[],
  areaOfPath: (path: string) => string,
): ReadonlyMap<string, AreaOfTree> {
  const next = new Map(areas);
  for (const manifest of refused) {
    const area = areaOfPath(manifest.origin.path);
    const { unreadableText = '', elsewhere = new Map<string, Elsewhere>() } = next.get(area) ?? {};
    const here = [identityOf(manifest.object), refusedAt(manifest)] as const;
    next.set(area, { unreadableText, elsewhere: new Map([...elsewhere, here]) });
  }
  return next;
}

/** A plan with what waits for the cluster before it can be done. */
interface FullPlan extends SyncPlan {
  readonly waiting: readonly Problem[];
  /** Canaries that Git does not name and that still govern what is theirs. */
  readonly staying: readonly KubeObject[];
  readonly isHandingBack: boolean;
  readonly isWaiting: boolean;
}

const kindsOf = perObject((manifests: readonly Manifest[]): readonly KindRef[] => {
  const kinds: KindRef[] = [];
  const known = new Map<string, Set<string>>();
  for (const { object } of manifests) {
    const { apiVersion, kind } = object;
    const ofVersion = known.get(apiVersion) ?? new Set<string>();
    if (ofVersion.has(kind)) continue;
    known.set(apiVersion, ofVersion.add(kind));
    kinds.push({ apiVersion, kind });
  }
  return kinds;
});

const annotationFor = (guarded: string, namespace: string, inventory: string): string =>
  `kubectl -n ${namespace} annotate --overwrite configmap ${inventory} ${pruneAnnotation}=${guarded}`;
