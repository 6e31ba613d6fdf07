import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../lib/turns.ts';
import { mergeText } from '../manifest/edit-merge.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { type Written, writtenIn } from '../manifest/edit-tree.ts';
import { undoChanges } from '../manifest/edit-undo.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import { type KubeObject, type Manifest, type Problem, refOf } from '../manifest/types.ts';
import { indexed } from './object-index.ts';
import type { Edit, RestoreGoal } from './renderer.ts';
import { sopsFormatOf } from './sops-file.ts';
import { textAt } from './source-bytes.ts';
import { EditLate } from './text-edit.ts';
import { editedFiles, type TreeFiles } from './tree-files.ts';
import { mixed, partsIn } from './value-mix.ts';

/** What a tree says, and the files that its units are made from. */
export interface RenderedFiles {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly inputs: ReadonlySet<string>;
  /** ConfigMaps and Secrets that variables of Kustomizations of Flux come from, by identity. */
  readonly variables: ReadonlySet<string>;
}

type Edits = ReadonlyMap<string, string | null>;
type Side = 'base' | 'judged' | 'tip';

/** Changed files that are looked at, and parts of them that are tried out one by one: each costs a rendering of the units that it is in. */
const mostFiles = 200;
const mostParts = 40;
const mostLength = 256 * 1024;

/** A part of a change that can be taken back alone. */
interface Part {
  readonly file: ChangedFile;
  readonly index: number;
}

interface ChangedFile {
  readonly path: string;
  readonly texts: Readonly<Record<Side, string | undefined>>;
  /** Of the documents that can be taken back in parts. Undefined: it is taken back as a whole. */
  readonly documents: readonly ChangedDocument[] | undefined;
  readonly parts: number;
}

interface ChangedDocument {
  readonly at: number;
  /** The ConfigMap or Secret that it is, by identity: variables may come from it. Undefined: it is no object. */
  readonly source: string | undefined;
  readonly base: Written;
  readonly judged: Written;
  readonly parts: number;
}

/**
 * Takes back what a release changed in whatever its objects are rendered from, kustomizations, patches, generators' files, descriptions of units:
 * which part of the change made which object is found by taking it back and rendering. `resources`: edits of the objects' own documents.
 */
export function* restoreRendered(
  goal: RestoreGoal,
  resources: Edits,
  render: (files: TreeFiles) => Steps<RenderedFiles>,
): Steps<Edit> {
  const began = performance.now();
  const tip = yield* render(goal.tip.files);
  const files = yield* changedFiles(goal, render);
  if (typeof files === 'string') return { kind: 'refused', reason: files, paths: [] };
  const isOwn = (key: string): boolean => goal.objects.has(key);
  const base = yield* render(goal.base.files);
  const wanted = (yield* indexed(base)).byIdentity;
  const tried = new Map<string, Outcome>();

  function* outcomeOf(parts: readonly Part[]): Steps<Outcome> {
    const key = parts.map(({ file, index }) => `${file.path} ${index}`).join('\n');
    const known = tried.get(key);
    if (known) return known;
    if (goal.mostMs !== undefined && performance.now() - began > goal.mostMs) throw new EditLate();
    const edits = yield* editsOf(parts, resources);
    const sources = new Set(parts.flatMap(sourceOf));
    const outcome = edits ? { ...(yield* judged(edits, sources)), sources } : unwritable;
    tried.set(key, outcome);
    return outcome;
  }
  function* judged(edits: Edits, sources: ReadonlySet<string>): Steps<Omit<Outcome, 'sources'>> {
    const edited = yield* render(editedFiles(goal.tip.files, edits));
    const changed = yield* changedKeys(tip.manifests, edited.manifests);
    const left = new Map(
      edited.manifests.flatMap(({ object }) => (isOwn(identityOf(object)) ? [[identityOf(object), object]] : [])),
    );
    const isRestored = [...goal.objects.keys()].every((one) =>
      isDeepStrictEqual(left.get(one), wanted.get(one)?.object),
    );
    const isBroken = errorsIn(edited) > errorsIn(tip);
    // What the objects are made from goes back as a whole, or not at all.
    const isSource = ([one, object]: readonly [string, KubeObject | undefined]): boolean =>
      sources.has(one) && isDeepStrictEqual(object, wanted.get(one)?.object);
    const others = [...changed].filter(([one]) => !isOwn(one));
    return { edits, isRestored, isBroken, changed, others: others.filter((one) => !isSource(one)) };
  }
  const isRight = ({ isRestored, isBroken, others }: Outcome): boolean =>
    isRestored && !isBroken && others.length === 0;

  const all = files.flatMap(partsOf);
  const none = yield* outcomeOf([]);
  if (isRight(none)) return asEdit(none);
  const whole = yield* outcomeOf(all);
  // Where it is a change of this app alone, parts without an effect are others' as well: only where there is nothing to choose it goes as one.
  const isOne = all.length <= 1;
  if (isOne && isRight(whole)) return asEdit(whole);
  if (all.length > mostParts) return isRight(whole) ? asEdit(whole) : refusal(whole, files);
  const sorted: Record<'own' | 'idle' | 'broken' | 'others', Part[]> = { own: [], idle: [], broken: [], others: [] };
  for (const part of isOne ? [] : all) {
    const alone = yield* outcomeOf([part]);
    const change = [...alone.changed].filter(([key, object]) => !isDeepStrictEqual(none.changed.get(key), object));
    const kind = alone.isBroken
      ? 'broken'
      : change.some(([key]) => !isOwn(key) && alone.others.some(([other]) => other === key))
        ? 'others'
        : change.some(([key]) => isOwn(key))
          ? 'own'
          : 'idle';
    sorted[kind].push(part);
    yield;
  }
  const { own, idle, broken } = sorted;
  const inOrder = (...parts: readonly Part[][]): readonly Part[] =>
    all.filter((part) => parts.some((list) => list.includes(part)));
  // One that has no effect may be needed by another, as a name in two places.
  // A line that says several things, as one with an anchor, goes back as it was.
  const beside = idle.filter(({ file }) => isOneLine(file.texts) && own.some((part) => part.file === file));
  for (const parts of [
    inOrder(own, beside),
    inOrder(own),
    inOrder(own, broken),
    inOrder(own, idle),
    inOrder(own, idle, broken),
    all,
  ]) {
    const outcome = yield* outcomeOf(parts);
    if (isRight(outcome)) return asEdit(outcome);
  }
  return refusal(whole, files);
}

const asEdit = ({ edits, sources }: Outcome): Edit => ({ kind: 'edited', files: edits, sources });

interface Outcome {
  readonly edits: Edits;
  /** ConfigMaps and Secrets that are taken back with it, by identity. */
  readonly sources: ReadonlySet<string>;
  readonly isRestored: boolean;
  readonly isBroken: boolean;
  /** Objects that are not as at the tip, by identity; undefined: not there any more. */
  readonly changed: ReadonlyMap<string, KubeObject | undefined>;
  /** Those of them that are not the app's. */
  readonly others: readonly (readonly [key: string, object: KubeObject | undefined])[];
}

const unwritable: Outcome = {
  edits: new Map(),
  sources: new Set(),
  isRestored: false,
  isBroken: true,
  changed: new Map(),
  others: [],
};

const errorsIn = ({ problems }: RenderedFiles): number =>
  problems.filter(({ severity }) => severity === 'error').length;

function refusal({ others, isBroken }: Outcome, files: readonly ChangedFile[]): Edit {
  const [other] = others.map(([key, object]) => (object ? nameOf(refOf(object)) : key));
  const reason =
    other === undefined
      ? `the change cannot be taken back where it was made${isBroken ? ': what is left could not be rendered' : ''}`
      : `the change cannot be taken back for this app alone: ${other} would change as well`;
  return { kind: 'refused', reason, paths: files.map(({ path }) => path) };
}

function isOneLine({ base = '', judged = '' }: ChangedFile['texts']): boolean {
  const [was, is] = [base.split('\n'), judged.split('\n')];
  return was.length === is.length && was.filter((line, at) => line !== is[at]).length === 1;
}

/** Of the document that a part stands in. */
function sourceOf({ file: { documents = [] }, index }: Part): readonly string[] {
  let left = index;
  const found = documents.find(({ parts }) => (left -= parts) < 0);
  return found?.source === undefined ? [] : [found.source];
}

const partsOf = (file: ChangedFile): Part[] => Array.from({ length: file.parts }, (_, index) => ({ file, index }));

function* changedKeys(
  before: readonly Manifest[],
  after: readonly Manifest[],
): Steps<ReadonlyMap<string, KubeObject | undefined>> {
  const [was, is] = [new Set(before), new Set(after)];
  const changed = new Map<string, KubeObject | undefined>();
  const gone = new Map<string, KubeObject>();
  for (const manifest of before) if (!is.has(manifest)) gone.set(identityOf(manifest.object), manifest.object);
  yield;
  for (const manifest of after) {
    if (was.has(manifest)) continue;
    const key = identityOf(manifest.object);
    if (!isDeepStrictEqual(gone.get(key), manifest.object)) changed.set(key, manifest.object);
    gone.delete(key);
  }
  for (const key of gone.keys()) changed.set(key, undefined);
  return changed;
}

/** What differs between base and judged of all that units may be made from, but for documents that are objects. A text says why it is not looked at. */
function* changedFiles(
  goal: RestoreGoal,
  render: (files: TreeFiles) => Steps<RenderedFiles>,
): Steps<readonly ChangedFile[] | string> {
  const [base, judged] = [goal.base.files, goal.judged.files];
  const paths = new Set<string>();
  for (const files of [base, judged])
    for (const [path, file] of files) if (!isSame(file, (files === base ? judged : base).get(path))) paths.add(path);
  yield;
  const inputs = new Set<string>();
  const [before, after, now] = [yield* render(base), yield* render(judged), yield* render(goal.tip.files)];
  for (const tree of [before, after, now])
    for (const path of tree.inputs) if (!base.has(path) && !judged.has(path)) inputs.add(path);
  const changed: ChangedFile[] = [];
  for (const path of [...paths, ...inputs].toSorted()) {
    const texts = {
      base: yield* textAt(path, goal.base),
      judged: yield* textAt(path, goal.judged),
      tip: yield* textAt(path, goal.tip),
    };
    yield;
    if (texts.base === texts.judged || (texts.tip === undefined && texts.judged !== undefined)) continue;
    if (changed.length >= mostFiles) return `more than ${mostFiles} files have changed since`;
    if (Object.values(texts).some((text) => (text?.length ?? 0) > mostLength)) return `${path} is too large`;
    const objects = new Map([...(yield* documentsAt(path, before)), ...(yield* documentsAt(path, after))]);
    const sources = new Map([...objects].filter(([, key]) => before.variables.has(key) && !goal.objects.has(key)));
    for (const at of sources.keys()) objects.delete(at);
    const documents = documentsOf(path, texts, objects, sources);
    const parts = documents?.reduce((sum, one) => sum + one.parts, 0) ?? (objects.size + sources.size > 0 ? 0 : 1);
    if (parts > 0) changed.push({ path, texts, documents, parts });
  }
  return changed;
}

const isSame = (
  a: TreeFiles extends ReadonlyMap<string, infer File> ? File : never,
  b: typeof a | undefined,
): boolean =>
  typeof a === 'string' || typeof b === 'string' || b === undefined ? a === b : a.oid === b.oid && a.mode === b.mode;

/** Which documents of a file are objects, by identity. */
function* documentsAt(path: string, tree: RenderedFiles): Steps<readonly (readonly [number, string])[]> {
  const { byPath } = yield* indexed(tree);
  return (byPath.get(path) ?? []).flatMap(({ object, origin }) =>
    origin.document === undefined ? [] : [[origin.document, identityOf(object)] as const],
  );
}

const isYaml = (path: string): boolean => /\.(?:ya?ml|json)$/i.test(path) || /(?:^|\/)Kustomization$/.test(path);

function documentsOf(
  path: string,
  { base, judged, tip }: ChangedFile['texts'],
  objects: ReadonlyMap<number, string>,
  sources: ReadonlyMap<number, string>,
): readonly ChangedDocument[] | undefined {
  // In parts its checksum would be wrong.
  if ([base, judged, tip].some((text) => text !== undefined && sopsFormatOf(path, Buffer.from(text)) !== undefined))
    return undefined;
  if (!isYaml(path) || base === undefined || judged === undefined || tip === undefined) return undefined;
  const [before, after, now] = [writtenIn(base), writtenIn(judged), writtenIn(tip)];
  if (!before || !after || !now || before.length !== after.length || now.length !== after.length) return undefined;
  const documents = after.flatMap((written, at) => {
    const old = before[at];
    if (!old || objects.has(at)) return [];
    const parts = partsIn(old.value, written.value);
    return parts === 0 ? [] : [{ at, source: sources.get(at), base: old, judged: written, parts }];
  });
  // Only comments or the like: of a file that is content as it is written.
  return documents.length === 0 && objects.size + sources.size === 0 ? undefined : documents;
}

/** The files with these parts taken back. Undefined: they cannot be written so. */
function* editsOf(parts: readonly Part[], resources: Edits): Steps<Edits | undefined> {
  const edits = new Map(resources);
  const byFile = new Map<ChangedFile, Set<number>>();
  for (const { file, index } of parts) byFile.set(file, (byFile.get(file) ?? new Set()).add(index));
  for (const [file, chosen] of byFile) {
    const { path, texts } = file;
    const text = resources.has(path) ? (resources.get(path) ?? undefined) : texts.tip;
    const edited =
      chosen.size === file.parts
        ? yield* withoutChange({ ...file, texts: { ...texts, tip: text } })
        : yield* withoutParts(file, chosen, text);
    if (edited === undefined) return undefined;
    if (edited !== texts.tip || resources.has(path)) edits.set(path, edited);
  }
  return edits;
}

function* withoutChange(file: ChangedFile): Steps<string | null | undefined> {
  const { base, judged, tip } = file.texts;
  if (tip === judged) return base ?? null;
  if (base === undefined || judged === undefined || tip === undefined) return undefined;
  return mergeText(tip, judged, base) ?? (file.documents ? yield* withoutParts(file, undefined, tip) : undefined);
}

/** `chosen` undefined: all of them. */
function* withoutParts(
  { documents = [], texts }: ChangedFile,
  chosen: ReadonlySet<number> | undefined,
  tip: string | undefined,
): Steps<string | undefined> {
  let text = tip;
  let index = 0;
  for (const { at, base, judged } of documents) {
    const now = text === undefined ? undefined : writtenIn(text)?.[at];
    if (text === undefined || !now) return undefined;
    const value = mixed(base.value, judged.value, () => chosen?.has(index++) ?? true);
    const wanted = undoChanges(value, judged.value, now.value);
    if (isDeepStrictEqual(wanted, now.value)) continue;
    const merged =
      texts.base === undefined || texts.judged === undefined ? undefined : mergeText(text, texts.judged, texts.base);
    if (merged !== undefined && documents.length === 1 && isDeepStrictEqual(writtenIn(merged)?.[at]?.value, wanted)) {
      text = merged;
      continue;
    }
    const edited = yield* editingDocument(text, at, wanted, { base, judged });
    if (edited.kind !== 'edited') return undefined;
    text = edited.text;
  }
  return text;
}
