import { type Document, isAlias, isCollection, isMap, isPair, isScalar, type Node } from 'yaml';
import { blockEntries, type Entries, type Entry, flowEntries, isFlow } from './edit-entries.ts';
import { isList, isObject } from './edit-value.ts';
import { readYaml, valueOf } from './read-yaml.ts';

/** Keys and indexes from a document's root. */
export type YamlPath = readonly (string | number)[];

/** One document of a text. */
export interface Written {
  readonly text: string;
  readonly document: Document.Parsed;
  /** As kubectl reads it; integers that a number cannot hold are BigInts. */
  readonly value: unknown;
}

/** The documents of a text; undefined where one of them cannot be read. */
export function writtenIn(text: string): readonly Written[] | undefined {
  const documents = readYaml(text, { forEdits: true });
  if (documents.some(({ errors }) => errors.length > 0)) return undefined;
  try {
    return documents.map((document) => ({ text, document, value: valueOf(document) }));
  } catch {
    // An alias that leads nowhere, or too many of them.
    return undefined;
  }
}

/** A value with the place where it is written; a value that comes by an alias or a merge key has no node of its own. */
export interface Spot {
  readonly in: Written;
  readonly node: Node | undefined;
  readonly value: unknown;
  /** Undefined for the document's root. */
  readonly entry: Entry | undefined;
  /** Whether the entry stands in braces. */
  readonly isInFlow: boolean;
}

export const rootOf = (written: Written): Spot => ({
  in: written,
  node: written.document.contents ?? undefined,
  value: written.value,
  entry: undefined,
  isInFlow: false,
});

/** Where a map's or list's entries stand in lines of their own. */
export function blockOf({ in: { text, document }, node }: Spot): Entries | undefined {
  return isCollection(node) && !isFlow(node) ? blockEntries(text, node, node === document.contents) : undefined;
}

/** The spots of a map or list, by key or index. */
export function spotsIn(spot: Spot | undefined): ReadonlyMap<string | number, Spot> {
  const spots = new Map<string | number, Spot>();
  if (!spot || !(isObject(spot.value) || isList(spot.value))) return spots;
  const isInFlow = isFlow(spot.node);
  const entries = isFlow(spot.node) ? flowEntries(spot.node) : blockOf(spot)?.entries;
  for (const entry of entries ?? []) {
    if (entry.key === undefined) continue;
    const value = (spot.value as Record<string | number, unknown>)[entry.key];
    spots.set(entry.key, { in: spot.in, node: entry.node, value, entry, isInFlow });
  }
  return spots;
}

export function hasAlias(node: unknown): boolean {
  if (isAlias(node)) return true;
  if (isPair(node)) return hasAlias(node.key) || hasAlias(node.value);
  if (isMap(node) && node.items.some(({ key }) => isScalar(key) && typeof key.value === 'symbol')) return true;
  return isCollection(node) && node.items.some(hasAlias);
}
