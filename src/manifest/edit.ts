import { isAlias, isScalar } from 'yaml';
import { formatScalar, type ScalarValue } from './edit-style.ts';
import {
  type EditResult,
  fingerprint,
  formatPath,
  nodeAt,
  type Place,
  readDocuments,
  refused,
  toPlain,
} from './edit-tree.ts';

/**
 * Changes one scalar and not one byte besides: the new value is written in the old quoting style over the old one's range, and the
 * result is only given when reading it back shows the new value there and everything else as it was, comments included.
 */
export function editScalar(text: string, place: Place, value: ScalarValue): EditResult {
  const where = formatPath(place.path);
  const before = readDocuments(text);
  if (!before) return refused('unreadable', 'the file is not valid YAML');
  const node = nodeAt(before[place.document], place.path);
  if (!node) return refused('missing', `${where} is not there`);
  if (isAlias(node)) return refused('alias', `${where} is an alias`);
  if (!isScalar(node) || !node.range) return refused('not-scalar', `${where} is not a scalar`);
  if (toPlain(node.value) === toPlain(value) && typeof toPlain(node.value) === typeof toPlain(value)) {
    return { kind: 'edited', text };
  }
  if (node.anchor !== undefined) return refused('anchor', `${where} is an anchor that others may refer to`);
  if (node.tag !== undefined && !/^tag:yaml\.org,2002:(?:str|int|float|bool|null)$/.test(node.tag)) {
    return refused('tag', `${where} has a tag of its own`);
  }
  const [start, end] = node.range;
  const source = text.slice(start, end);
  if (source.startsWith('!')) return refused('tag', `${where} has a tag of its own`);
  const written = formatScalar(value, node, source, literalIndent(source));
  if (written === undefined) return refused('style', `${where} is written as block text in a way that is not edited`);
  // A key without a value has an empty range right after the colon.
  const lead = source === '' && /[^\s]$/.test(text.slice(0, start)) ? ' ' : '';
  const edited = text.slice(0, start) + lead + written + text.slice(end);
  return isOnlyChange(before, edited, place, value)
    ? { kind: 'edited', text: edited }
    : refused('verify', `${where} could not be changed without changing something else`);
}

function isOnlyChange(
  before: NonNullable<ReturnType<typeof readDocuments>>,
  edited: string,
  place: Place,
  value: ScalarValue,
): boolean {
  const after = readDocuments(edited);
  if (!after || after.length !== before.length) return false;
  const same = after.every((document, at) => {
    const old = before[at];
    const except = at === place.document ? place.path : undefined;
    return old !== undefined && fingerprint(document, except) === fingerprint(old, except);
  });
  const node = nodeAt(after[place.document], place.path);
  return same && isScalar(node) && Object.is(toPlain(node.value), toPlain(value));
}

function literalIndent(source: string): string {
  const firstLine = /\n([ ]+)[^\s]/.exec(source);
  return firstLine?.[1] ?? '';
}
