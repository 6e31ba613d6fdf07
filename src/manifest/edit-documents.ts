import { cutDocuments, isPreamble } from './documents.ts';
import { linesOf } from './edit-merge.ts';
import { type Written, writtenIn, type YamlPath } from './edit-tree.ts';
import { isList, isObject } from './edit-value.ts';
import type { KubeObject } from './types.ts';

/** A file in parts, cut before each line that begins a document. A part that cannot be read costs no other. */
export interface FileText {
  readonly text: string;
  /** A byte order mark or nothing. */
  readonly mark: string;
  /** Joined behind the mark they are the text. */
  readonly parts: readonly string[];
}

/** One object as it stands in a file's text. */
export interface Located {
  readonly part: number;
  /** Which of the part's documents; nearly always the only one. */
  readonly document: number;
  /** Empty, or the place in a `kind: List`. */
  readonly prefix: YamlPath;
  readonly value: unknown;
  readonly written: Written;
  /** Nothing else stands in the part. */
  readonly isAlone: boolean;
}

/** Reads a part; undefined where it cannot be read. */
export type ReadPart = (part: string) => readonly Written[] | undefined;

/** Reads each part once: trees that are compared share most of theirs. */
export function createPartReader(): ReadPart {
  const known = new Map<string, readonly Written[] | undefined>();
  return (part) => {
    if (!known.has(part)) known.set(part, writtenIn(part));
    return known.get(part);
  };
}

export function fileText(text: string): FileText {
  const mark = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  return { text, mark, parts: cutDocuments(text.slice(mark.length)) };
}

/** Where an object stands. Only the parts that may hold it are read; of several the first counts. */
export function locateObject(file: FileText, object: KubeObject, read: ReadPart): Located | undefined {
  const { name } = object.metadata;
  const numbers = [...file.parts.keys()];
  const likely = numbers.filter((part) => file.parts[part]?.includes(name));
  return firstOf(file, likely, object, read) ?? firstOf(file, numbers, object, read);
}

function firstOf(file: FileText, parts: readonly number[], object: KubeObject, read: ReadPart): Located | undefined {
  for (const part of parts) {
    const found = objectsInPart(file, part, read).find((located) => isSameObject(namedIn(located), object));
    if (found) return found;
  }
  return undefined;
}

/** The objects of one part; none where it cannot be read. */
export function objectsInPart(file: FileText, part: number, read: ReadPart): readonly Located[] {
  const documents = read(file.parts[part] ?? '') ?? [];
  const found = documents.flatMap((written, document) =>
    objectsIn(written.value, []).map((each) => ({ ...each, part, document, written })),
  );
  const isAlone = found.length === 1 && documents.length === 1 && found[0]?.prefix.length === 0;
  return found.map((each) => ({ ...each, isAlone }));
}

function objectsIn(value: unknown, prefix: YamlPath): { readonly prefix: YamlPath; readonly value: unknown }[] {
  if (!isObject(value)) return [];
  const { kind, items } = value;
  if (prefix.length === 0 && typeof kind === 'string' && kind.endsWith('List') && isList(items))
    return items.flatMap((item, at) => objectsIn(item, ['items', at]));
  return [{ prefix, value }];
}

/** The items of a list of one kind, as `ConfigMapList`, need not name it. */
function namedIn({ value, prefix, written }: Located): unknown {
  const list = written.value;
  if (prefix.length === 0 || !isObject(value) || !isObject(list) || value['kind'] !== undefined) return value;
  const { apiVersion, kind } = list;
  return { apiVersion, kind: String(kind).replace(/List$/, ''), ...value };
}

/** The text may leave the namespace to the agent's default. */
export function isSameObject(value: unknown, { apiVersion, kind, metadata }: KubeObject): boolean {
  if (!isObject(value) || value['kind'] !== kind || value['apiVersion'] !== apiVersion) return false;
  const written = isObject(value['metadata']) ? value['metadata'] : {};
  const namespace = written['namespace'] ?? '';
  return written['name'] === metadata.name && (namespace === '' || namespace === (metadata.namespace ?? ''));
}

/** One text again; separators and line ends that are missing between the parts are put in. */
export function joinParts(mark: string, parts: readonly string[]): string {
  const eol = eolOf(parts.join(''));
  const pieces: string[] = [];
  let last = '';
  for (const part of parts) {
    if (last !== '') {
      if (!last.endsWith('\n')) pieces.push(eol);
      if (!isMarked(part)) pieces.push(`---${eol}`);
    }
    pieces.push(part);
    // An empty part ends where the one before it does.
    last = part === '' && last !== '' ? '\n' : part;
  }
  return mark + pieces.join('');
}

export const eolOf = (text: string): string => (/\r\n/.test(text) ? '\r\n' : '\n');
const isMarked = (part: string): boolean => /^---(?:\s|$)/.test(part);

/** Nothing but comments, and a marker perhaps. */
export const isBlank = (part: string): boolean => isPreamble(part.replace(/^---(?=\s|$)/, ''));

export interface PartText {
  /** The line that begins the document, where there is one. */
  readonly marker: string;
  /** Comments and blank lines above the document's content. */
  readonly head: string;
  readonly body: string;
}

/** The comments above a file's first document are the file's as well, so they are told from what the document says. */
export function splitPart(part: string): PartText {
  const marker = /^---[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/.exec(part)?.[0] ?? '';
  let end = marker.length;
  for (const line of linesOf(part.slice(end))) {
    if (!/^[ \t]*(?:#[^\n]*)?\r?\n$/.test(line)) break;
    end += line.length;
  }
  return { marker, head: part.slice(marker.length, end), body: part.slice(end) };
}
