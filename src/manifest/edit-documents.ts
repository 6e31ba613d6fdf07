import { eolOf } from './edit-entry.ts';
import { isList, isObject } from './edit-object.ts';
import { plainValue, readDocuments, type YamlPath } from './edit-tree.ts';
import { linesOf } from './edit-merge.ts';

/** One object as it stands in a file's text. */
export interface Located {
  /** `group-version/kind/namespace/name` as written; the namespace is empty where the text names none. */
  readonly key: string;
  readonly document: number;
  /** Empty, or the place in a `kind: List`. */
  readonly prefix: YamlPath;
  readonly value: unknown;
  /** Which of the text's segments it stands in. */
  readonly segment: number;
}

export interface FileText {
  readonly text: string;
  /** The text, cut before each line that begins a document; joined they are the text. */
  readonly segments: readonly string[];
  readonly objects: readonly Located[];
}

/** A file's objects with their places. Undefined where it cannot be read. */
export function readFileText(text: string): FileText | undefined {
  const documents = readDocuments(text);
  if (!documents) return undefined;
  const segments = splitDocuments(text);
  const ends = segments.reduce<number[]>((sums, { length }) => [...sums, (sums.at(-1) ?? 0) + length], []);
  const objects = documents.flatMap((parsed, document) => {
    const start = parsed.contents?.range[0];
    if (start === undefined) return [];
    const segment = ends.findIndex((end) => start < end);
    return objectsIn(plainValue(parsed), []).map((found) => ({ ...found, document, segment }));
  });
  return { text, segments, objects };
}

function objectsIn(value: unknown, prefix: YamlPath): { key: string; prefix: YamlPath; value: unknown }[] {
  if (!isObject(value)) return [];
  const { apiVersion, kind, metadata, items } = value;
  if (typeof kind === 'string' && kind.endsWith('List') && isList(items)) {
    return items.flatMap((item, at) => objectsIn(item, [...prefix, 'items', at]));
  }
  const { name = '', namespace = '' } = isObject(metadata) ? metadata : {};
  return [{ key: `${String(apiVersion)}/${String(kind)}/${String(namespace)}/${String(name)}`, prefix, value }];
}

function splitDocuments(text: string): string[] {
  const segments: string[] = [];
  for (const line of linesOf(text)) {
    const last = segments.length - 1;
    if (last < 0 || /^---(?:\s|$)/.test(line)) segments.push(line);
    else segments[last] += line;
  }
  return segments;
}

/** One text again; separators and line ends that are missing between the parts are put in. */
export function joinDocuments(segments: readonly string[]): string {
  const eol = eolOf(segments.join(''));
  return segments.reduce((text, segment) => {
    if (text === '') return segment;
    const closed = text.endsWith('\n') ? text : text + eol;
    return /^---(?:\s|$)/.test(segment) ? closed + segment : `${closed}---${eol}${segment}`;
  }, '');
}
