import { textOf } from '../../canary/evidence-text.ts';
import type { Evidence, Unit } from '../../canary/types.ts';
import type { ShownCheck, ToldEvent } from '../../report/types.ts';

/** A check that did not pass, at one look. */
export interface FailedRow {
  readonly atMs: number;
  readonly weight: number;
  readonly name: string;
  readonly text: string;
  readonly isInconclusive: boolean;
}

const most = { failed: 12, events: 40 } as const;
const order: readonly ShownCheck['state'][] = ['failed', 'inconclusive', 'passed', 'not-asked'];

/** What is wrong first. */
export const checkRows = (checks: readonly ShownCheck[]): readonly ShownCheck[] =>
  checks.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));

/** Of the last looks, newest first. */
export function failedRows(looks: readonly Evidence[]): readonly FailedRow[] {
  return looks
    .flatMap(({ atMs, canaryWeight, checks }) =>
      checks
        .filter(({ passed }) => !passed)
        .map((check) => ({
          atMs,
          weight: canaryWeight,
          name: check.name,
          text: textOf(check),
          isInconclusive: check.inconclusive === 'hold',
        })),
    )
    .slice(-most.failed)
    .toReversed();
}

/** Newest first, the same sentence one after the other once. */
export function foldEvents(events: readonly ToldEvent[]): readonly (ToldEvent & { readonly count: number })[] {
  const rows: (ToldEvent & { readonly count: number })[] = [];
  for (const event of events.toSorted((a, b) => b.atMs - a.atMs)) {
    const before = rows.at(-1);
    if (before?.message === event.message) rows[rows.length - 1] = { ...before, count: before.count + 1 };
    else if (rows.length === most.events) break;
    else rows.push({ ...event, count: 1 });
  }
  return rows;
}

/** `99.5 %`, `412 ms`, `0.8`. */
export function showNumber(value: number, unit: Unit | undefined): string {
  if (Number.isNaN(value)) return 'no number';
  const rounded = Math.abs(value) >= 100 && unit !== 'percent' ? Math.round(value) : Math.round(value * 100) / 100;
  return `${rounded}${unit === 'percent' ? ' %' : unit === 'milliseconds' ? ' ms' : ''}`;
}

/** `≥ 99 %`, `≤ 500 ms`, `1 to 5`; empty: no bound. */
export function panelBound({ min, max, unit }: Pick<ShownCheck, 'min' | 'max' | 'unit'>): string {
  if (min !== undefined && max !== undefined) return `${showNumber(min, unit)} to ${showNumber(max, unit)}`;
  if (min !== undefined) return `≥ ${showNumber(min, unit)}`;
  return max === undefined ? '' : `≤ ${showNumber(max, unit)}`;
}
