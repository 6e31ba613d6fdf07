/** What several runs gave: the machine's spread is part of the result. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Throws for no values: a benchmark without runs has no result. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new Error('nothing was measured');
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? min) + (sorted[Math.ceil(middle)] ?? max)) / 2;
  return { min, median, max };
}

/** One line of the result. */
export interface Measured {
  readonly what: string;
  readonly unit: string;
  readonly spread: Spread;
  /** Absent: shown for comparison only. Held against the median. */
  readonly goal?: Goal;
}

export interface Goal {
  readonly kind: 'below' | 'at least' | 'exactly';
  readonly value: number;
}

export function isMet({ kind, value }: Goal, { median }: Spread): boolean {
  if (kind === 'below') return median < value;
  return kind === 'at least' ? median >= value : median === value;
}

export const header: readonly string[] = ['', 'min', 'median', 'max', 'goal', ''];

export function rowOf({ what, unit, spread, goal }: Measured): readonly string[] {
  const numbers = [spread.min, spread.median, spread.max].map((value) => `${readable(value)}${unit}`);
  if (!goal) return [what, ...numbers, '', ''];
  const words = { below: '< ', 'at least': '≥ ', exactly: '' } as const;
  return [
    what,
    ...numbers,
    `${words[goal.kind]}${readable(goal.value)}${unit}`,
    isMet(goal, spread) ? 'met' : 'MISSED',
  ];
}

/** Three digits that matter. */
export function readable(value: number): string {
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
