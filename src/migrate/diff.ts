import { diffIndices } from 'node-diff3';

const context = 3;

interface Piece {
  /** In lines of the old and of the new text, from zero. */
  readonly old: readonly [from: number, count: number];
  readonly new: readonly [from: number, count: number];
}

/** A unified diff as `git diff` prints it and `git apply` takes it; empty where nothing differs. */
export function unifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return '';
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const pieces = diffIndices(old, fresh).map(({ buffer1, buffer2 }): Piece => ({ old: buffer1, new: buffer2 }));
  const hunks: Piece[][] = [];
  for (const piece of pieces) {
    const last = hunks.at(-1)?.at(-1);
    if (last && piece.old[0] - (last.old[0] + last.old[1]) <= 2 * context) hunks.at(-1)?.push(piece);
    else hunks.push([piece]);
  }
  const head = [`diff --git a/${path} b/${path}`, `--- a/${path}`, `+++ b/${path}`];
  return `${[...head, ...hunks.flatMap((hunk) => hunkLines(hunk, old, fresh))].join('\n')}\n`;
}

function hunkLines(pieces: readonly Piece[], old: readonly string[], fresh: readonly string[]): string[] {
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (!first || !last) return [];
  const from = Math.max(0, first.old[0] - context);
  const until = Math.min(old.length, last.old[0] + last.old[1] + context);
  const newFrom = first.new[0] - (first.old[0] - from);
  const lines: string[] = [];
  let at = from;
  let added = 0;
  for (const { old: gone, new: come } of pieces) {
    lines.push(...old.slice(at, gone[0]).map((line) => shown(' ', line)));
    lines.push(...old.slice(gone[0], gone[0] + gone[1]).map((line) => shown('-', line)));
    lines.push(...fresh.slice(come[0], come[0] + come[1]).map((line) => shown('+', line)));
    added += come[1] - gone[1];
    at = gone[0] + gone[1];
  }
  lines.push(...old.slice(at, until).map((line) => shown(' ', line)));
  const place = (start: number, count: number): string => `${count === 0 ? start : start + 1},${count}`;
  return [`@@ -${place(from, until - from)} +${place(newFrom, until - from + added)} @@`, ...lines];
}

const shown = (sign: string, line: string): string =>
  line.endsWith('\n') ? `${sign}${line.slice(0, -1)}` : `${sign}${line}\n\\ No newline at end of file`;

const linesOf = (text: string): string[] => text.split(/(?<=\n)/).filter((line) => line !== '');
