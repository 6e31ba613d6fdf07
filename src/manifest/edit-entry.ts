import { isMap, isSeq, type Node, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import { type EditResult, formatPath, nodeAt, type Place, readDocuments, refused } from './edit-tree.ts';

/*
 * Edits by whole lines: an entry is a key with its value or an item of a list, in block style. These functions only find the lines;
 * whoever calls them reads the result back and compares it with what was meant.
 */

/** Where an entry's text is. `end` is behind its last line's end. */
interface Entry {
  readonly start: number;
  readonly end: number;
  /** Column of its first character. */
  readonly column: number;
  /** Nothing but blanks stands before it in its line. */
  readonly alone: boolean;
}

export type EntryValue = { readonly key: string; readonly value: unknown } | { readonly item: unknown };

/** Takes a key or an item out, with the comments in its lines. */
export function removeEntry(text: string, place: Place): EditResult {
  const entry = findEntry(text, place);
  if (!entry) return refused('flow', `${formatPath(place.path)} does not stand in lines of its own`);
  const lineStart = lineStartOf(text, entry.start);
  if (entry.alone) return { kind: 'edited', text: text.slice(0, lineStart) + text.slice(entry.end) };
  // The first key after a dash: the next one takes its place.
  const rest = text.slice(entry.end);
  const blanks = /^[ ]*/.exec(rest)?.[0].length ?? 0;
  if (blanks !== entry.column || /^[ ]*(?:[#\r\n-]|$)/.test(rest)) {
    return refused('flow', `${formatPath(place.path)} shares its line with a list's dash`);
  }
  return { kind: 'edited', text: text.slice(0, entry.start) + rest.slice(blanks) };
}

/** Writes an entry anew, from its first character to the end of its last line. */
export function replaceEntry(text: string, place: Place, value: EntryValue): EditResult {
  const entry = findEntry(text, place);
  if (!entry) return refused('flow', `${formatPath(place.path)} does not stand in lines of its own`);
  const eol = eolOf(text);
  const lines = entryLines(value, entry.column, eol).trimStart();
  return {
    kind: 'edited',
    text: text.slice(0, entry.start) + ending(lines, eol, text, entry.end) + text.slice(entry.end),
  };
}

/** Puts an entry before or behind an existing neighbour of the same map or list. */
export function insertEntry(text: string, neighbour: Place, side: 'before' | 'behind', value: EntryValue): EditResult {
  const entry = findEntry(text, neighbour);
  if (!entry) return refused('flow', `${formatPath(neighbour.path)} does not stand in lines of its own`);
  const eol = eolOf(text);
  const lines = entryLines(value, entry.column, eol);
  if (side === 'behind') {
    const before = text.slice(0, entry.end);
    const closed = before.endsWith('\n') ? before : before + eol;
    return { kind: 'edited', text: closed + ending(lines, eol, text, entry.end) + text.slice(entry.end) };
  }
  if (entry.alone) {
    const at = lineStartOf(text, entry.start);
    return { kind: 'edited', text: text.slice(0, at) + lines + eol + text.slice(at) };
  }
  const pushed = lines.trimStart() + eol + ' '.repeat(entry.column);
  return { kind: 'edited', text: text.slice(0, entry.start) + pushed + text.slice(entry.start) };
}

/** The entry's lines, the first indented as well, without the last line's end. */
function entryLines(value: EntryValue, column: number, eol: string): string {
  const content = 'key' in value ? { [value.key]: value.value } : [value.item];
  const written = stringify(content, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1', indentSeq: false });
  const indent = ' '.repeat(column);
  const lines = written.replace(/\n$/, '').split('\n');
  return lines.map((line) => (line === '' ? '' : indent + line)).join(eol);
}

const ending = (lines: string, eol: string, text: string, end: number): string =>
  end >= text.length && !text.endsWith('\n') ? lines : lines + eol;

export const eolOf = (text: string): string => (/\r\n/.test(text) ? '\r\n' : '\n');

const lineStartOf = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;

function findEntry(text: string, { document, path }: Place): Entry | undefined {
  const documents = readDocuments(text);
  const last = path.at(-1);
  const parent = nodeAt(documents?.[document], path.slice(0, -1));
  if (last === undefined || !(isMap(parent) || isSeq(parent)) || parent.flow === true) return undefined;
  const found = isMap(parent) ? pairRange(parent, last) : itemRange(parent, last);
  if (!found) return undefined;
  const [start, valueEnd] = found;
  const lineStart = lineStartOf(text, start);
  const prefix = text.slice(lineStart, start);
  // What a block style value ends with is its last line's end already.
  const lineEnd = text.indexOf('\n', text[valueEnd - 1] === '\n' ? valueEnd - 1 : valueEnd);
  const end = lineEnd < 0 ? text.length : lineEnd + 1;
  if (!/^\uFEFF?[ -]*$/.test(prefix)) return undefined;
  return { start, end, column: prefix.replace('\uFEFF', '').length, alone: /^ *$/.test(prefix) };
}

function pairRange(map: YAMLMap, key: string | number): readonly [number, number] | undefined {
  const pair = map.items.find((item) => (item.key as { value?: unknown }).value === key);
  const start = (pair?.key as Node | undefined)?.range?.[0];
  const end = (pair?.value as Node | null | undefined)?.range?.[1];
  return start === undefined || end === undefined ? undefined : [start, end];
}

function itemRange(seq: YAMLSeq, index: string | number): readonly [number, number] | undefined {
  const token = seq.srcToken;
  if (token?.type !== 'block-seq' || typeof index !== 'number') return undefined;
  const dash = token.items[index]?.start.find(({ type }) => type === 'seq-item-ind');
  const end = (seq.items[index] as Node | undefined)?.range?.[1];
  return dash === undefined || end === undefined ? undefined : [dash.offset, end];
}
