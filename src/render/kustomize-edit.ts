import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../lib/turns.ts';
import { createPartReader, fileText, locateObject } from '../manifest/edit-documents.ts';
import { mergeText } from '../manifest/edit-merge.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { undoChanges } from '../manifest/edit-undo.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import type { Manifest } from '../manifest/types.ts';
import { closureOf } from './kustomize-units.ts';
import { indexed } from './object-index.ts';
import { named } from './plain.ts';
import type { Edit, ObjectFacts, RestoreGoal, TreeState } from './renderer.ts';
import { textAt } from './source-bytes.ts';

/** Larger kustomizations and generators' files are left to a person. */
const mostLength = 256 * 1024;

type Three<Value> = Readonly<Record<'base' | 'judged' | 'tip', Value>>;
const sides = ['base', 'judged', 'tip'] as const;

/**
 * What a release changed in kustomizations for objects, and in the files that their generators read, as it was: the images of the objects'
 * containers, and the generators that make the objects. What stands in files of resources is not among it.
 */
export function* restoreKustomizations(goal: RestoreGoal): Steps<Edit> {
  const objects = new Map<string, Manifest[]>();
  for (const side of sides) {
    const { byIdentity } = yield* indexed(goal[side]);
    for (const key of goal.objects.keys()) {
      const manifest = byIdentity.get(key);
      if (manifest?.origin.renderer !== 'kustomize') continue;
      const { unit } = manifest.origin;
      objects.set(unit, [...(objects.get(unit) ?? []), manifest]);
    }
  }
  const images = new Set<string>();
  const generated = new Set<string>();
  const kustomizations = new Set<string>();
  for (const [unit, manifests] of objects) {
    for (const side of sides) {
      for (const { object, origin } of manifests) {
        if (origin.renderer !== 'kustomize' || origin.document !== undefined) continue;
        generated.add(object.metadata.name);
      }
      for (const manifest of manifests) for (const image of yield* imagesIn(manifest, goal[side])) images.add(image);
      const { files } = goal[side];
      const tree = { files, said: new Map(), kustomizations: new Map(), isOwn: () => true };
      for (const path of (yield* closureOf(unit, tree)).kustomizations) kustomizations.add(path);
    }
  }
  const files = new Map<string, string | null>();
  const inputs = new Set<string>();
  const isMine = (field: string, entry: unknown): boolean => {
    const name = isObject(entry) ? entry['name'] : undefined;
    if (typeof name !== 'string') return false;
    return field === 'images' ? images.has(name) : isGenerator(name, generated);
  };
  for (const path of kustomizations) {
    const texts = yield* textsAt(path, goal);
    yield;
    if (sides.some((side) => (texts[side]?.length ?? 0) > mostLength)) return refused(`${path} is too large`, path);
    for (const side of sides) for (const input of generatorFiles(path, texts[side], isMine)) inputs.add(input);
    if (texts.base === texts.judged || texts.tip === undefined) continue;
    const edited = yield* restoredKustomization(texts, isMine);
    if (edited === undefined)
      return refused('the change cannot be taken back without touching what others changed', path);
    if (edited !== texts.tip) files.set(path, edited);
  }
  for (const path of inputs) {
    const { base, judged, tip } = yield* textsAt(path, goal);
    yield;
    if (base === judged || tip === base) continue;
    if (tip === judged) files.set(path, base ?? null);
    else {
      const merged =
        base === undefined || judged === undefined || tip === undefined ? undefined : mergeText(tip, judged, base);
      if (merged === undefined)
        return refused('the change cannot be taken back without touching what others changed', path);
      files.set(path, merged);
    }
  }
  return { kind: 'edited', files };
}

/** The objects that no generator makes. */
export function* writtenInFiles(goal: RestoreGoal): Steps<RestoreGoal['objects']> {
  const written = new Map<string, ObjectFacts>();
  for (const [key, facts] of goal.objects) {
    for (const side of sides) {
      const origin = (yield* indexed(goal[side])).byIdentity.get(key)?.origin;
      if (origin?.document !== undefined) written.set(key, facts);
    }
  }
  return written;
}

const refused = (reason: string, path: string): Edit => ({ kind: 'refused', reason, paths: [path] });

/** A name that a generator gives, with the hash behind it or without. */
function isGenerator(name: string, generated: ReadonlySet<string>): boolean {
  return [...generated].some(
    (made) => made === name || (made.startsWith(`${name}-`) && /^-[a-z0-9]{10}$/.test(made.slice(name.length))),
  );
}

function* textsAt(path: string, goal: RestoreGoal): Steps<Three<string | undefined>> {
  return {
    base: yield* textAt(path, goal.base),
    judged: yield* textAt(path, goal.judged),
    tip: yield* textAt(path, goal.tip),
  };
}

/** Names of the images that an object's containers have where it is written. */
function* imagesIn({ object, origin }: Manifest, tree: TreeState): Steps<ReadonlySet<string>> {
  const text = yield* textAt(origin.path, tree);
  const found = new Set<string>();
  if (text === undefined || text.length > mostLength) return found;
  const located = locateObject(fileText(text), named({ object, origin }), createPartReader());
  const look = (value: unknown): void => {
    if (isList(value)) for (const item of value) look(item);
    else if (isObject(value))
      for (const [name, member] of Object.entries(value)) {
        if (name === 'image' && typeof member === 'string') found.add(imageName(member));
        else look(member);
      }
  };
  look(located?.value);
  return found;
}

/** Without tag and digest. */
const imageName = (image: string): string => image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');

function generatorFiles(
  path: string,
  text: string | undefined,
  isMine: (field: string, entry: unknown) => boolean,
): readonly string[] {
  const value = text === undefined ? undefined : writtenIn(text)?.[0]?.value;
  if (!isObject(value) || !isList(value['configMapGenerator'])) return [];
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  return value['configMapGenerator']
    .filter((entry) => isMine('configMapGenerator', entry))
    .flatMap((entry) => {
      const { files, envs, env } = entry as Record<string, unknown>;
      const names = [...(isList(files) ? files : []), ...(isList(envs) ? envs : []), env];
      return names.flatMap((name) =>
        typeof name === 'string' ? resolvedFile(folder, name.replace(/^[^=]*=/, '')) : [],
      );
    });
}

function resolvedFile(folder: string, name: string): readonly string[] {
  const parts: string[] = [];
  for (const part of `${folder}${name}`.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return [];
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return [parts.join('/')];
}

/** Undefined: it cannot be written without changing something else. */
function* restoredKustomization(
  { base, judged, tip }: Three<string | undefined>,
  isMine: (field: string, entry: unknown) => boolean,
): Steps<string | undefined> {
  if (base === undefined || judged === undefined || tip === undefined) return tip;
  const [before, tried, now] = [writtenIn(base), writtenIn(judged), writtenIn(tip)].map((documents) =>
    documents?.length === 1 ? documents[0] : undefined,
  );
  if (!before || !tried || !now) return undefined;
  const wanted = undoChanges(withEntries(tried.value, before.value, isMine), tried.value, now.value);
  if (isDeepStrictEqual(wanted, now.value)) return tip;
  yield;
  const merged = mergeText(tip, judged, base);
  if (
    merged !== undefined &&
    isDeepStrictEqual(
      writtenIn(merged)?.map(({ value }) => value),
      [wanted],
    )
  )
    return merged;
  const edited = yield* editingDocument(tip, 0, wanted, { base: before, judged: tried });
  return edited.kind === 'edited' ? edited.text : undefined;
}

/** What the release would have left had it changed nothing for the objects: its kustomization with their entries as they were. */
function withEntries(judged: unknown, base: unknown, isMine: (field: string, entry: unknown) => boolean): unknown {
  if (!isObject(judged) || !isObject(base)) return judged;
  const result: Record<string, unknown> = { ...judged };
  for (const field of ['images', 'configMapGenerator']) {
    const [was, is] = [base[field], judged[field]].map((list) => (isList(list) ? list : []));
    if (!was || !is || isDeepStrictEqual(was, is)) continue;
    const others = is.filter((entry) => !isMine(field, entry));
    const mine = was.filter((entry) => isMine(field, entry));
    if (mine.length === is.length - others.length) {
      let at = 0;
      result[field] = is.map((entry) => (isMine(field, entry) ? mine[at++] : entry));
    } else result[field] = [...others, ...mine];
    if ((result[field] as readonly unknown[]).length === 0 && base[field] === undefined) delete result[field];
  }
  return result;
}
