import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../lib/turns.ts';
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
import { cutDocuments } from '../manifest/documents.ts';
import { isObject } from '../manifest/edit-value.ts';
import { nameOf } from '../manifest/identity.ts';
import { undoChanges } from '../manifest/edit-undo.ts';
import { refOf } from '../manifest/types.ts';
import { emptyFile, type Found, type ObjectGoal, type ObjectReturn, revertFile } from './plain-restore-file.ts';
import type { PlacedObject, RestoreTexts, TextEdits, TextsOfTree } from './text-edit.ts';

/** A tree with the places of its objects. */
interface Side {
  readonly objects: ReadonlyMap<string, PlacedObject>;
  text(path: string): FileText | undefined;
  locate(key: string): Found | undefined;
  /** Where the object that a file of another tree holds stands in this one. */
  find(value: unknown): Found | undefined;
}

type Sides = Readonly<Record<'base' | 'judged' | 'tip', Side>>;

interface Plan {
  readonly goals: Map<string, ObjectGoal[]>;
  readonly returns: Map<string, ObjectReturn[]>;
}

/** The files that take back what a release changed in objects, as far as their texts tell. Yields after each document. */
export function* restoringTexts({ base, judged, tip, facts }: RestoreTexts): Steps<TextEdits> {
  const read = createPartReader();
  const sides = { base: sideOf(base, read), judged: sideOf(judged, read), tip: sideOf(tip, read) };
  const files = new Map<string, string | null>();
  const left = new Map(facts);
  // What is encrypted as a whole has one checksum: only all of it is as it was.
  for (const path of encryptedFiles({ base, judged, tip })) {
    const before = base.texts.get(path);
    const now = tip.texts.get(path);
    for (const key of left.keys())
      if ([base, judged, tip].some(({ objects }) => objects.get(key)?.path === path)) left.delete(key);
    if (now === before || judged.texts.get(path) === before) continue;
    if (now !== judged.texts.get(path))
      return { kind: 'conflict', reason: 'the file is encrypted, and was changed since', path };
    files.set(path, before ?? null);
  }
  const plan = yield* planOf(left, sides, read);
  if (typeof plan === 'string') return { kind: 'conflict', reason: plan, path: undefined };
  for (const path of new Set([...plan.goals.keys(), ...plan.returns.keys()])) {
    const text = yield* editFile(path, plan, sides, read);
    if (text === undefined)
      return { kind: 'conflict', reason: 'the change cannot be taken back without touching what others changed', path };
    files.set(path, text);
  }
  return { kind: 'edited', files };
}

const isEncrypted = (value: unknown): boolean => isObject(value) && isObject(value['sops']) && 'mac' in value['sops'];

/** Files of which SOPS has encrypted all documents at once, in one of the trees. */
function encryptedFiles(trees: Readonly<Record<'base' | 'judged' | 'tip', TextsOfTree>>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { texts } of Object.values(trees))
    for (const [path, text] of texts) {
      if (!text.includes('sops')) continue;
      const parts = cutDocuments(text).filter((part) => !isBlank(part));
      const macs = parts.map((part) => (/^sops:/m.test(part) ? /^\s+mac: *(\S+)/m.exec(part)?.[1] : undefined));
      const isJson = parts.length === 1 && /^\s*\{/.test(text) && /"sops"\s*:\s*\{/.test(text);
      if (isJson || (macs[0] !== undefined && macs.every((mac) => mac === macs[0]))) found.add(path);
    }
  return found;
}

/** What is to become of each of the app's objects; a text says why that cannot be told. */
function* planOf(facts: RestoreTexts['facts'], { base, judged, tip }: Sides, read: ReadPart): Steps<Plan | string> {
  const plan: Plan = { goals: new Map(), returns: new Map() };
  for (const [key, { former, mayStandUnread, isReferredTo }] of facts) {
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
    if (now && tried) {
      const expected = old ? undoChanges(old.at.value, tried.at.value, now.at.value) : undefined;
      if (!old) {
        if (former !== undefined) return `${nameIn(tip, key)} was ${former} before: its API group changed`;
        // It may have stood there and be in use.
        if (mayStandUnread.base) return `${nameIn(tip, key)} could not be read before the release`;
        // What the release added goes again, unless it was changed since or somebody else refers to it.
        if (isReferredTo || !isDeepStrictEqual(tried.at.value, now.at.value)) continue;
      }
      if (old && isDeepStrictEqual(expected, now.at.value)) continue;
      if (isEncrypted(now.at.value) && !isDeepStrictEqual(tried.at.value, now.at.value))
        return `${nameIn(tip, key)} is encrypted, and was changed since`;
      append(plan.goals, now.path, { now, judged: tried, base: old, expected });
    } else if (old && !tried && !now) {
      if (mayStandUnread.tip) {
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
  const placed = objects.get(key);
  return placed ? nameOf(refOf(placed.object)) : key;
};

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

function* editFile(
  path: string,
  plan: Plan,
  { base, judged, tip }: Sides,
  read: ReadPart,
): Steps<string | null | undefined> {
  const goals = plan.goals.get(path) ?? [];
  const returns = plan.returns.get(path) ?? [];
  const file = tip.text(path);
  const sides = { path, judged: judged.text(path), base: base.text(path), goals, returns, read };
  if (file) return yield* revertFile({ ...sides, tip: file });
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

function sideOf({ texts, objects }: TextsOfTree, read: ReadPart): Side {
  const files = new Map<string, FileText>();
  const named = new Map<unknown, PlacedObject[]>();
  for (const placed of objects.values()) append(named, placed.object.metadata.name, placed);
  const text = (path: string): FileText | undefined => {
    const source = texts.get(path);
    if (source === undefined) return undefined;
    const known = files.get(path) ?? fileText(source);
    files.set(path, known);
    return known;
  };
  const located = (placed: PlacedObject | undefined): Found | undefined => {
    const file = placed && text(placed.path);
    const at = file && locateObject(file, placed.object, read);
    return at && { path: placed.path, file, at };
  };
  return {
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

function append<K, T>(map: Map<K, T[]>, key: K, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
