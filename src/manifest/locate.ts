import { type Document, isNode, isSeq, LineCounter } from 'yaml';
import { readYaml } from './read-yaml.ts';
import type { Origin } from './types.ts';

/** One-based line of a field of an object; undefined where it cannot be told. */
export type LineFinder = (origin: Origin, field: string) => number | undefined;

/**
 * Lines of fields such as `spec.analysis.metrics[1].name` in files whose text is given by path (undefined: not known): the nearest parent's
 * where the field itself is absent. Each file is read once, and only where a line is asked for.
 */
export function createLineFinder(textOf: (path: string) => string | undefined): LineFinder {
  const files = new Map<string, ReadFile | undefined>();
  return ({ path, document, line }, field) => {
    if (!files.has(path)) files.set(path, readFile(textOf(path)));
    const file = files.get(path);
    const found = document === undefined ? undefined : file?.documents[document];
    return file && found ? lineIn(found, file.lines, line, field) : undefined;
  };
}

interface ReadFile {
  readonly documents: readonly Document[];
  readonly lines: LineCounter;
}

function readFile(text: string | undefined): ReadFile | undefined {
  if (text === undefined) return undefined;
  const lines = new LineCounter();
  try {
    return { documents: readYaml(text.replace(/^\uFEFF/, ''), { lines }), lines };
  } catch {
    return undefined;
  }
}

function lineIn(document: Document, lines: LineCounter, start: number | undefined, field: string): number | undefined {
  const lineAt = (node: unknown): number | undefined =>
    isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined;
  // Keys may have dots and slashes in them: `metadata.labels["a.b/c"]`.
  const path = [...field.matchAll(/\["([^"]*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, key, index, name]) =>
    index === undefined ? (key ?? name ?? '') : Number(index),
  );
  const items: unknown = document.get('items', true);
  // Of a List the item that begins where the object does.
  const item = isSeq(items) && start !== undefined ? items.items.findIndex((one) => lineAt(one) === start) : -1;
  const root = item < 0 ? [] : ['items', item];
  for (let length = path.length; length > 0; length -= 1) {
    const found = lineAt(document.getIn([...root, ...path.slice(0, length)], true));
    if (found !== undefined) return found;
  }
  return item < 0 ? lineAt(document.contents) : start;
}
