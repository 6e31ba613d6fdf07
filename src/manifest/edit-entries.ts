import { isCollection, isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';

/** A key with its value, or an item of a list. */
export interface Entry {
  /** Undefined for YAML's merge key. */
  readonly key: string | number | undefined;
  /** Its first character: the key's, or the dash. */
  readonly start: number;
  /** Behind the key; the dash's place for an item. */
  readonly keyEnd: number;
  /** Behind its last line's end; in braces, behind the value. */
  readonly end: number;
  readonly node: Node;
}

export interface Entries {
  readonly entries: readonly Entry[];
  /** Of block style: the column of the entries' first characters. */
  readonly column: number;
  /** Where the entries' text begins: comments above the first one belong to it. */
  readonly start: number;
  readonly end: number;
}

export type Collection = YAMLMap | YAMLSeq;

export const isFlow = (node: unknown): node is Collection => isCollection(node) && node.flow === true;
export const isBlock = (node: unknown): node is Collection => isCollection(node) && node.flow !== true;
export const isBlockScalar = (node: unknown): node is Scalar & { readonly type: 'BLOCK_LITERAL' | 'BLOCK_FOLDED' } =>
  isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED');

/** The entries of a map or list in lines of its own. Undefined where they stand in a way that is not edited. */
export function blockEntries(text: string, node: Collection, isRoot: boolean): Entries | undefined {
  const entries: Entry[] = [];
  let column: number | undefined;
  for (let at = 0; at < node.items.length; at += 1) {
    const entry = blockEntry(text, node, at);
    if (!entry) return undefined;
    const prefix = text.slice(lineStartOf(text, entry.start), entry.start);
    if (!(at === 0 ? /^[ -]*$/ : /^ *$/).test(prefix)) return undefined;
    column ??= prefix.length;
    if (prefix.length !== column) return undefined;
    entries.push(entry);
  }
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last || column === undefined) return undefined;
  return { entries, column, start: startOf(text, first.start, isRoot), end: last.end };
}

/** The entries of a map or list in braces. */
export function flowEntries(node: Collection): readonly Entry[] | undefined {
  const entries: Entry[] = [];
  for (const [at, item] of node.items.entries()) {
    const found = isMap(node) ? pairOf(node, at) : { key: at, start: undefined, keyEnd: undefined, node: item };
    const value = found?.node as Node | null | undefined;
    if (!found || !value?.range) return undefined;
    // What an anchor or a tag stands before is only moved with its key.
    if (found.start === undefined && (hasAnchor(value) || value.tag !== undefined)) return undefined;
    const start = found.start ?? value.range[0];
    entries.push({
      key: found.key,
      start,
      keyEnd: found.keyEnd ?? start,
      end: Math.max(value.range[1], found.keyEnd ?? 0),
      node: value,
    });
  }
  return entries;
}

const hasAnchor = (node: Node): boolean => 'anchor' in node && node.anchor !== undefined;

function blockEntry(text: string, node: Collection, at: number): Entry | undefined {
  const found = isMap(node) ? pairOf(node, at) : itemOf(node, at);
  const end = found && endOf(text, found.node);
  return !found || end === undefined ? undefined : { ...found, end };
}

type Found = Omit<Entry, 'end'>;

function pairOf(map: YAMLMap, at: number): Found | undefined {
  const pair = map.items[at];
  const key = pair?.key as Scalar | undefined;
  const node = pair?.value as Node | null | undefined;
  if (!key?.range || !node?.range) return undefined;
  const name = typeof key.value === 'string' && !(key.value === '<<' && key.type === 'PLAIN') ? key.value : undefined;
  return { key: name, start: key.range[0], keyEnd: key.range[1], node };
}

function itemOf(seq: YAMLSeq, at: number): Found | undefined {
  const token = seq.srcToken;
  const node = seq.items[at] as Node | null | undefined;
  if (token?.type !== 'block-seq' || !node?.range) return undefined;
  const dash = token.items[at]?.start.find(({ type }) => type === 'seq-item-ind');
  return dash && { key: at, start: dash.offset, keyEnd: dash.offset, node };
}

/** Behind the end of the node's last line. */
function endOf(text: string, node: Node): number | undefined {
  if (isBlock(node) && node.items.length > 0) {
    const last: unknown = isMap(node) ? node.items.at(-1)?.value : isSeq(node) ? node.items.at(-1) : undefined;
    return last === undefined || last === null ? undefined : endOf(text, last as Node);
  }
  if (!node.range) return undefined;
  const [, end] = node.range;
  if (isBlockScalar(node) && text[end - 1] === '\n') return end;
  const lineEnd = text.indexOf('\n', end);
  return lineEnd < 0 ? text.length : lineEnd + 1;
}

export const lineStartOf = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;

function startOf(text: string, first: number, isRoot: boolean): number {
  let start = lineStartOf(text, first);
  if (!/^ *$/.test(text.slice(start, first))) return first;
  while (!isRoot && start > 0) {
    const above = lineStartOf(text, start - 1);
    if (!/^[ \t]*(?:#.*)?\r?\n$/.test(text.slice(above, start))) break;
    start = above;
  }
  return start;
}
