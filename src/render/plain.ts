import { sha256Hex } from '../lib/hash.ts';
import { answered, type Steps } from '../lib/turns.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import { type FileOfTree, type Haste, readManifestFile, type Rendering } from '../manifest/load.ts';
import type { ManifestLimits } from '../manifest/limits.ts';
import type { ParsedFiles } from '../manifest/parsed-files.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { indexed } from './object-index.ts';
import type { Edit, FieldGoal, ReadTexts, Renderer, RestoreGoal, TreeState, Unit } from './renderer.ts';
import { editingTexts, type PlacedObject, type TextEdit, type TextEditor, type TextsOfTree } from './text-edit.ts';
import { shownText } from './file-bytes.ts';
import { textAt } from './source-bytes.ts';
import { type GitFile, type TreeFiles, unreadAmong } from './tree-files.ts';

/** Texts of edits whose hash is known at a time: each may be as large as a file. */
const mostEditedTexts = 32;

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;

export interface PlainOptions {
  readonly parsed: ParsedFiles;
  /** Absent: the default ones. */
  readonly limits?: ManifestLimits | undefined;
  /** Whether a file may hold objects. */
  readonly isManifest: (path: string) => boolean;
  /** Absent: texts are edited here, document by document. */
  readonly editor?: TextEditor | undefined;
  /** Absent: the texts of all files are there. */
  readonly readTexts?: ReadTexts | undefined;
}

/** Files that hold objects as they are applied, each a unit of its own. */
export function createPlain({ parsed, limits, isManifest, editor, readTexts }: PlainOptions): Renderer {
  const oids = new Map<string, string>();
  const oidOf = (text: string): string => {
    const known = oids.get(text);
    if (known !== undefined) return known;
    const oid = sha256Hex(text);
    if (oids.size >= mostEditedTexts) oids.clear();
    oids.set(text, oid);
    return oid;
  };
  function* render(path: string, source: string | GitFile): Steps<Rendering> {
    const file: FileOfTree = typeof source === 'string' ? { oid: oidOf(source) } : source;
    const known = (typeof source === 'object' && source.parsed) || parsed.get(path, file);
    if (known) return known;
    const text = typeof source === 'string' ? source : source.text;
    if (text === undefined) throw new Error(`${path} was not read`);
    const read = yield* readingPlain(parsed, path, shownText(text), file, limits, 'now');
    parsed.keep(path, read);
    return read;
  }
  function* editTexts(edit: TextEdit, tip: TreeState, keys: Iterable<string>, mostMs?: number): Steps<Edit> {
    const edits = yield* editor ? answered(editor.edit(edit, mostMs)) : editingTexts(edit);
    if (edits.kind === 'edited') return edits;
    return {
      kind: 'refused',
      reason: edits.reason,
      paths: edits.path === undefined ? yield* pathsOf(tip, keys) : [edits.path],
    };
  }
  function* restore({ base, judged, tip, objects, mostMs }: RestoreGoal): Steps<Edit> {
    const trees = [base, judged, tip];
    const paths = yield* pathsToRestore(trees, objects.keys());
    for (const { files } of trees) yield* reading(readTexts, files, paths);
    const edit = {
      kind: 'restore' as const,
      base: yield* textsIn(base, paths),
      judged: yield* textsIn(judged, paths),
      tip: yield* textsIn(tip, paths),
      facts: objects,
    };
    return yield* editTexts(edit, tip, objects.keys(), mostMs);
  }
  function* setField({ tip, object, field, value }: FieldGoal): Steps<Edit> {
    const { byIdentity } = yield* indexed(tip);
    const manifest = byIdentity.get(identityKey(object));
    if (!manifest) return { kind: 'refused', reason: `${nameOf(object)} is not in Git`, paths: [] };
    const { path } = manifest.origin;
    yield* reading(readTexts, tip.files, [path]);
    const placed = { object: named(manifest), path };
    const edit = { kind: 'field' as const, placed, text: (yield* textAt(path, tip)) ?? '', field, value };
    return yield* editTexts(edit, tip, [identityKey(object)]);
  }

  return {
    name: 'plain',
    *detect({ files }) {
      const units: Unit[] = [];
      for (const [path, file] of files) {
        if (isManifest(path)) units.push({ path, inputs: new Map([[path, file]]) });
        if (units.length % filesATurn === 0) yield;
      }
      return { units, refused: new Map() };
    },
    *render({ files }, { path }) {
      const source = files.get(path);
      if (source === undefined) throw new Error(`${path} is not there`);
      return yield* render(path, source);
    },
    edit: (goal) => (goal.kind === 'restore' ? restore(goal) : setField(goal)),
  };
}

/** What one file says; large ones are read by who reads files for `parsed`. */
export function readingPlain(
  { reader }: Pick<ParsedFiles, 'reader'>,
  path: string,
  content: string | Uint8Array,
  file: FileOfTree,
  limits?: ManifestLimits,
  haste?: Haste,
): Steps<Rendering> {
  return reader ? answered(reader.read(path, content, file, haste)) : readManifestFile(path, content, file, limits);
}

function* reading(readTexts: ReadTexts | undefined, files: TreeFiles, paths: Iterable<string>): Steps<void> {
  const unread = unreadAmong(files, paths);
  if (readTexts && unread.length > 0) yield* answered(readTexts(files, unread));
}

/** Files whose text restoring may need, in whichever of the trees they are. */
function* pathsToRestore(trees: readonly TreeState[], keys: Iterable<string>): Steps<ReadonlySet<string>> {
  const wanted = [...keys];
  const paths = new Set<string>();
  for (const tree of trees) for (const path of yield* pathsOf(tree, wanted)) paths.add(path);
  const [base, , tip] = trees;
  if (!base || !tip) return paths;
  const [before, now] = [yield* indexed(base), yield* indexed(tip)];
  // What was deleted comes back beside what stood beside it, wherever that is now.
  const gone = wanted.flatMap((key) => (now.byIdentity.has(key) ? [] : (before.byIdentity.get(key) ?? [])));
  const places = new Set(gone.map(({ origin }) => origin.path));
  if (places.size === 0) return paths;
  for (const { object, origin } of base.manifests) {
    if (!places.has(origin.path)) continue;
    for (const { origin: here } of now.byName.get(object.metadata.name) ?? []) paths.add(here.path);
  }
  return paths;
}

function* pathsOf(tree: TreeState, keys: Iterable<string>): Steps<readonly string[]> {
  const { byIdentity } = yield* indexed(tree);
  const paths = [...keys].flatMap((key) => byIdentity.get(key)?.origin.path ?? []);
  return [...new Set(paths)].toSorted();
}

function* textsIn(tree: TreeState, paths: ReadonlySet<string>): Steps<TextsOfTree> {
  const { byPath } = yield* indexed(tree);
  const texts = new Map<string, string>();
  const objects = new Map<string, PlacedObject>();
  for (const path of paths) {
    const text = yield* textAt(path, tree);
    if (text !== undefined) texts.set(path, text);
    for (const manifest of byPath.get(path) ?? [])
      objects.set(identityOf(manifest.object), { object: named(manifest), path });
    yield;
  }
  return { texts, objects };
}

/** An object as it is written, no more of it than tells it from others. */
export function named({ object, origin }: Manifest): KubeObject {
  const { apiVersion, kind, metadata } = object;
  const isPlain = origin.renderer === 'plain';
  const name = origin.renderer === 'kustomize' ? (origin.name ?? metadata.name) : metadata.name;
  const namespace = isPlain ? metadata.namespace : origin.namespace;
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}
