import { textOf } from '../canary/evidence-text.ts';
import type { Evidence } from '../canary/types.ts';
import { lengthOf, oneLine } from './plain-text.ts';

interface Row {
  readonly atMs: number;
  /** Where the release was: a round, or a share of users in percent. */
  readonly step: { readonly round: number } | { readonly percent: number };
  readonly result: string;
  readonly check: string;
  readonly value: string;
  /** What makes it the same as another: the value, but for a load, which grows. */
  readonly gist: string;
}

interface Folded extends Row {
  readonly count: number;
  readonly untilMs: number;
  readonly lastStep: Row['step'];
}

/** The checks of a release as lines, equal ones folded; none where nothing was checked. */
export function evidenceTable(evidence: readonly Evidence[]): string[] {
  const rows = folded(evidence.flatMap(rowsOf));
  if (rows.length === 0) return [];
  const isCounted = evidence.some(({ iterations }) => iterations > 0);
  const head = ['time', isCounted ? 'round' : 'weight', 'result', 'check', 'value'];
  return table([head, ...shortened(rows)]);
}

function rowsOf({ atMs, canaryWeight, iterations, checks }: Evidence): Row[] {
  return checks.map((check) => ({
    atMs,
    step: iterations > 0 ? { round: iterations } : { percent: canaryWeight },
    result: check.inconclusive ? 'inconclusive' : check.passed ? 'passed' : 'FAILED',
    check: check.name,
    value: textOf(check),
    gist: check.found.kind === 'hook' ? (check.found.refusal ?? '') : textOf(check),
  }));
}

const shownStep = (step: Row['step']): string => ('round' in step ? `${step.round}.` : `${step.percent}%`);
const isSameStep = (a: Row['step'], b: Row['step']): boolean =>
  'round' in a ? 'round' in b : 'percent' in b && a.percent === b.percent;

/** The same result of the same check, one look after the other, is one line. Rounds are folded too, weights are not. */
function folded(rows: readonly Row[]): Folded[] {
  const all: Folded[] = [];
  /** By check, where its last line stands. */
  const last = new Map<string, number>();
  for (const row of rows) {
    const index = last.get(row.check);
    const before = index === undefined ? undefined : all[index];
    const isSame = before?.result === row.result && before.gist === row.gist && isSameStep(before.lastStep, row.step);
    if (index !== undefined && before && isSame) {
      all[index] = { ...before, value: row.value, count: before.count + 1, untilMs: row.atMs, lastStep: row.step };
    } else {
      last.set(row.check, all.length);
      all.push({ ...row, count: 1, untilMs: row.atMs, lastStep: row.step });
    }
  }
  return all;
}

/** A long analysis says the same again and again: its beginning and its end tell it. */
function shortened(rows: readonly Folded[]): string[][] {
  const [head, tail] = [15, 45];
  if (rows.length <= head + tail) return rows.map(cellsOf);
  const hidden = rows.slice(head, -tail);
  const counts = ['FAILED', 'inconclusive'].flatMap((kind) => {
    const count = hidden.filter(({ result }) => result === kind).length;
    return count === 0 ? [] : [`${count} ${kind.toLowerCase()}`];
  });
  const gap = ['...', '', '', `${hidden.length} more`, counts.join(', ') || 'all passed'];
  return [...rows.slice(0, head).map(cellsOf), gap, ...rows.slice(-tail).map(cellsOf)];
}

function cellsOf({ atMs, step, lastStep, result, check, value, count, untilMs }: Folded): string[] {
  const [from, to] = [shownStep(step), shownStep(lastStep)];
  const times = count === 1 ? '' : ` (${count} times, until ${clockTime(untilMs)})`;
  return [clockTime(atMs), from === to ? from : `${from}-${to}`, result, check, `${oneLine(value, 200)}${times}`];
}

/** Indented, so that no line can be taken for a trailer or a divider. */
function table(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map((cell) => oneLine(cell, 260)));
  const widths: number[] = [];
  for (const row of clean) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, lengthOf(cell))));
  const padded = (cell: string, width: number): string => cell + ' '.repeat(Math.max(0, width - lengthOf(cell)));
  return clean.map((row) =>
    `  ${row.map((cell, index) => (index === row.length - 1 ? cell : padded(cell, widths[index] ?? 0))).join('  ')}`.trimEnd(),
  );
}

export const dayAndTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
export const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
