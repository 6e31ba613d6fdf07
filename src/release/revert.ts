import { messageOf } from '../lib/errors.ts';
import { keyOf } from '../lib/key.ts';
import { answered, atOnce, type Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { identityOf } from '../manifest/identity.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { proofOf } from './proof.ts';
import { appIn, type TreeFiles, type Render, type RenderedApp, type RenderedTree, sourceOf } from './rendered.ts';
import {
  editingTexts,
  type ObjectFacts,
  type PlacedObject,
  type RevertTexts,
  type TextEdits,
  type TextsOfTree,
} from './revert-texts.ts';
import type { AppId } from './types.ts';

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
  /** Absent: the texts are edited here, document by document. */
  readonly editor?: TextEditor | undefined;
}

/** Edits foreign texts without keeping others from their work. Rejects where that takes more than it may. */
export interface TextEditor {
  /** `mostMs`: others wait for what is done after it; rejects with EditLate where that is not enough. Absent: as long as it may take. */
  edit(texts: RevertTexts, mostMs?: number): Promise<TextEdits>;
}

/** The time that was given was too little; it says nothing of the texts. */
export class EditLate extends Error {
  constructor() {
    super('others go first');
  }
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

/**
 * Takes back what a release changed in its app's target, ConfigMaps and Secrets, on top of the tip: a function of the trees, run anew
 * for every tip. What other apps or later commits changed stays. Nothing is given that was not read back and found equal to the
 * app's base and, in everything else, to the tip.
 */
export function revertApp(input: RevertInput): Revert {
  return atOnce(reverting(input));
}

/** As `revertApp`; yields after each document, so that it can be done in turns. Never throws: foreign text may break what reads it. */
export function* reverting(input: RevertInput): Steps<Revert> {
  try {
    return yield* revertIn(input);
  } catch (error) {
    return conflict(`its files could not be worked on (${messageOf(error)})`);
  }
}

function* revertIn(input: RevertInput): Steps<Revert> {
  const { app, render, together, editor } = input;
  const base = yield* render.inTurns(input.base);
  const judged = yield* render.inTurns(input.judged);
  const tip = yield* render.inTurns(input.tip);
  const [before, tried] = [base, judged].map((tree) => appIn(tree, app));
  const now = appIn(together ? yield* render.inTurns(together.tip) : tip, app);
  if (!now) return { kind: 'superseded' };
  if (now.content === before?.content) return { kind: 'nothing' };
  if (!tried || now.content !== tried.content) return { kind: 'superseded' };
  if (!before) return conflict(`there is no earlier state of ${keyOf(app)} to go back to`);

  const keys = keysOf(before, tried);
  const paths = yield* revertPaths(input);
  const texts = {
    base: yield* textsOf(input.base, base, paths),
    judged: yield* textsOf(input.judged, judged, paths),
    tip: yield* textsOf(input.tip, tip, paths),
    facts: yield* factsOf(keys, { base, judged, tip }),
  };
  const edits = yield* editor ? answered(editor.edit(texts)) : editingTexts(texts);
  if (edits.kind === 'conflict') {
    return conflict(edits.reason, edits.path === undefined ? yield* pathsOf(keys, tip) : [edits.path]);
  }
  const { files } = edits;
  if (files.size === 0 && together) return { kind: 'edited', files, paths: [] };
  const failed = yield* proofOf({ ...input, before, tip, files, tipFiles: input.tip, keys });
  const edited = [...files.keys()].toSorted();
  if (failed === undefined) return { kind: 'edited', files, paths: edited };
  return { ...conflict(failed.reason, edited), ...(failed.usedBy ? { usedBy: failed.usedBy } : {}) };
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
}: Pick<RevertInput, 'app' | 'base' | 'judged' | 'tip' | 'render'>): Steps<ReadonlySet<string>> {
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
      if (manifest) paths.add(manifest.origin.path);
    }
  }
  const [old, , now] = trees;
  if (!old || !now) return paths;
  // What was deleted comes back beside what stood beside it, wherever that is now.
  const gone = before.documents.filter(({ object }) => !indexes.get(now)?.byIdentity.has(identityOf(object)));
  const places = new Set(gone.map(({ origin }) => origin.path));
  if (places.size === 0) return paths;
  for (const { object, origin } of old.manifests) {
    if (!places.has(origin.path)) continue;
    for (const { origin: here } of indexes.get(now)?.byName.get(object.metadata.name) ?? []) paths.add(here.path);
  }
  return paths;
}

interface TreeIndex {
  readonly byIdentity: ReadonlyMap<string, Manifest>;
  readonly byName: ReadonlyMap<unknown, readonly Manifest[]>;
  readonly byPath: ReadonlyMap<string, readonly Manifest[]>;
}

const indexes = new WeakMap<RenderedTree, TreeIndex>();

/** Made once for each tree; yields again and again, because a tree may be large. */
function* indexed(tree: RenderedTree): Steps<TreeIndex> {
  const known = indexes.get(tree);
  if (known) return known;
  const byIdentity = new Map<string, Manifest>();
  const byName = new Map<unknown, Manifest[]>();
  const byPath = new Map<string, Manifest[]>();
  for (const [at, manifest] of tree.manifests.entries()) {
    byIdentity.set(identityOf(manifest.object), manifest);
    append(byName, manifest.object.metadata.name, manifest);
    append(byPath, manifest.origin.path, manifest);
    if (at % 512 === 0) yield;
  }
  const index = { byIdentity, byName, byPath };
  indexes.set(tree, index);
  return index;
}

type Conflict = Extract<Revert, { readonly kind: 'conflict' }>;
const conflict = (reason: string, paths: readonly string[] = []): Conflict => ({ kind: 'conflict', reason, paths });

function* textsOf(files: TreeFiles, tree: RenderedTree, paths: ReadonlySet<string>): Steps<TextsOfTree> {
  const { byPath } = yield* indexed(tree);
  const texts = new Map<string, string>();
  const objects = new Map<string, PlacedObject>();
  for (const path of paths) {
    const text = sourceOf(files, path);
    if (text !== undefined) texts.set(path, text);
    for (const { object } of byPath.get(path) ?? []) {
      const { apiVersion, kind, metadata } = object;
      const { name, namespace } = metadata;
      const named = { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
      objects.set(identityOf(object), { object: named, path });
    }
    yield;
  }
  return { texts, objects };
}

type Trees = Readonly<Record<'base' | 'judged' | 'tip', RenderedTree>>;

function* factsOf(keys: ReadonlySet<string>, trees: Trees): Steps<ReadonlyMap<string, ObjectFacts>> {
  const [base, judged, tip] = [yield* indexed(trees.base), yield* indexed(trees.judged), yield* indexed(trees.tip)];
  const facts = new Map<string, ObjectFacts>();
  for (const key of keys) {
    const [old, tried, now] = [base, judged, tip].map(({ byIdentity }) => byIdentity.get(key)?.object);
    const name = (old ?? tried ?? now)?.metadata.name;
    const mayStandIn = ({ unreadableText }: RenderedTree): boolean =>
      name !== undefined && unreadableText.includes(name);
    const isAdded = !old && tried !== undefined && now !== undefined;
    facts.set(key, {
      former: isAdded ? inAnotherGroup(now, base) : undefined,
      mayStandUnread: { base: mayStandIn(trees.base), tip: mayStandIn(trees.tip) },
      isReferredTo: isAdded && (yield* isReferredTo(now, tip, keys)),
    });
    yield;
  }
  return facts;
}

/** The apiVersion of an object of the same kind and name that the cluster takes for the same one. */
function inAnotherGroup(object: KubeObject, { byName }: TreeIndex): string | undefined {
  const legacy = new Set(['extensions', 'apps']);
  const groupOf = ({ apiVersion }: KubeObject): string => apiVersion.split('/')[0] ?? '';
  if (!legacy.has(groupOf(object))) return undefined;
  const { kind, metadata } = object;
  const former = byName
    .get(metadata.name)
    ?.find(
      ({ object: other }) =>
        legacy.has(groupOf(other)) && other.kind === kind && other.metadata.namespace === metadata.namespace,
    );
  return former?.object.apiVersion;
}

/** Whether an object of the namespace that is not the app's refers to it. */
function* isReferredTo(
  { metadata: { name, namespace } }: KubeObject,
  { byIdentity }: TreeIndex,
  own: ReadonlySet<string>,
): Steps<boolean> {
  let looked = 0;
  for (const [other, { object }] of byIdentity) {
    if (++looked % 128 === 0) yield;
    if (own.has(other) || object.metadata.namespace !== namespace) continue;
    if (mentions(object['spec'], name)) return true;
  }
  return false;
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true;
  if (isList(value)) return value.some((item) => mentions(item, name));
  return isObject(value) && Object.values(value).some((member) => mentions(member, name));
}

function* pathsOf(keys: ReadonlySet<string>, tree: RenderedTree): Steps<readonly string[]> {
  const { byIdentity } = yield* indexed(tree);
  const paths = [...keys].flatMap((key) => byIdentity.get(key)?.origin.path ?? []);
  return [...new Set(paths)].toSorted();
}

function append<K, T>(map: Map<K, T[]>, key: K, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
