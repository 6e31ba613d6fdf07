import { isDeepStrictEqual } from 'node:util';
import { cutDocuments } from '../manifest/documents.ts';
import {
  eolOf,
  type FileText,
  fileText,
  isBlank,
  joinParts,
  type Located,
  type ReadPart,
  splitPart,
} from '../manifest/edit-documents.ts';
import { linesOf, mergeText } from '../manifest/edit-merge.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { isList, isObject } from '../manifest/edit-value.ts';

/** An object in one of the three trees. */
export interface Found {
  readonly path: string;
  readonly file: FileText;
  readonly at: Located;
}

/** One object of a file that is to become something else. */
export interface ObjectGoal {
  readonly now: Found;
  /** The same object in the other trees, wherever it stood. */
  readonly base: Found | undefined;
  readonly judged: Found | undefined;
  /** Undefined: the object goes. */
  readonly expected: unknown;
}

/** An object that comes back. */
export interface ObjectReturn {
  readonly base: Found;
  /** The object of this tree's file behind which it stood: nearest first; undefined where none of them is there. */
  readonly behind: Located | undefined;
  /** The part that its document became when the release made it unreadable. Absent: the document is gone. */
  readonly instead?: number;
}

export interface FileGoal {
  readonly path: string;
  readonly tip: FileText;
  /** The file of the same path in the other trees, where there is one. */
  readonly judged: FileText | undefined;
  readonly base: FileText | undefined;
  readonly goals: readonly ObjectGoal[];
  readonly returns: readonly ObjectReturn[];
  readonly read: ReadPart;
}

/** Parts of a file, as far as they change. Undefined: the part goes. */
type Parts = (string | undefined)[];

/**
 * The file's new text; null where nothing stays in it; undefined where no way of editing gives what is wanted. Yields between the documents.
 * What cannot be read and what is not the app's stays byte for byte.
 */
export function* revertFile(goal: FileGoal): Generator<void, string | null | undefined> {
  const { tip, goals, returns } = goal;
  const restored = restoredFile(goal);
  if (restored !== undefined) return restored;
  yield;
  const parts: Parts = [...tip.parts];
  for (const { base, instead } of returns) if (instead !== undefined) parts[instead] = base.file.parts[base.at.part];
  for (const part of new Set([
    ...goals.map(({ now }) => now.at.part),
    ...intoLists(returns).map(({ behind }) => behind.part),
  ])) {
    const edited = yield* editPart(goal, part);
    if (edited.kind === 'refused') return undefined;
    parts[part] = edited.text;
    yield;
  }
  const all = withReturns(goal, parts);
  const isNothing = all.every((part) => part === '' || isBlank(part));
  if (isNothing && goals.length > 0 && goal.base === undefined) return null;
  const text = joinParts(tip.mark, all);
  // Nothing may begin or swallow a document that was not meant to.
  const wanted = all.map((part, at) =>
    (at > 0 && !/^---(?:\s|$)/.test(part) ? `---${eolOf(text)}${part}` : part).trimEnd(),
  );
  const found = cutDocuments(text.slice(tip.mark.length)).map((part) => part.trimEnd());
  return isDeepStrictEqual(found, wanted) ? text : undefined;
}

/** The base's bytes, where nobody touched the file since and the release changed nothing in it but the app's objects. */
function restoredFile({ path, tip, judged, base, goals, returns }: FileGoal): string | undefined {
  if (!base || tip.text !== judged?.text) return undefined;
  const mine = new Set<number>();
  for (const { expected, base: old } of goals) {
    if (expected === undefined && !old) continue;
    if (old?.path !== path || !old.at.isAlone || !isDeepStrictEqual(old.at.value, expected)) return undefined;
    mine.add(old.at.part);
  }
  const changed = new Set(goals.map(({ now }) => now.at.part));
  for (const { base: old, instead } of returns) {
    if (old.path !== path || !old.at.isAlone) return undefined;
    mine.add(old.at.part);
    if (instead !== undefined) changed.add(instead);
  }
  if (goals.some(({ now }) => !now.at.isAlone)) return undefined;
  const others = (file: FileText, own: ReadonlySet<number>): readonly string[] => {
    const bodies = file.parts.filter((_, part) => !own.has(part)).map((part) => splitPart(part).body.trimEnd());
    return bodies.filter((body) => body !== '').toSorted();
  };
  return isDeepStrictEqual(others(tip, changed), others(base, mine)) ? base.text : undefined;
}

type Edited = { readonly kind: 'edited'; readonly text: string | undefined } | { readonly kind: 'refused' };

function* editPart(goal: FileGoal, part: number): Generator<void, Edited> {
  const { tip, read } = goal;
  const source = tip.parts[part] ?? '';
  const goals = goal.goals.filter(({ now }) => now.at.part === part);
  const [only] = goals;
  if (only && only.now.at.isAlone) {
    if (only.expected === undefined) return { kind: 'edited', text: withoutObject(goal, part) };
    const merged = yield* mergedPart(goal, only);
    if (merged !== undefined) return { kind: 'edited', text: merged };
  }
  // One by one where several documents stand in a part, as behind directives.
  let text = source;
  const lists = intoLists(goal.returns).filter(({ behind }) => behind.part === part);
  for (const document of new Set([
    ...goals.map(({ now }) => now.at.document),
    ...lists.map(({ behind }) => behind.document),
  ])) {
    const here = goals.filter(({ now }) => now.at.document === document);
    const back = lists.filter(({ behind }) => behind.document === document);
    const value = read(source)?.[document]?.value;
    const expected = documentValue(value, here, back);
    if (expected === undefined) return { kind: 'refused' };
    const from = here.find(({ base }) => base) ?? back[0];
    yield;
    const edited = yield* editingDocument(text, document, expected, {
      base: from?.base?.at.written,
      judged: here.find(({ judged }) => judged)?.judged?.at.written,
    });
    if (edited.kind === 'refused') return { kind: 'refused' };
    text = edited.text;
  }
  return { kind: 'edited', text };
}

/** The base's text of the object's document, merged with what was changed in it since. */
function* mergedPart(
  { tip, read }: FileGoal,
  { now, base, judged, expected }: ObjectGoal,
): Generator<void, string | undefined> {
  if (!base?.at.isAlone || !judged?.at.isAlone) return undefined;
  const found = [now, judged, base];
  const [a, o, b] = found.map(({ file, at }) => file.parts[at.part] ?? '');
  if (a === undefined || o === undefined || b === undefined) return undefined;
  const isAtHead = found.map(isFirst);
  const hasSameRank = isAtHead.every((first) => first === isAtHead[0]);
  const isMeant = (text: string | undefined): text is string => {
    if (text === undefined || cutDocuments(text).length !== 1) return false;
    const [document, ...more] = read(text) ?? [];
    return document !== undefined && more.length === 0 && isDeepStrictEqual(document.value, expected);
  };
  const whole = hasSameRank ? mergeText(a, o, b) : undefined;
  if (isMeant(whole)) return whole;
  yield;
  // Where the documents changed places, comments above the first one stay there.
  const [ours, origin, theirs] = [a, o, b].map(splitPart);
  if (!ours || !origin || !theirs) return undefined;
  const eol = eolOf(tip.text);
  const plain = (body: string): string => `${body.trimEnd().replaceAll('\r\n', '\n')}\n`;
  const body = mergeText(plain(ours.body), plain(origin.body), plain(theirs.body));
  if (body === undefined) return undefined;
  yield;
  const tail = ours.body.slice(ours.body.trimEnd().length);
  const head = hasSameRank ? (mergeText(ours.head, origin.head, theirs.head) ?? ours.head) : ours.head;
  const text = ours.marker + head + body.trimEnd().replaceAll('\n', eol) + tail;
  return isMeant(text) ? text : undefined;
}

const isFirst = ({ file, at }: Found): boolean => file.parts.slice(0, at.part).every(isBlank);

/** Comments at a file's head stay when its first object goes, unless they came with the release. */
function withoutObject({ tip, base, judged }: FileGoal, part: number): string | undefined {
  const source = tip.parts[part] ?? '';
  if (!tip.parts.slice(0, part).every(isBlank)) return undefined;
  const [before, tried] = [base, judged].map((file) => new Set(linesOf(file?.text ?? '').map((line) => line.trim())));
  const lines = linesOf(splitPart(source).head).filter((line) => {
    const comment = line.trim();
    return comment !== '' && (before?.has(comment) === true || tried?.has(comment) !== true);
  });
  return lines.length === 0 ? undefined : lines.join('');
}

/** A document's value with its objects as they are to be; undefined where one of them cannot go or come there. */
function documentValue(
  value: unknown,
  goals: readonly ObjectGoal[],
  back: readonly { readonly base: Found; readonly behind: Located }[],
): unknown {
  if (goals.some(({ now }) => now.at.prefix.length === 0))
    return goals.length === 1 && back.length === 0 ? goals[0]?.expected : undefined;
  if (!isObject(value) || !isList(value['items'])) return undefined;
  const items = value['items'].flatMap((item, at): unknown[] => {
    const goal = goals.find(({ now }) => now.at.prefix[1] === at);
    const kept = !goal ? [item] : goal.expected === undefined ? [] : [goal.expected];
    return [...kept, ...back.filter(({ behind }) => behind.prefix[1] === at).map(({ base }) => base.at.value)];
  });
  return { ...value, items };
}

/** What comes back into a list that is still there. */
function intoLists(returns: readonly ObjectReturn[]): readonly { readonly base: Found; readonly behind: Located }[] {
  return returns.flatMap(({ base, behind }) =>
    !base.at.isAlone && behind && behind.prefix.length > 0 ? [{ base, behind }] : [],
  );
}

function withReturns({ tip, returns }: FileGoal, parts: Parts): string[] {
  const placed = parts.map((part) => (part === undefined ? [] : [part]));
  const first: string[] = [];
  const comments = new Set(linesOf(tip.text).map((line) => line.trim()));
  for (const { base, behind, instead } of returns) {
    if (!base.at.isAlone || instead !== undefined) continue;
    const source = base.file.parts[base.at.part] ?? '';
    const slot = behind ? placed[behind.part] : undefined;
    const { marker, head, body } = splitPart(source);
    if (slot || first.length > 0) {
      // A comment at the file's head is not written twice.
      const lines = isFirst(base)
        ? linesOf(head).filter((line) => line.trim() === '' || !comments.has(line.trim()))
        : [head];
      (slot ?? first).push(marker + lines.join('') + body);
      continue;
    }
    const at = placed.findIndex((part) => part.some((text) => !isBlank(text)));
    const next = placed[at]?.[0];
    const below = next === undefined ? undefined : splitPart(next);
    if (below && head.trim() !== '' && below.head.startsWith(head)) {
      const rest = below.head.slice(head.length) + below.body;
      placed[at] = [below.marker + head + body, `---${eolOf(tip.text)}${rest}`];
    } else if (at > 0) placed[at]?.unshift(source);
    else first.push(source);
  }
  return [...first, ...placed.flat()];
}

/** A file that the release deleted, with what comes back of it. */
export const emptyFile: FileText = fileText('');
