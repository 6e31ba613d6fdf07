import { isDeepStrictEqual } from 'node:util';
import { insertEntry, removeEntry, replaceEntry } from './edit-entry.ts';
import { editScalar } from './edit.ts';
import { type EditResult, formatPath, nodeAt, plainValue, readDocuments, refused, type YamlPath } from './edit-tree.ts';
import type { ScalarValue } from './edit-style.ts';

/** More than that is no edit any more but another file. */
const maxEdits = 300;

type Change =
  | { readonly kind: 'scalar'; readonly path: YamlPath; readonly value: ScalarValue }
  | { readonly kind: 'replace' | 'remove'; readonly path: YamlPath; readonly value?: unknown }
  | {
      readonly kind: 'insert';
      readonly neighbour: YamlPath;
      readonly side: 'before' | 'behind';
      readonly entry: { readonly key: string; readonly value: unknown } | { readonly item: unknown };
    };

/**
 * Brings the object at `prefix` of one document to `expected` by single edits: scalars by range, keys and items by whole lines.
 * Every other document stays as it is. `expected` is plain JSON.
 */
export function editObject(text: string, document: number, prefix: YamlPath, expected: unknown): EditResult {
  let current = text;
  for (let count = 0; count < maxEdits; count += 1) {
    const documents = readDocuments(current);
    const parsed = documents?.[document];
    if (!parsed) return refused('unreadable', 'the file is not valid YAML');
    const value = valueAt(plainValue(parsed), prefix);
    if (isDeepStrictEqual(value, expected)) return { kind: 'edited', text: current };
    const change = nextChange(value, expected, prefix);
    let edited = applyChange(current, document, change);
    // What stands in braces has no lines of its own: all of it is written anew.
    for (let path = pathOf(change); edited.kind === 'refused' && edited.refusal === 'flow'; ) {
      path = path.slice(0, -1);
      if (path.length <= prefix.length) return edited;
      edited = replaceAt(current, document, path, valueAt(expected, path.slice(prefix.length)));
    }
    if (edited.kind === 'refused') return edited;
    if (edited.text === current) return refused('verify', 'an edit changed nothing');
    if (!readDocuments(edited.text))
      return refused('verify', `${formatPath(pathOf(change))} could not be edited by lines`);
    current = edited.text;
  }
  return refused('verify', 'too many edits');
}

const pathOf = (change: Change): YamlPath => (change.kind === 'insert' ? change.neighbour : change.path);

export function valueAt(value: unknown, path: YamlPath): unknown {
  let found = value;
  for (const step of path) {
    if (found === null || typeof found !== 'object') return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

function applyChange(text: string, document: number, change: Change): EditResult {
  switch (change.kind) {
    case 'scalar': {
      const place = { document, path: change.path };
      const edited = editScalar(text, place, change.value);
      if (edited.kind === 'edited' || edited.refusal === 'anchor') return edited;
      return replaceAt(text, document, change.path, change.value);
    }
    case 'replace':
      return replaceAt(text, document, change.path, change.value);
    case 'remove':
      return removeEntry(text, { document, path: change.path });
    case 'insert':
      return insertEntry(text, { document, path: change.neighbour }, change.side, change.entry);
  }
}

function replaceAt(text: string, document: number, path: YamlPath, value: unknown): EditResult {
  const last = path.at(-1);
  if (last === undefined) return refused('style', 'a whole document is not rewritten');
  const node = nodeAt(readDocuments(text)?.[document], path);
  if (node && 'anchor' in node && node.anchor !== undefined)
    return refused('anchor', `${formatPath(path)} is an anchor`);
  return replaceEntry(text, { document, path }, typeof last === 'number' ? { item: value } : { key: last, value });
}

/** The first difference, as an edit that takes it away. The values differ. */
function nextChange(current: unknown, expected: unknown, path: YamlPath): Change {
  if (isList(current) && isList(expected)) return nextInList(current, expected, path);
  if (isObject(current) && isObject(expected)) return nextInMap(current, expected, path);
  if (isScalarValue(current) && isScalarValue(expected)) return { kind: 'scalar', path, value: expected };
  return { kind: 'replace', path, value: expected };
}

function nextInMap(current: Record<string, unknown>, expected: Record<string, unknown>, path: YamlPath): Change {
  const keys = Object.keys(current);
  const missing = Object.keys(expected).find((key) => !Object.hasOwn(current, key));
  const surplus = keys.find((key) => !Object.hasOwn(expected, key));
  if (missing !== undefined) {
    const entry = { key: missing, value: expected[missing] };
    const order = Object.keys(expected);
    const predecessor = order.slice(0, order.indexOf(missing)).findLast((key) => Object.hasOwn(current, key));
    if (predecessor !== undefined) return { kind: 'insert', neighbour: [...path, predecessor], side: 'behind', entry };
    const [first] = keys;
    if (first === undefined) return { kind: 'replace', path, value: expected };
    return { kind: 'insert', neighbour: [...path, first], side: 'before', entry };
  }
  if (surplus !== undefined) {
    if (keys.length === 1) return { kind: 'replace', path, value: expected };
    return { kind: 'remove', path: [...path, surplus] };
  }
  const differs = keys.find((key) => !isDeepStrictEqual(current[key], expected[key])) ?? '';
  return nextChange(current[differs], expected[differs], [...path, differs]);
}

function nextInList(current: readonly unknown[], expected: readonly unknown[], path: YamlPath): Change {
  if (current.length === 0 || expected.length === 0) return { kind: 'replace', path, value: expected };
  const at = current.findIndex((item, index) => !isDeepStrictEqual(item, expected[index]));
  // All of `current` stands in `expected`, which goes on.
  if (at < 0) {
    const last = [...path, current.length - 1];
    return { kind: 'insert', neighbour: last, side: 'behind', entry: { item: expected[current.length] } };
  }
  if (at >= expected.length) return { kind: 'remove', path: [...path, at] };
  const known = identityOf(current[at]);
  const wanted = identityOf(expected[at]);
  if (known === wanted) return nextChange(current[at], expected[at], [...path, at]);
  if (!expected.some((item) => identityOf(item) === known)) return { kind: 'remove', path: [...path, at] };
  if (!current.some((item) => identityOf(item) === wanted)) {
    return { kind: 'insert', neighbour: [...path, at], side: 'before', entry: { item: expected[at] } };
  }
  return { kind: 'replace', path, value: expected };
}

const identityKeys = ['name', 'mountPath', 'containerPort', 'port', 'key', 'ip', 'topologyKey'] as const;

/** What makes an item of a list the same item after a change; plain values are themselves. */
export function identityOf(item: unknown): string {
  if (!isObject(item)) return JSON.stringify(toText(item));
  const parts = identityKeys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, toText(item[key])]);
  const [first] = parts;
  return JSON.stringify(first ?? 'item');
}

const toText = (value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
export const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isScalarValue = (value: unknown): value is ScalarValue =>
  value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
