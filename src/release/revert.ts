import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../lib/errors.ts';
import { atOnce } from '../lib/turns.ts';
import {
  createPartReader,
  type FileText,
  fileText,
  isBlank,
  isSameObject,
  type Located,
  locateObject,
  objectsInPart,
  type ReadPart,
} from '../manifest/edit-documents.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import { type Manifest, refOf } from '../manifest/types.ts';
import { proofOf } from './proof.ts';
import { appIn, type TreeFiles, type Render, type RenderedApp, type RenderedTree, sourceOf } from './rendered.ts';
import { emptyFile, type Found, type ObjectGoal, type ObjectReturn, revertFile } from './revert-file.ts';
import type { AppId } from './types.ts';
import { undoChanges } from './undo.ts';

export interface RevertInput {
  readonly app: AppId;
  /** Manifest files where the app still had its stable content, where it was judged, and now. */
  readonly base: TreeFiles;
  readonly judged: TreeFiles;
  readonly tip: TreeFiles;
  readonly render: Render;
  /** Content that another app was last promoted with: a change of a shared ConfigMap may take it back there. Absent: unknown. */
  readonly stableContent?: (app: AppId) => string | undefined;
  /** Apps that are taken back in the same push: what they share with this one is taken back once. Absent: none. */
  readonly together?: Together;
}

export interface Together {
  readonly apps: readonly AppId[];
  /** The files before any of them was taken back. */
  readonly tip: TreeFiles;
}

export type Revert =
  /** Null removes the file. */
  | { readonly kind: 'edited'; readonly files: ReadonlyMap<string, string | null>; readonly paths: readonly string[] }
  /** The app has its base content again already. */
  | { readonly kind: 'nothing' }
  /** The app has a newer content than the judged one: it is not the release's any more. */
  | { readonly kind: 'superseded' }
  | {
      readonly kind: 'conflict';
      readonly reason: string;
      readonly paths: readonly string[];
      /** An app that uses what would change. Absent: another reason. */
      readonly usedBy?: AppId;
    };

/** A tree with the places of its objects. */
interface Side {
  readonly files: TreeFiles;
  readonly tree: RenderedTree;
  readonly objects: ReadonlyMap<string, Manifest>;
  text(path: string): FileText | undefined;
  locate(key: string): Found | undefined;
  /** Where the object that a file of another tree holds stands in this one. */
  find(value: unknown): Found | undefined;
}

interface Plan {
  readonly goals: Map<string, ObjectGoal[]>;
  readonly returns: Map<string, ObjectReturn[]>;
}

/**
 * Takes back what a release changed in its app's target, ConfigMaps and Secrets, on top of the tip: a function of the trees, run anew
 * for every tip. What other apps or later commits changed stays. Nothing is given that was not read back and found equal to the
 * app's base and, in everything else, to the tip.
 */
export function revertApp(input: RevertInput): Revert {
  return atOnce(reverting(input));
}

/** As `revertApp`; yields after each document, so that it can be done in turns. Never throws: foreign text may break what reads it. */
export function* reverting(input: RevertInput): Generator<void, Revert> {
  try {
    return yield* revertIn(input);
  } catch (error) {
    return conflict(`its files could not be worked on (${messageOf(error)})`);
  }
}

function* revertIn(input: RevertInput): Generator<void, Revert> {
  const { app, render, together } = input;
  const read = createPartReader();
  const base = yield* sideOf(input.base, yield* render.inTurns(input.base), read);
  const judged = yield* sideOf(input.judged, yield* render.inTurns(input.judged), read);
  const tip = yield* sideOf(input.tip, yield* render.inTurns(input.tip), read);
  const [before, tried] = [base, judged].map(({ tree }) => appIn(tree, app));
  const now = appIn(together ? yield* render.inTurns(together.tip) : tip.tree, app);
  if (!now) return { kind: 'superseded' };
  if (now.content === before?.content) return { kind: 'nothing' };
  if (!tried || now.content !== tried.content) return { kind: 'superseded' };
  if (!before) return conflict(`there is no earlier state of ${app.namespace}/${app.name} to go back to`);

  const keys = keysOf(before, tried);
  const plan = yield* planOf(keys, { base, judged, tip }, read);
  if (typeof plan === 'string') return conflict(plan, pathsOf(keys, tip));
  const files = new Map<string, string | null>();
  for (const path of new Set([...plan.goals.keys(), ...plan.returns.keys()])) {
    const text = yield* editFile(path, plan, { base, judged, tip }, read);
    if (text === undefined)
      return conflict('the change cannot be taken back without touching what others changed', [path]);
    files.set(path, text);
  }
  if (files.size === 0 && together) return { kind: 'edited', files, paths: [] };
  const failed = yield* proofOf({ ...input, before, tip: tip.tree, files, tipFiles: input.tip, keys });
  const paths = [...files.keys()].toSorted();
  if (failed === undefined) return { kind: 'edited', files, paths };
  return { ...conflict(failed.reason, paths), ...(failed.usedBy ? { usedBy: failed.usedBy } : {}) };
}

const keysOf = (before: RenderedApp, tried: RenderedApp): ReadonlySet<string> =>
  new Set([...before.documents, ...tried.documents].map(({ object }) => identityOf(object)));

/** Files whose text `reverting` may ask for, in whichever of the trees they are; yields as it does. */
export function* revertPaths({
  app,
  base,
  judged,
  tip,
  render,
}: Pick<RevertInput, 'app' | 'base' | 'judged' | 'tip' | 'render'>): Generator<void, ReadonlySet<string>> {
  const trees: RenderedTree[] = [];
  for (const files of [base, judged, tip]) trees.push(yield* render.inTurns(files));
  const [before, tried] = trees.map((tree) => appIn(tree, app));
  const paths = new Set<string>();
  if (!before || !tried) return paths;
  const keys = keysOf(before, tried);
  for (const tree of trees) {
    const { byIdentity } = yield* indexed(tree);
    for (const key of keys) {
      const manifest = byIdentity.get(key);
      if (manifest) paths.add(manifest.source.path);
    }
  }
  const [old, , now] = trees;
  if (!old || !now) return paths;
  // What was deleted comes back beside what stood beside it, wherever that is now.
  const gone = before.documents.filter(({ object }) => !indexes.get(now)?.byIdentity.has(identityOf(object)));
  const places = new Set(gone.map(({ source }) => source.path));
  if (places.size === 0) return paths;
  for (const { object, source } of old.manifests) {
    if (!places.has(source.path)) continue;
    for (const { source: here } of indexes.get(now)?.byName.get(object.metadata.name) ?? []) paths.add(here.path);
  }
  return paths;
}

interface TreeIndex {
  readonly byIdentity: ReadonlyMap<string, Manifest>;
  readonly byName: ReadonlyMap<unknown, readonly Manifest[]>;
}

const indexes = new WeakMap<RenderedTree, TreeIndex>();

/** Made once for each tree; yields again and again, because a tree may be large. */
function* indexed(tree: RenderedTree): Generator<void, TreeIndex> {
  const known = indexes.get(tree);
  if (known) return known;
  const byIdentity = new Map<string, Manifest>();
  const byName = new Map<unknown, Manifest[]>();
  for (const [at, manifest] of tree.manifests.entries()) {
    byIdentity.set(identityOf(manifest.object), manifest);
    append(byName, manifest.object.metadata.name, manifest);
    if (at % 512 === 0) yield;
  }
  const index = { byIdentity, byName };
  indexes.set(tree, index);
  return index;
}

type Conflict = Extract<Revert, { readonly kind: 'conflict' }>;
const conflict = (reason: string, paths: readonly string[] = []): Conflict => ({ kind: 'conflict', reason, paths });

type Sides = Readonly<Record<'base' | 'judged' | 'tip', Side>>;

/** What is to become of each of the app's objects; a text says why that cannot be told. */
function* planOf(
  keys: ReadonlySet<string>,
  { base, judged, tip }: Sides,
  read: ReadPart,
): Generator<void, Plan | string> {
  const plan: Plan = { goals: new Map(), returns: new Map() };
  for (const key of keys) {
    const places: (Found | undefined)[] = [];
    for (const side of [base, judged, tip]) {
      places.push(side.locate(key));
      yield;
    }
    const [old, tried, now] = places;
    for (const [found, side] of [
      [old, base],
      [tried, judged],
      [now, tip],
    ] as const) {
      if (!found && side.objects.has(key)) return `${nameIn(side, key)} cannot be found in its file`;
    }
    const { name } = (base.objects.get(key) ?? judged.objects.get(key) ?? tip.objects.get(key))?.object.metadata ?? {};
    if (now && tried) {
      const expected = old ? undoChanges(old.at.value, tried.at.value, now.at.value) : undefined;
      if (!old) {
        const former = inAnotherGroup(tip.objects.get(key), base);
        if (former !== undefined) return `${nameIn(tip, key)} was ${former} before: its API group changed`;
        // It may have stood there and be in use.
        if (isUnreadable(name, base)) return `${nameIn(tip, key)} could not be read before the release`;
        if (!(yield* mayGo(key, tried.at.value, now.at.value, tip, keys))) continue;
      }
      if (old && isDeepStrictEqual(expected, now.at.value)) continue;
      append(plan.goals, now.path, { now, judged: tried, base: old, expected });
    } else if (old && !tried && !now) {
      if (isUnreadable(name, tip)) {
        const broken = brokenPart(old, base, judged, tip, read);
        if (!broken) return `${nameIn(base, key)} stands where it cannot be read any more`;
        append(plan.returns, old.path, { base: old, behind: undefined, instead: broken });
        continue;
      }
      const found = placeOf(old, tip, read);
      if (!found) return `${nameIn(base, key)} was deleted from a list and cannot be put back`;
      append(plan.returns, found.path, { base: old, behind: found.behind });
    }
  }
  return plan;
}

/** Something that cannot be read names it, so it may stand there. */
const isUnreadable = (name: string | undefined, { tree }: Side): boolean =>
  name !== undefined && tree.unreadableText.includes(name);

/** The part that was the object's document until the release made it unreadable, as the release left it. */
function brokenPart(old: Found, base: Side, judged: Side, tip: Side, read: ReadPart): number | undefined {
  const { metadata } = old.at.value as { readonly metadata: { readonly name: string } };
  const [before, tried, now] = [base, judged, tip].map((side) => side.text(old.path)?.parts ?? []);
  if (!before || !tried || !now || !old.at.isAlone) return undefined;
  const isBroken = (part: string): boolean => part.includes(metadata.name) && read(part) === undefined;
  const found = [...now.keys()].filter((at) => {
    const part = now[at] ?? '';
    return isBroken(part) && tried.includes(part) && !before.includes(part);
  });
  return found.length === 1 ? found[0] : undefined;
}

const nameIn = ({ objects }: Side, key: string): string => {
  const manifest = objects.get(key);
  return manifest ? nameOf(refOf(manifest.object)) : key;
};

/** The apiVersion of an object of the same kind and name that the cluster takes for the same one. */
function inAnotherGroup(manifest: Manifest | undefined, { objects }: Side): string | undefined {
  const legacy = new Set(['extensions', 'apps']);
  const groupIn = ({ object }: Manifest): string => object.apiVersion.split('/')[0] ?? '';
  if (!manifest || !legacy.has(groupIn(manifest))) return undefined;
  const { kind, metadata } = manifest.object;
  const former = [...objects.values()].find(
    (other) =>
      legacy.has(groupIn(other)) &&
      other.object.kind === kind &&
      other.object.metadata.name === metadata.name &&
      other.object.metadata.namespace === metadata.namespace,
  );
  return former?.object.apiVersion;
}

/** Where an object that was deleted comes back: behind those that stood before it, wherever they are now. */
function placeOf(
  old: Found,
  tip: Side,
  read: ReadPart,
): { readonly path: string; readonly behind: Located | undefined } | undefined {
  const { file, at, path } = old;
  const all = file.parts.flatMap((_, part) => objectsInPart(file, part, read));
  const position = all.findIndex((other) => isSamePlace(other, at));
  const earlier = all.slice(0, position).toReversed();
  const later = all.slice(position + 1);
  const neighbours = at.isAlone ? earlier : [...earlier, ...later].filter(({ part }) => part === at.part);
  const here = tip.text(path) ? path : undefined;
  const behind = firstIn(tip, neighbours, here);
  if (!at.isAlone) return behind && behind.at.prefix.length > 0 ? { path: behind.path, behind: behind.at } : undefined;
  if (behind) return { path: behind.path, behind: behind.at };
  // Those behind it tell of a file that was moved.
  return { path: here ?? firstIn(tip, later, undefined)?.path ?? path, behind: undefined };
}

/** The first of them that is there; `path` undefined: in any file. */
function firstIn(tip: Side, objects: readonly Located[], path: string | undefined): Found | undefined {
  for (const { value } of objects) {
    const found = tip.find(value);
    if (found && (path === undefined || found.path === path)) return found;
  }
  return undefined;
}

const isSamePlace = (a: Located, b: Located): boolean =>
  a.part === b.part && a.document === b.document && a.prefix[1] === b.prefix[1];

/** What the release added goes again, unless it was changed since or somebody else refers to it. */
function* mayGo(
  key: string,
  added: unknown,
  now: unknown,
  tip: Side,
  own: ReadonlySet<string>,
): Generator<void, boolean> {
  if (!isDeepStrictEqual(added, now)) return false;
  const manifest = tip.objects.get(key);
  if (!manifest) return false;
  const { name, namespace } = manifest.object.metadata;
  let looked = 0;
  for (const [other, { object }] of tip.objects) {
    if (++looked % 128 === 0) yield;
    if (own.has(other) || object.metadata.namespace !== namespace) continue;
    if (mentions(object['spec'], name)) return false;
  }
  return true;
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true;
  if (isList(value)) return value.some((item) => mentions(item, name));
  return isObject(value) && Object.values(value).some((member) => mentions(member, name));
}

function* editFile(
  path: string,
  plan: Plan,
  { base, judged, tip }: Sides,
  read: ReadPart,
): Generator<void, string | null | undefined> {
  const goals = plan.goals.get(path) ?? [];
  const returns = plan.returns.get(path) ?? [];
  const file = tip.text(path);
  const sides = { path, judged: judged.text(path), base: base.text(path), goals, returns, read };
  if (file) return yield* revertFile({ ...sides, tip: file });
  if (tip.files.has(path)) return undefined;
  // The release deleted the file: as it was, if nothing else stood in it.
  const old = sides.base;
  const mine = new Set(returns.map(({ base: { at } }) => at.part));
  if (
    old &&
    old.parts.every((part, at) => mine.has(at) || isBlank(part)) &&
    returns.every((each) => each.base.at.isAlone)
  )
    return old.text;
  return yield* revertFile({ ...sides, tip: emptyFile });
}

function* sideOf(files: TreeFiles, tree: RenderedTree, read: ReadPart): Generator<void, Side> {
  const { byIdentity: objects, byName: named } = yield* indexed(tree);
  const texts = new Map<string, FileText>();
  const text = (path: string): FileText | undefined => {
    const source = sourceOf(files, path);
    if (source === undefined) return undefined;
    const known = texts.get(path) ?? fileText(source);
    texts.set(path, known);
    return known;
  };
  const located = (manifest: Manifest | undefined): Found | undefined => {
    const file = manifest && text(manifest.source.path);
    const at = file && locateObject(file, manifest.object, read);
    return at && { path: manifest.source.path, file, at };
  };
  return {
    files,
    tree,
    objects,
    text,
    locate: (key) => located(objects.get(key)),
    find: (value) => located(named.get(writtenName(value))?.find(({ object }) => isSameObject(value, object))),
  };
}

function writtenName(value: unknown): unknown {
  const metadata = isObject(value) ? value['metadata'] : undefined;
  return isObject(metadata) ? metadata['name'] : undefined;
}

function pathsOf(keys: ReadonlySet<string>, side: Side): readonly string[] {
  const paths = [...keys].flatMap((key) => side.objects.get(key)?.source.path ?? []);
  return [...new Set(paths)].toSorted();
}

function append<K, T>(map: Map<K, T[]>, key: K, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
