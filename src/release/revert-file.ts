import { isDeepStrictEqual } from 'node:util';
import { type FileText, joinDocuments, type Located, readFileText } from '../manifest/edit-documents.ts';
import { mergeText } from '../manifest/edit-merge.ts';
import { editObject } from '../manifest/edit-object.ts';

/** One object of a file that is to become something else. */
export interface ObjectGoal {
  readonly at: Located;
  /** The same object in the judged tree's file of the same path; absent where it stood elsewhere. */
  readonly judged: Located | undefined;
  /** Its text in the base tree; absent where it was not there, or not alone in its document. */
  readonly baseSegment: string | undefined;
  /** Undefined: the object goes. */
  readonly expected: unknown;
}

/** An object that comes back. */
export interface ObjectReturn {
  readonly key: string;
  readonly value: unknown;
  readonly segment: string;
  /** Keys of the objects that stood before it in its file, nearest first. */
  readonly behind: readonly string[];
}

export interface FileGoal {
  readonly tip: FileText;
  /** The file of the same path in the judged tree, where there is one. */
  readonly judged: FileText | undefined;
  readonly goals: readonly ObjectGoal[];
  readonly returns: readonly ObjectReturn[];
}

/**
 * The file's new text; null where nothing stays in it; undefined where no way of editing gives what is wanted. The ways, first that
 * holds: the base's text of these documents merged into the tip's text; single edits in the tip's text.
 */
export function revertFile(goal: FileGoal): string | null | undefined {
  if (goal.returns.length === 0 && goal.goals.length === goal.tip.objects.length) {
    if (goal.goals.every(({ expected }) => expected === undefined)) return null;
  }
  return [mergeWay, editWay].map((way) => way(goal)).find((text) => text !== undefined && isReached(goal, text));
}

/** Where the file was not touched since, this gives the base's bytes. */
function mergeWay({ tip, judged, goals, returns }: FileGoal): string | undefined {
  if (!judged) return undefined;
  const segments: (string | undefined)[] = [...judged.segments];
  for (const { judged: at, baseSegment, expected } of goals) {
    if (!at || !isAlone(judged, at)) return undefined;
    if (expected !== undefined && baseSegment === undefined) return undefined;
    segments[at.segment] = expected === undefined ? undefined : baseSegment;
  }
  return mergeText(tip.text, judged.text, withReturns(judged, segments, returns));
}

function editWay({ tip, goals, returns }: FileGoal): string | undefined {
  let { text } = tip;
  for (const { at, expected } of goals) {
    if (expected === undefined) continue;
    const edited = editObject(text, at.document, at.prefix, expected);
    if (edited.kind === 'refused') return undefined;
    text = edited.text;
  }
  const gone = goals.filter(({ expected }) => expected === undefined);
  if (gone.length === 0 && returns.length === 0) return text;
  const file = readFileText(text);
  if (!file || file.segments.length !== tip.segments.length) return undefined;
  const segments: (string | undefined)[] = [...file.segments];
  for (const { at } of gone) {
    if (!isAlone(tip, at)) return undefined;
    segments[at.segment] = undefined;
  }
  return withReturns(file, segments, returns);
}

/** Whether no other object stands in the same document. */
export function isAlone(file: FileText, { segment, prefix }: Located): boolean {
  return prefix.length === 0 && file.objects.filter((other) => other.segment === segment).length === 1;
}

function withReturns(
  file: FileText,
  segments: readonly (string | undefined)[],
  returns: readonly ObjectReturn[],
): string {
  const placed = segments.map((segment) => (segment === undefined ? [] : [segment]));
  for (const { behind, segment } of returns) {
    const neighbour = behind
      .map((key) => file.objects.find((object) => object.key === key))
      .find((found) => found !== undefined);
    const slot = neighbour ? placed[neighbour.segment] : behind.length === 0 ? undefined : placed.at(-1);
    if (slot) slot.push(segment);
    else placed.unshift([segment]);
  }
  return joinDocuments(placed.flat());
}

function isReached({ tip, goals, returns }: FileGoal, text: string): boolean {
  const file = readFileText(text);
  if (!file) return false;
  const wanted = tip.objects.flatMap((object) => {
    const goal = goals.find(({ at }) => at === object);
    if (!goal) return [{ key: object.key, value: object.value }];
    return goal.expected === undefined ? [] : [{ key: object.key, value: goal.expected }];
  });
  const all = [...wanted, ...returns.map(({ key, value }) => ({ key, value }))];
  const found = file.objects.map(({ key, value }) => ({ key, value }));
  return isDeepStrictEqual(sorted(found), sorted(all));
}

/** By value; the key may have changed where the name is written. */
function sorted(objects: readonly { key: string; value: unknown }[]): unknown[] {
  return objects.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ value }) => value);
}
