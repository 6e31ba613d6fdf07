import { diff3Merge } from 'node-diff3';

/**
 * The merge's time grows with the pairs of equal lines, and manifests are full of those. Beyond this (about a tenth of a second) the
 * caller edits in another way.
 */
const maxEqualPairs = 40_000;

/** Three-way merge by lines, line ends included. Undefined where both sides changed the same or neighbouring lines differently. */
export function mergeText(ours: string, origin: string, theirs: string): string | undefined {
  if (ours === origin) return theirs;
  if (theirs === origin || ours === theirs) return ours;
  const [a, o, b] = [linesOf(ours), linesOf(origin), linesOf(theirs)];
  const left = changedRange(o, a);
  const right = changedRange(o, b);
  // Changes that lie apart need no search for what is common.
  if (left.end < right.start)
    return [...a.slice(0, left.otherEnd), ...o.slice(left.end, right.start), ...b.slice(right.start)].join('');
  if (right.end < left.start)
    return [...b.slice(0, right.otherEnd), ...o.slice(right.end, left.start), ...a.slice(left.start)].join('');
  const start = Math.min(left.start, right.start);
  const rest = o.length - Math.max(left.end, right.end);
  const [midA, midO, midB] = [a, o, b].map((lines) => lines.slice(start, lines.length - rest));
  if (!midA || !midO || !midB || equalPairs(midO, midA) + equalPairs(midO, midB) > maxEqualPairs) return undefined;
  const merged: string[] = [];
  for (const { ok, conflict } of diff3Merge(midA, midO, midB, { excludeFalseConflicts: true })) {
    if (conflict || !ok) return undefined;
    for (const line of ok) merged.push(line);
  }
  return [...o.slice(0, start), ...merged, ...o.slice(o.length - rest)].join('');
}

export const linesOf = (text: string): string[] => text.split(/(?<=\n)/);

interface ChangedRange {
  /** First and behind the last line of the origin that differ. */
  readonly start: number;
  readonly end: number;
  /** Where the range ends in the other text. */
  readonly otherEnd: number;
}

function changedRange(origin: readonly string[], other: readonly string[]): ChangedRange {
  const shortest = Math.min(origin.length, other.length);
  let start = 0;
  while (start < shortest && origin[start] === other[start]) start += 1;
  let tail = 0;
  while (tail < shortest - start && origin[origin.length - 1 - tail] === other[other.length - 1 - tail]) tail += 1;
  return { start, end: origin.length - tail, otherEnd: other.length - tail };
}

function equalPairs(a: readonly string[], b: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of a) counts.set(line, (counts.get(line) ?? 0) + 1);
  return b.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0);
}
