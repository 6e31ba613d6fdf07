import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../lib/turns.ts';
import { createPartReader, fileText, joinParts, type Located, locateObject } from '../manifest/edit-documents.ts';
import { mergeText } from '../manifest/edit-merge.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { undoChanges } from '../manifest/edit-undo.ts';
import { isObject } from '../manifest/edit-value.ts';
import { identityKey, nameOf } from '../manifest/identity.ts';
import type { LoadedTree } from '../manifest/load.ts';
import type { HelmOrigin, KubeObject, Manifest, ObjectRef } from '../manifest/types.ts';
import { chartIn, pathIn } from './helm-chart.ts';
import type { HelmRelease } from './helm-release.ts';
import { releasesIn } from './argo-release.ts';
import { indexed } from './object-index.ts';
import { named } from './plain.ts';
import type { Edit, EditGoal, ObjectFacts, RestoreGoal, SourceTree, TreeState } from './renderer.ts';
import { fileAt, textAt } from './source-bytes.ts';
import { EditLate } from './text-edit.ts';
import { editedFiles, type TreeFiles } from './tree-files.ts';

export interface HelmEditing {
  /** Edits what is written in files, or in what kustomize reads. */
  readonly editSources: (goal: EditGoal) => Steps<Edit>;
  readonly render: (files: TreeFiles) => Steps<LoadedTree>;
}

type Files = ReadonlyMap<string, string | null>;

/** One thing that a release changed, which may be taken back alone. */
type Change =
  /** A field of the HelmRelease that stands in a file. */
  | { readonly kind: 'field'; readonly release: Release; readonly field: readonly string[] }
  /** A file of the chart or of values. Null: it goes. */
  | { readonly kind: 'file'; readonly path: string; readonly text: string | null }
  /** A ConfigMap or Secret that values come from, by identity. */
  | { readonly kind: 'values'; readonly key: string }
  /** A HelmRelease that kustomize makes. */
  | { readonly kind: 'object'; readonly release: Release };

const sides = ['base', 'judged', 'tip'] as const;
type Side = (typeof sides)[number];

/** A HelmRelease that made something that is to be restored, in the trees where it stands. */
interface Release {
  readonly ref: ObjectRef;
  readonly origins: ReadonlyMap<Side, HelmOrigin>;
}

/** More are not told apart: all are taken back, or none. */
const mostChanges = 24;
/** Larger files are left to a person. */
const mostLength = 256 * 1024;

/**
 * What a release changed for objects of charts, as it was: fields of HelmReleases, and files of their charts and values. Of what changed only that
 * is taken back which the objects hang on; found out by rendering.
 */
export function* restoreReleases(goal: RestoreGoal, editing: HelmEditing): Steps<Edit> {
  const startedMs = performance.now();
  const releases = yield* releasesOf(goal);
  const changes: Change[] = [];
  for (const release of releases) {
    const found = yield* changesOf(release, goal);
    if (typeof found === 'string') return refused(found, release);
    changes.push(...found);
  }
  const before = yield* indexed(goal.base);
  const now = yield* indexed(goal.tip);
  const tryOut = function* (chosen: readonly Change[]): Steps<Tried | string> {
    if (goal.mostMs !== undefined && performance.now() - startedMs > goal.mostMs) throw new EditLate();
    const files = yield* filesOf(chosen, goal, editing);
    if (typeof files === 'string') return files;
    const { manifests } = yield* editing.render(editedFiles(goal.tip.files, files));
    const after = (yield* indexed({ manifests })).byIdentity;
    const sources = new Set(chosen.flatMap((change) => (change.kind === 'values' ? change.key : [])));
    const isAsBefore = [...goal.objects.keys(), ...sources].every((key) =>
      isDeepStrictEqual(after.get(key)?.object, before.byIdentity.get(key)?.object),
    );
    const moves = [...goal.objects.keys()].some(
      (key) => !isDeepStrictEqual(after.get(key)?.object, now.byIdentity.get(key)?.object),
    );
    return { files, sources, isAsBefore, moves };
  };
  if (changes.length === 0) return { kind: 'edited', files: new Map() };
  if (changes.length > 1 && changes.length <= mostChanges) {
    const needed: Change[] = [];
    for (const change of changes) {
      const alone = yield* tryOut([change]);
      if (typeof alone !== 'string' && alone.moves) needed.push(change);
    }
    if (needed.length > 0 && needed.length < changes.length) {
      const some = yield* tryOut(needed);
      if (typeof some !== 'string' && some.isAsBefore)
        return { kind: 'edited', files: some.files, sources: some.sources };
    }
  }
  const all = yield* tryOut(changes);
  if (typeof all === 'string') return refused(all, releases[0]);
  // Of what it is made from nothing else than before may come back.
  if (all.sources.size > 0 && !all.isAsBefore) return refused(unwritable, releases[0]);
  return { kind: 'edited', files: all.files, sources: all.sources };
}

interface Tried {
  readonly files: Files;
  readonly sources: ReadonlySet<string>;
  readonly isAsBefore: boolean;
  /** Something of it is not as at the tip. */
  readonly moves: boolean;
}

const refused = (reason: string, release: Release | undefined): Edit => {
  const path = release && [...release.origins.values()].at(-1)?.path;
  return { kind: 'refused', reason, paths: path === undefined ? [] : [path] };
};

const unwritable = 'the change cannot be taken back without touching what others changed';

function* releasesOf(goal: RestoreGoal): Steps<readonly Release[]> {
  const found = new Map<string, { readonly ref: ObjectRef; readonly origins: Map<Side, HelmOrigin> }>();
  for (const side of sides) {
    const { byIdentity } = yield* indexed(goal[side]);
    for (const key of goal.objects.keys()) {
      const origin = byIdentity.get(key)?.origin;
      if (origin?.renderer !== 'helm') continue;
      const release = found.get(identityKey(origin.release)) ?? { ref: origin.release, origins: new Map() };
      release.origins.set(side, origin);
      found.set(identityKey(origin.release), release);
    }
  }
  return [...found.values()];
}

/** What is written of a HelmRelease in one tree. */
interface Place {
  readonly path: string;
  readonly text: string;
  readonly at: Located;
}

/** Undefined: it is not there, or not written in a file as it is. */
function* placeOf({ ref, origins }: Release, side: Side, files: TreeFiles): Steps<Place | undefined> {
  const origin = origins.get(side) ?? [...origins.values()][0];
  if (!origin) return undefined;
  const { path } = origin.source;
  const text = yield* textAt(path, { files });
  if (text === undefined || text.length > mostLength) return undefined;
  const at = locateObject(fileText(text), named(describing(ref, origin)), createPartReader());
  return at && { path, text, at };
}

/** No more of a HelmRelease than tells it from others. */
export const describing = ({ apiVersion, kind, name, namespace }: ObjectRef, { source }: HelmOrigin): Manifest => ({
  object: { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } },
  origin: source,
});

/** A HelmRelease as it is written, in its namespace. Undefined: it is not written in a file as it is. */
export function* releaseIn(origin: HelmOrigin, files: TreeFiles): Steps<KubeObject | undefined> {
  const release = { ref: origin.release, origins: new Map([['tip' as const, origin]]) };
  const place = origin.source.renderer === 'plain' ? yield* placeOf(release, 'tip', files) : undefined;
  return place && inNamespace(place, origin.release);
}

function inNamespace({ at }: Place, { namespace }: ObjectRef): KubeObject {
  const object = at.value as KubeObject;
  const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) };
  return { ...object, metadata };
}

/** What changed from the base to the judged tree, and is still so. A text says why that cannot be told. */
function* changesOf(release: Release, goal: RestoreGoal): Steps<readonly Change[] | string> {
  const changes: Change[] = [];
  const isWritten = [...release.origins.values()].every(({ source }) => source.renderer === 'plain');
  const [base, judged, tip] = [
    yield* placeOf(release, 'base', goal.base.files),
    yield* placeOf(release, 'judged', goal.judged.files),
    yield* placeOf(release, 'tip', goal.tip.files),
  ];
  yield;
  if (!isWritten) changes.push({ kind: 'object', release });
  else if (!base || !judged || !tip) return `${nameOf(release.ref)} cannot be found in its file`;
  else
    for (const field of changedFields(specOf(base), specOf(judged), ['spec']))
      if (isDeepStrictEqual(valueAt(judged.at.value, field), valueAt(tip.at.value, field)))
        changes.push({ kind: 'field', release, field });
  for (const key of yield* changedValues(release, goal, [base, judged])) changes.push({ kind: 'values', key });
  const paths = new Set<string>();
  for (const [side, place] of [
    ['base', base],
    ['judged', judged],
  ] as const)
    for (const path of place ? yield* inputsOf(release, place, goal[side]) : []) paths.add(path);
  for (const path of paths) {
    const [was, is] = [yield* fileAt(path, goal.base.files), yield* fileAt(path, goal.judged.files)];
    if (typeof was === 'object' && typeof is === 'object' && was.oid === is.oid) continue;
    const [before, tried, now] = [
      yield* textAt(path, goal.base),
      yield* textAt(path, goal.judged),
      yield* textAt(path, goal.tip),
    ];
    if (before === tried || now === before) continue;
    const text =
      now === tried
        ? (before ?? null)
        : before === undefined || tried === undefined || now === undefined
          ? undefined
          : (mergeText(now, tried, before) ?? (yield* withoutValues(path, { before, tried, now })));
    if (text === undefined) return unwritable;
    changes.push({ kind: 'file', path, text });
  }
  return changes;
}

/** A file of values with the change taken back where its lines cannot be: a comment was written beside. Undefined: it cannot be written so. */
function* withoutValues(
  path: string,
  { before, tried, now }: Readonly<Record<'before' | 'tried' | 'now', string>>,
): Steps<string | undefined> {
  if (!/\.(?:ya?ml|json)$/i.test(path)) return undefined;
  const [base, judged, tip] = [before, tried, now].map((text) => writtenIn(text));
  const [was, is, written] = [base?.[0], judged?.[0], tip?.[0]];
  if (!was || !is || !written || [base, judged, tip].some((documents) => documents?.length !== 1)) return undefined;
  const wanted = undoChanges(was.value, is.value, written.value);
  const edited = yield* editingDocument(now, 0, wanted, { base: was, judged: is });
  return edited.kind === 'edited' ? edited.text : undefined;
}

/** ConfigMaps and Secrets in Git that values come from, as far as the release changed them. */
function* changedValues(
  release: Release,
  goal: RestoreGoal,
  places: readonly (Place | undefined)[],
): Steps<readonly string[]> {
  const [base, judged] = [yield* indexed(goal.base), yield* indexed(goal.judged)];
  const keys = new Set<string>();
  for (const place of places) {
    for (const from of (place ? releasesAt(release, place) : []).flatMap(({ valuesFrom }) => valuesFrom))
      if (from.kind !== 'file') keys.add(identityKey({ apiVersion: 'v1', ...from }));
  }
  return [...keys].filter((key) => {
    const [was, is] = [base, judged].map(({ byIdentity }) => byIdentity.get(key)?.object);
    return was && is && !goal.objects.has(key) && !isDeepStrictEqual(was, is);
  });
}

function releasesAt({ ref }: Release, place: Place): readonly HelmRelease[] {
  const origin = { renderer: 'plain', path: place.path, line: 1, document: 0 } as const;
  return releasesIn({ object: inNamespace(place, ref), origin });
}

const specOf = ({ at }: Place): unknown => (isObject(at.value) ? at.value['spec'] : undefined);

/** Files of the chart and of values, wherever they stand. */
function* inputsOf(release: Release, place: Place, { files }: TreeState): Steps<readonly string[]> {
  const tree: SourceTree = { files, said: new Map(), kustomizations: new Map(), isOwn: () => true };
  const paths: string[] = [];
  for (const { chart: from, valuesFiles } of releasesAt(release, place)) {
    const values = valuesFiles.paths.flatMap((name) => pathIn('', name) ?? []);
    const folder = from.kind === 'folder' ? pathIn('', from.path) : undefined;
    const chart = folder === undefined ? undefined : yield* chartIn(folder, tree);
    paths.push(...(typeof chart === 'object' ? chart.inputs.keys() : []), ...values);
  }
  return paths;
}

/** Fields that are not the same, as deep as there are maps on both sides. */
function* changedFields(a: unknown, b: unknown, at: readonly string[]): Generator<readonly string[]> {
  if (isDeepStrictEqual(a, b)) return;
  if (!isObject(a) || !isObject(b)) return void (yield at);
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [was, is] = [a, b].map((one) => (Object.hasOwn(one, name) ? one[name] : undefined));
    yield* changedFields(was, is, [...at, name]);
  }
}

function valueAt(value: unknown, field: readonly string[]): unknown {
  let found = value;
  for (const name of field) found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return found;
}

/** The same with another value there. Undefined: the field goes, and maps that are empty then and were not there `before`. */
function withValueAt(value: unknown, field: readonly string[], to: unknown, before: unknown): unknown {
  const [name, ...rest] = field;
  if (name === undefined) return to;
  const members = new Map(isObject(value) ? Object.entries(value) : []);
  const old = isObject(before) && Object.hasOwn(before, name) ? before[name] : undefined;
  const member = withValueAt(members.get(name), rest, to, old);
  if (member === undefined) members.delete(name);
  else if (members.has(name)) members.set(name, member);
  else return Object.fromEntries(inserted([...members], [name, member], isObject(before) ? Object.keys(before) : []));
  return members.size === 0 && before === undefined ? undefined : Object.fromEntries(members);
}

/** Back to where it stood: behind the last of those before it that is there. */
function inserted<Member extends readonly [string, unknown]>(
  members: readonly Member[],
  member: Member,
  names: readonly string[],
): readonly Member[] {
  const earlier = new Set(names.slice(0, Math.max(0, names.indexOf(member[0]))));
  const at = members.findLastIndex(([name]) => earlier.has(name)) + 1;
  return [...members.slice(0, at), member, ...members.slice(at)];
}

/** The files of the tip with these changes taken back; a text says why they cannot be. */
function* filesOf(changes: readonly Change[], goal: RestoreGoal, editing: HelmEditing): Steps<Files | string> {
  const files = new Map<string, string | null>();
  const fields = new Map<Release, (readonly string[])[]>();
  for (const change of changes) {
    if (change.kind === 'file') files.set(change.path, change.text);
    else if (change.kind === 'values') {
      const edit = yield* editing.editSources({
        ...goal,
        objects: new Map([[change.key, plainFacts]]),
        isOfCharts: true,
      });
      if (edit.kind === 'refused') return edit.reason;
      for (const [path, text] of edit.files) files.set(path, text);
    } else if (change.kind === 'field')
      fields.set(change.release, [...(fields.get(change.release) ?? []), change.field]);
    else {
      const edit = yield* editing.editSources(ofDescription(change.release, goal));
      if (edit.kind === 'refused') return edit.reason;
      for (const [path, text] of edit.files) files.set(path, text);
    }
  }
  for (const [release, changed] of fields) {
    const tip = yield* placeOf(release, 'tip', editedFiles(goal.tip.files, files));
    const base = yield* placeOf(release, 'base', goal.base.files);
    const judged = yield* placeOf(release, 'judged', goal.judged.files);
    if (!tip || !base || !judged) return `${nameOf(release.ref)} cannot be found in its file`;
    const text = yield* withFields(changed, tip, base, judged);
    if (text === undefined) return unwritable;
    files.set(tip.path, text);
  }
  return files;
}

/** The text of the tip's file with these fields of a HelmRelease as they were. */
function* withFields(
  fields: readonly (readonly string[])[],
  tip: Place,
  base: Place,
  judged: Place,
): Steps<string | undefined> {
  let { value } = tip.at;
  for (const field of fields) {
    const [was, tried, now] = [base, judged, tip].map(({ at }) => valueAt(at.value, field));
    value = withValueAt(value, field, undoChanges(was, tried, now), base.at.value);
  }
  if (tip.at.prefix.length > 0 || !isObject(value)) return undefined;
  const wanted = value;
  const file = fileText(tip.text);
  const part = file.parts[tip.at.part] ?? '';
  const [origin, theirs] = [judged, base].map((place) => fileText(place.text).parts[place.at.part] ?? '');
  // Merged it has the base's comments, too.
  const merged = tip.at.isAlone ? mergeText(part, origin ?? '', theirs ?? '') : undefined;
  const isMeant =
    merged !== undefined &&
    isDeepStrictEqual(
      writtenIn(merged)?.map((one) => one.value),
      [wanted],
    );
  yield;
  let edited = isMeant ? merged : undefined;
  if (edited === undefined) {
    const result = yield* editingDocument(part, tip.at.document, wanted, {
      base: base.at.written,
      judged: judged.at.written,
    });
    if (result.kind === 'refused') return undefined;
    edited = result.text;
  }
  const parts = file.parts.map((one, at) => (at === tip.at.part ? (edited ?? one) : one));
  const whole = joinParts(file.mark, parts);
  return fileText(whole).parts.length === parts.length ? whole : undefined;
}

/** Of an object that stays in use. */
const plainFacts: ObjectFacts = {
  former: undefined,
  mayStandUnread: { base: false, tip: false },
  isReferredTo: true,
};

/** The HelmRelease itself as it was. */
function ofDescription(release: Release, goal: RestoreGoal): RestoreGoal {
  const at = (side: Side): TreeState => {
    const origin = release.origins.get(side);
    return { files: goal[side].files, manifests: origin ? [describing(release.ref, origin)] : [] };
  };
  const objects = new Map([[identityKey(release.ref), plainFacts]]);
  return { ...goal, base: at('base'), judged: at('judged'), tip: at('tip'), objects, isOfCharts: true };
}
