/** Lines that stay the same around what changes. */
const around = 3;
/** The work grows with the product of what differs; beyond it all of it counts as changed. */
const mostCells = 4_000_000;

/**
 * A unified diff of two texts, without its head. Undefined for a text: there is no such file. Empty: they are the same. No more than `mostLines`
 * lines of it; the last one then says that there are more.
 */
export function unifiedDiff(before: string | undefined, after: string | undefined, mostLines: number): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const changes = changesBetween(a.slice(start, a.length - tail), b.slice(start, b.length - tail));
  const all: Line[] = [
    ...a.slice(0, start).map((text): Line => [' ', text]),
    ...changes,
    ...a.slice(a.length - tail).map((text): Line => [' ', text]),
  ];
  const lines = hunksOf(all);
  return lines.length > mostLines
    ? [...lines.slice(0, mostLines), `(${lines.length - mostLines} more lines)`].join('\n')
    : lines.join('\n');
}

type Line = readonly [sign: ' ' | '-' | '+', text: string];

const linesOf = (text: string | undefined): readonly string[] => {
  if (text === undefined || text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

/** By the longest common sequence of lines. */
function changesBetween(a: readonly string[], b: readonly string[]): readonly Line[] {
  const removed = a.map((text): Line => ['-', text]);
  const added = b.map((text): Line => ['+', text]);
  if (a.length * b.length > mostCells) return [...removed, ...added];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      longest[i * width + j] =
        a[i] === b[j]
          ? 1 + (longest[(i + 1) * width + j + 1] ?? 0)
          : Math.max(longest[(i + 1) * width + j] ?? 0, longest[i * width + j + 1] ?? 0);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [one, other] = [a[i], b[j]];
    if (one !== undefined && one === other) {
      lines.push([' ', one]);
      i += 1;
      j += 1;
    } else if (
      one !== undefined &&
      (other === undefined || (longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0))
    ) {
      lines.push(['-', one]);
      i += 1;
    } else {
      lines.push(['+', other ?? '']);
      j += 1;
    }
  }
  return lines;
}

function hunksOf(lines: readonly Line[]): string[] {
  const shown = new Set<number>();
  lines.forEach(([sign], index) => {
    if (sign === ' ') return;
    for (let near = index - around; near <= index + around; near += 1)
      if (near >= 0 && near < lines.length) shown.add(near);
  });
  const out: string[] = [];
  let [a, b] = [1, 1];
  let hunk: { readonly a: number; readonly b: number; readonly lines: Line[] } | undefined;
  const close = (): void => {
    if (!hunk) return;
    const count = (sign: '-' | '+'): number => hunk?.lines.filter(([one]) => one === ' ' || one === sign).length ?? 0;
    const [from, to] = [count('-'), count('+')];
    out.push(`@@ -${from === 0 ? hunk.a - 1 : hunk.a},${from} +${to === 0 ? hunk.b - 1 : hunk.b},${to} @@`);
    for (const [sign, text] of hunk.lines) out.push(`${sign}${text}`);
    hunk = undefined;
  };
  lines.forEach((line, index) => {
    if (shown.has(index)) (hunk ??= { a, b, lines: [] }).lines.push(line);
    else close();
    if (line[0] !== '+') a += 1;
    if (line[0] !== '-') b += 1;
  });
  close();
  return out;
}
