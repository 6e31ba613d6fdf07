import { isNode, LineCounter, parseAllDocuments } from 'yaml';

/**
 * One-based line of a field such as `spec.analysis.metrics[1].name` in a file; the nearest parent's where the field itself is absent,
 * the document's first line where nothing of it is there.
 */
export function lineOf(text: string, document: number, field: string): number | undefined {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text.replace(/^\uFEFF/, ''), { lineCounter: lines });
  if ('empty' in documents) return undefined;
  const found = documents[document];
  if (!found) return undefined;
  const path = field
    .split(/[.[\]]+/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  for (let length = path.length; length > 0; length -= 1) {
    const node = found.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  const start = found.contents?.range?.[0];
  return start === undefined ? undefined : lines.linePos(start).line;
}
