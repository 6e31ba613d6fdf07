/** How often repositories are asked. */
export interface IntervalBounds {
  /** Of one whose list has just changed. */
  readonly leastMs: number;
  /** However long it has not changed. */
  readonly mostMs: number;
}

/** An unchanged list is asked for more and more rarely. */
const growth = 1.5;
/** So much of an interval is left to chance: repositories that are wanted together are not asked together for ever. */
const jitter = 0.1;
const maxFailures = 8;

export const boundsOf = (intervalMs: number): IntervalBounds => ({ leastMs: intervalMs, mostMs: intervalMs * 8 });

/** The interval after a list was had; `formerMs` absent: it was the first. */
export function nextIntervalMs(formerMs: number | undefined, isChanged: boolean, bounds: IntervalBounds): number {
  if (isChanged || formerMs === undefined) return bounds.leastMs;
  return Math.min(bounds.mostMs, Math.max(bounds.leastMs, formerMs * growth));
}

/** With its part of chance; `random` in [0, 1). Never longer than it was. */
export const jittered = (intervalMs: number, random: number): number => Math.round(intervalMs * (1 - jitter * random));

/** How long to wait after so many failures in a row; `pauseMs`: what the registry asked for. */
export function failureWaitMs(failures: number, pauseMs: number | undefined, bounds: IntervalBounds): number {
  const waitMs = Math.min(bounds.mostMs, (bounds.leastMs / 4) * 2 ** Math.min(failures - 1, maxFailures));
  return Math.max(waitMs, pauseMs ?? 0);
}
