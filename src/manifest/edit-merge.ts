import { diff3Merge } from 'node-diff3';

/** Beyond this many differing lines a merge by longest common sequence takes seconds; the caller then edits in another way. */
const maxLines = 20_000;

/** Three-way merge by lines, line ends included. Undefined where both sides changed the same or neighbouring lines differently. */
export function mergeText(ours: string, origin: string, theirs: string): string | undefined {
  if (ours === origin) return theirs;
  if (theirs === origin || ours === theirs) return ours;
  const sides = [linesOf(ours), linesOf(origin), linesOf(theirs)] as const;
  const head = countEqual(sides, (lines, at) => lines[at]);
  const rest = sides.map((lines) => lines.slice(head)) as [string[], string[], string[]];
  const tail = countEqual(rest, (lines, at) => lines[lines.length - 1 - at]);
  const [a, o, b] = rest.map((lines) => lines.slice(0, lines.length - tail)) as [string[], string[], string[]];
  if (a.length + o.length + b.length > maxLines) return undefined;
  const merged: string[] = [];
  for (const { ok, conflict } of diff3Merge(a, o, b, { excludeFalseConflicts: true })) {
    if (conflict || !ok) return undefined;
    for (const line of ok) merged.push(line);
  }
  const { length } = rest[0];
  return [...sides[0].slice(0, head), ...merged, ...rest[0].slice(length - tail)].join('');
}

export const linesOf = (text: string): string[] => text.split(/(?<=\n)/);

function countEqual(
  sides: readonly (readonly string[])[],
  line: (lines: readonly string[], at: number) => string | undefined,
): number {
  const shortest = Math.min(...sides.map(({ length }) => length));
  let count = 0;
  while (count < shortest) {
    const [first, ...others] = sides.map((lines) => line(lines, count));
    if (others.some((other) => other !== first)) break;
    count += 1;
  }
  return count;
}
