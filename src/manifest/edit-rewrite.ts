import { isDeepStrictEqual } from 'node:util';
import { isAlias, isScalar, type Node, type Scalar } from 'yaml';
import { alignList, alignMap, type Slot } from './edit-align.ts';
import { type Entries, type Entry, flowEntries, isBlock, isBlockScalar, isFlow, lineStartOf } from './edit-entries.ts';
import { linesOf } from './edit-merge.ts';
import { printBlock, printFlow, printKey } from './edit-print.ts';
import { formatScalar, type ScalarValue } from './edit-style.ts';
import { blockOf, hasAlias, rootOf, type Spot, type Written } from './edit-tree.ts';
import { isList, isObject } from './edit-value.ts';

/** Why a text cannot be written. */
export class Unwritable extends Error {}

export interface Way {
  /** What of the base's text is taken: all, what refers to no anchor, nothing. */
  readonly borrow: 'all' | 'plain' | 'nothing';
  /** Aliases are written as what they stand for. */
  readonly expand: boolean;
}

/** The document that is edited, and where text may be taken from instead of being printed anew. */
export interface Sources {
  readonly tip: Written;
  readonly base: Written | undefined;
  /** As the release wrote it: comments that came with it go with it. */
  readonly judged: Written | undefined;
}

const maxDepth = 100;

/**
 * The document's text with `expected` for its value: what is to stay keeps its bytes, what comes back is the base's own text, the rest is
 * printed. One pass, so the time is linear. Whoever calls it reads the result back. Throws Unwritable.
 */
export function rewriteDocument(sources: Sources, expected: unknown, way: Way): string {
  const { tip, base, judged } = sources;
  const { text } = tip;
  const root = rootOf(tip);
  const writer = createWriter(sources, way);
  const [old, tried] = [base && rootOf(base), judged && rootOf(judged)];
  if (isFlow(root.node)) {
    const [start, end] = rangeOf(root.node);
    return text.slice(0, start) + writer.inline(root, expected, old, tried, 0) + text.slice(end);
  }
  const block = blockOf(root);
  if (!block) throw new Unwritable('the document is written in a way that is not edited');
  const written = writer.block(root, block, expected, old, tried, 0);
  return text.slice(0, block.start) + written + text.slice(block.end);
}

interface Writer {
  /** The text from the first entry to the end of the last one. */
  block(
    tip: Spot,
    block: Entries,
    expected: unknown,
    base: Spot | undefined,
    judged: Spot | undefined,
    depth: number,
  ): string;
  /** The text of a value that stands in one piece: a scalar, or a collection in braces. */
  inline(tip: Spot, expected: unknown, base: Spot | undefined, judged: Spot | undefined, depth: number): string;
}

function createWriter({ tip: document, base: old, judged: tried }: Sources, way: Way): Writer {
  const { text } = document;
  const eol = /\r\n/.test(text) ? '\r\n' : '\n';
  const isJson = /^\s*\{\s*"/.test(text);
  const comments = { tip: commentsOf(text), base: commentsOf(old?.text), judged: commentsOf(tried?.text) };

  const isToStay = (spot: Spot, expected: unknown, base?: Spot): boolean =>
    isSameAlias(spot, expected, base) || isStaying(spot, expected);
  // What an alias stands for comes back where its anchor is.
  const isSameAlias = ({ node }: Spot, expected: unknown, base: Spot | undefined): boolean =>
    isAlias(node) && isLent(base, expected) && isAlias(base.node) && base.node.source === node.source;
  const isStaying = (spot: Spot, expected: unknown): boolean =>
    isDeepStrictEqual(spot.value, expected) && (!way.expand || isOtherObject(spot) || !hasAlias(spot.node));
  // Objects of a List that are not edited keep their aliases.
  const isOtherObject = ({ value, entry }: Spot): boolean =>
    typeof entry?.key === 'number' && isObject(value) && isObject(value['metadata']) && 'apiVersion' in value;

  const isLent = (base: Spot | undefined, expected: unknown): base is Spot =>
    way.borrow !== 'nothing' &&
    base?.node !== undefined &&
    isDeepStrictEqual(base.value, expected) &&
    (way.borrow === 'all' || !hasAlias(base.node));

  /** The source of a scalar in one line. */
  const lentScalar = (base: Spot | undefined, expected: unknown, inFlow: boolean): string | undefined => {
    const node = base?.node;
    if (!isLent(base, expected) || !isScalar(node) || isBlockScalar(node)) return undefined;
    const source = base.in.text.slice(...rangeOf(node));
    const isPlain = (node as Scalar).type === 'PLAIN';
    if (/[\r\n]/.test(source) || isTagged(base) || (isJson && isPlain && typeof expected === 'string'))
      return undefined;
    return inFlow && isPlain && (source === '' || /[,[\]{}]/.test(source)) ? undefined : source;
  };

  const scalar = (tip: Spot, expected: ScalarValue, base: Spot | undefined, inFlow: boolean): string => {
    const lent = lentScalar(base, expected, inFlow);
    if (lent !== undefined) return lent;
    const source = text.slice(...rangeOf(tip.node));
    const styled = formatScalar(expected, tip.node as Scalar, source, '');
    return styled !== undefined && !(isJson && typeof expected === 'string') ? styled : printFlow(expected, isJson);
  };

  const inline: Writer['inline'] = (tip, expected, base, judged, depth) => {
    const { node } = tip;
    if (isToStay(tip, expected, base)) return text.slice(...rangeOf(node));
    if (isScalar(node) && !isBlockScalar(node) && isScalarValue(expected)) return scalar(tip, expected, base, true);
    if (isFlow(node) && isSameKind(tip.value, expected)) {
      const written = flow(tip, expected, base, judged, depth + 1);
      if (written !== undefined) return written;
    }
    if (isLent(base, expected) && isFlow(base.node)) return moved(base, rangeOf(base.node), rangeOf(node)[0]);
    return printFlow(expected, isJson);
  };

  /** Undefined where the entries stand in a way that is not edited. */
  const flow = (
    tip: Spot,
    expected: unknown,
    base: Spot | undefined,
    judged: Spot | undefined,
    depth: number,
  ): string | undefined => {
    const [start, end] = rangeOf(tip.node);
    const entries = isFlow(tip.node) ? flowEntries(tip.node) : undefined;
    const [first, last] = [entries?.[0], entries?.at(-1)];
    if (!entries || !first || !last || depth > maxDepth || isEmpty(expected)) return undefined;
    const lead = text.slice(start + 1, first.start);
    const gaps = entries.map((entry, at) => text.slice(entry.end, entries[at + 1]?.start ?? end - 1));
    const gap = gaps.slice(0, -1).find((each) => !each.includes('#')) ?? (lead.includes('\n') ? `,${lead}` : ', ');
    let written = text[start] + lead;
    let before: number | undefined;
    for (const [at, slot] of align(tip, entries, expected, base, judged).entries()) {
      const { from } = slot;
      const isNext = from !== undefined && before !== undefined && from === before + 1;
      if (at > 0) written += isNext ? (gaps[before ?? 0] ?? gap) : gap;
      const entry = from === undefined ? undefined : entries[from];
      written += entry ? flowEntry(tip, entry, slot, depth) : addedToFlow(tip, slot, first.start);
      before = from;
    }
    return written + (gaps.at(-1) ?? '') + text.slice(end - 1, end);
  };

  const flowEntry = (tip: Spot, entry: Entry, slot: Slot, depth: number): string => {
    if (entry.key === undefined) return text.slice(entry.start, entry.end);
    const value = (tip.value as Record<string | number, unknown>)[entry.key];
    const spot: Spot = { in: document, node: entry.node, value, entry, isInFlow: true };
    const [start] = rangeOf(entry.node);
    const lead = text.slice(entry.start, start);
    return lead + inline(spot, slot.value, slot.base, slot.judged, depth);
  };

  const addedToFlow = (tip: Spot, { key, value, base }: Slot, at: number): string => {
    if (isLent(base, value) && base.isInFlow && base.entry) return moved(base, [base.entry.start, base.entry.end], at);
    const name = isList(tip.value) ? '' : `${isJson ? JSON.stringify(key) : printKey(String(key))}: `;
    const isInLines = isJson && /^[ \t]*$/.test(text.slice(lineStartOf(text, at), at));
    if (!isInLines) return name + printFlow(value, isJson);
    const indent = text.slice(lineStartOf(text, at), at);
    return (
      name +
      (JSON.stringify(value, jsonReplacer, indent.includes('\t') ? '\t' : 2) ?? '').replaceAll('\n', eol + indent)
    );
  };

  /** Text of the base, indented as it is where it goes. */
  const moved = (from: Spot, [start, end]: readonly [number, number], at: number): string => {
    const shift = indentAt(text, at) - indentAt(from.in.text, start);
    return shifted(from.in.text.slice(start, end), shift, eol);
  };

  const block: Writer['block'] = (tip, layout, expected, base, judged, depth) => {
    if (depth > maxDepth) throw new Unwritable('the document is nested too deeply');
    const { entries, column } = layout;
    const indent = ' '.repeat(column);
    const slots = align(tip, entries, expected, base, judged);
    const kept = new Set(slots.map(({ from }) => from));
    let written = '';
    const put = (lines: readonly string[], body: string): void => {
      const piece = lines.join('') + (body === '' ? '' : indent + body);
      const isMidLine = written === '' && lineStartOf(text, layout.start) !== layout.start;
      if (written !== '' && !written.endsWith('\n')) written += eol;
      written += isMidLine ? piece.trimStart() : piece;
    };
    /** Comments above an entry that goes stay, unless they came with the release. */
    const left = (at: number): readonly string[] =>
      gapOf(layout, at).filter((line) => {
        const comment = line.trim();
        return comment !== '' && (comments.base.has(comment) || !comments.judged.has(comment));
      });
    let next = 0;
    for (const slot of slots) {
      const { from } = slot;
      const entry = from === undefined ? undefined : entries[from];
      if (from === undefined || !entry) {
        put(...added(tip, slot, column));
        continue;
      }
      const above: string[] = [];
      for (; next < from; next += 1) if (!kept.has(next)) above.push(...left(next));
      next = Math.max(next, from + 1);
      const body = blockEntry(tip, entry, slot, column, depth);
      const gap = gapOf(layout, from);
      const isSame = body === text.slice(entry.start, entry.end);
      put([...above, ...(isSame ? gap : commented(gap, slot, indent))], body);
    }
    for (; next < entries.length; next += 1) if (!kept.has(next)) put(left(next), '');
    const isClosed = text[layout.end - 1] === '\n';
    if (isClosed && !written.endsWith('\n')) return written + eol;
    return isClosed ? written : written.replace(/\r?\n$/, '');
  };

  /** The lines above an entry that belong to no other. */
  const gapOf = ({ entries, start }: Entries, at: number): readonly string[] => {
    const gap = text.slice(at === 0 ? start : entries[at - 1]?.end, entries[at]?.start);
    return linesOf(gap).filter((line) => line.endsWith('\n'));
  };

  /** With the base's comments above the entry, where they are as the release wrote them. */
  const commented = (gap: readonly string[], { base, judged }: Slot, indent: string): readonly string[] => {
    if (!base?.entry || !judged?.entry || base.isInFlow || judged.isInFlow) return gap;
    const [before, with_] = [base, judged].map(({ in: source, entry }) =>
      commentsAbove(source.text, entry?.start ?? 0),
    );
    const first = gap.findLastIndex((line) => !line.trim().startsWith('#')) + 1;
    const now = gap.slice(first).map((line) => line.trim());
    if (!before || !isDeepStrictEqual(now, with_) || isDeepStrictEqual(now, before)) return gap;
    return [...gap.slice(0, first), ...before.map((comment) => indent + comment + eol)];
  };

  const added = (tip: Spot, { key, value, base }: Slot, column: number): [readonly string[], string] => {
    const entry = base?.entry;
    if (!isLent(base, value) || base.isInFlow || !entry) {
      const name = isList(tip.value) ? '-' : `${printKey(String(key))}:`;
      return [[], name + printBlock(value, column, eol, isList(tip.value))];
    }
    const source = base.in.text;
    const body = entryOf(base, entry, column);
    // A comment that is there already is not written twice.
    const above = commentsAbove(source, entry.start).filter((comment) => !comments.tip.has(comment));
    const lines = above.map((comment) => ' '.repeat(column) + comment + eol);
    return [lines, body.endsWith('\n') ? body : body + eol];
  };

  const blockEntry = (tip: Spot, entry: Entry, slot: Slot, column: number, depth: number): string => {
    const { start, end, node } = entry;
    if (entry.key === undefined) return text.slice(start, end);
    const value = (tip.value as Record<string | number, unknown>)[entry.key];
    const spot: Spot = { in: document, node, value, entry, isInFlow: false };
    const { base, judged, value: expected } = slot;
    if (isToStay(spot, expected, base)) return text.slice(start, end);
    const lent = isLent(base, expected) && base.entry && !base.isInFlow ? entryOf(base, base.entry, column) : undefined;
    // As the release wrote it: what stood there before comes back to the byte.
    if (lent !== undefined && judged?.entry && !judged.isInFlow) {
      if (text.slice(start, end).trimEnd() === entryOf(judged, judged.entry, column).trimEnd())
        return closed(lent, end);
    }
    const tagged = isTagged(spot);
    if (isBlock(node) && isSameKind(value, expected) && !isEmpty(expected)) {
      const layout = blockOf(spot);
      if (layout && layout.end === end)
        return text.slice(start, layout.start) + block(spot, layout, expected, base, judged, depth + 1);
    }
    const [from, to] = rangeOf(node);
    if (isFlow(node) && isSameKind(value, expected) && !tagged) {
      const written = flow(spot, expected, base, judged, depth + 1);
      if (written !== undefined) return text.slice(start, from) + written + text.slice(to, end);
    }
    const isPlainText = isScalar(node) && !isBlockScalar(node) && isScalarValue(expected) && !tagged;
    if (isPlainText && !isWrittenInLines(base, expected)) {
      const source = scalar(spot, expected, base, false);
      const lead = text.slice(start, from);
      const space = source !== '' && !/\s$/.test(lead) ? ' ' : '';
      return (source === '' ? lead.trimEnd() : lead + space) + source + restOf(spot, base, judged);
    }
    if (lent !== undefined) return closed(lent, end);
    if (isBlockScalar(node) && typeof expected === 'string' && !tagged) {
      const source = text.slice(from, to);
      const indent = /\n( +)[^\s]/.exec(source)?.[1] ?? '';
      const styled = formatScalar(expected, node, source, indent);
      if (styled !== undefined) return text.slice(start, from) + styled + text.slice(to, end);
    }
    const name = isList(tip.value) ? '-' : `${text.slice(start, entry.keyEnd)}:`;
    return closed(name + printBlock(expected, column, eol, isList(tip.value)), end);
  };

  /** An entry's text, indented for this column. */
  const entryOf = ({ in: source }: Spot, { start, end }: Entry, column: number): string =>
    shifted(source.text.slice(start, end), column - columnAt(source.text, start), eol);

  /** With the last line's end that the old text had. */
  const closed = (body: string, end: number): string => {
    const isClosed = text[end - 1] === '\n';
    if (isClosed) return body.endsWith('\n') ? body : body + eol;
    return body.replace(/\r?\n$/, '');
  };

  const isWrittenInLines = (base: Spot | undefined, expected: unknown): boolean =>
    isLent(base, expected) && !base.isInFlow && base.node !== undefined && isSeveralLines(base);

  /** What stands behind a value in its line: the base's, where it is as the release wrote it. */
  const restOf = (tip: Spot, base: Spot | undefined, judged: Spot | undefined): string => {
    const rest = restIn(tip) ?? eol;
    const [before, with_] = [base, judged].map((spot) => (spot && !spot.isInFlow ? restIn(spot) : undefined));
    if (before === undefined || with_ === undefined || with_.trim() !== rest.trim()) return rest;
    return before.trim() === rest.trim() ? rest : before.trimEnd() + (/\r?\n$/.exec(rest)?.[0] ?? '');
  };

  const align = (
    tip: Spot,
    entries: readonly Entry[],
    expected: unknown,
    base: Spot | undefined,
    judged: Spot | undefined,
  ): readonly Slot[] => {
    if (isList(tip.value) && isList(expected)) return alignList(tip.value, expected, base, judged);
    if (!isObject(tip.value) || !isObject(expected)) throw new Unwritable('a map became something else');
    const keys = entries.map(({ key }) => (typeof key === 'string' ? key : undefined));
    return alignMap(keys, tip.value, expected, base, judged);
  };

  return { block, inline };
}

const isScalarValue = (value: unknown): value is ScalarValue =>
  value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
const isSameKind = (a: unknown, b: unknown): boolean => (isList(a) && isList(b)) || (isObject(a) && isObject(b));
const isEmpty = (value: unknown): boolean => (isList(value) ? value.length : Object.keys(value ?? {}).length) === 0;

function rangeOf(node: Node | undefined): readonly [number, number] {
  if (!node?.range) throw new Unwritable('a value has no place');
  return [node.range[0], node.range[1]];
}

/** Whether a tag stands before the value; an anchor may. */
function isTagged({ in: { text }, node, entry }: Spot): boolean {
  if (isAlias(node) || !node?.range) return false;
  return entry !== undefined && /(?:^|\s)!/.test(text.slice(entry.keyEnd, node.range[0]));
}

function isSeveralLines({ in: { text }, node }: Spot): boolean {
  return isBlockScalar(node) || /[\r\n]/.test(text.slice(...rangeOf(node)));
}

/** What follows a value up to the end of its entry; undefined where the value has lines of its own. */
function restIn({ in: { text }, node, entry }: Spot): string | undefined {
  if (!isScalar(node) || isBlockScalar(node) || !entry) return undefined;
  const rest = text.slice(rangeOf(node as Node)[1], entry.end);
  return /^[^\n]*\n?$/.test(rest) ? rest : undefined;
}

/** The comments in the lines above an entry that has its line for itself. */
function commentsAbove(text: string, entry: number): readonly string[] {
  const above: string[] = [];
  let at = lineStartOf(text, entry);
  if (!/^ *$/.test(text.slice(at, entry))) return above;
  while (at > 0) {
    const start = lineStartOf(text, at - 1);
    const comment = text.slice(start, at).trim();
    if (!comment.startsWith('#')) break;
    above.unshift(comment);
    at = start;
  }
  return above;
}

const columnAt = (text: string, at: number): number => at - lineStartOf(text, at);
const indentAt = (text: string, at: number): number =>
  /^ */.exec(text.slice(lineStartOf(text, at), at))?.[0].length ?? 0;

/** Lines behind the first one are moved to the right, or to the left as far as they can. */
function shifted(source: string, columns: number, eol: string): string {
  const lines = source.split(/\r?\n/);
  const moved = lines.map((line, at) => {
    if (at === 0 || line === '' || columns === 0) return line;
    return columns > 0 ? ' '.repeat(columns) + line : line.slice(Math.min(-columns, /^ */.exec(line)?.[0].length ?? 0));
  });
  return moved.join(eol);
}

function commentsOf(text: string | undefined): ReadonlySet<string> {
  const comments = linesOf(text ?? '').map((line) => line.trim());
  return new Set(comments.filter((line) => line.startsWith('#')));
}

const jsonReplacer = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
