import type { Point } from './values.ts';

export interface RateWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** Counters only grow: a smaller value means that they began anew. */
  readonly counter: boolean;
  readonly perSecond: boolean;
  /**
   * Prometheus before 2.52 tested the distance to the window's start after shortening it to where the counter was zero,
   * later versions before.
   */
  readonly zeroFirst: boolean;
}

/** `rate`, `increase` and `delta`: the change within the window, extrapolated towards its ends. */
export function extrapolatedChange(points: readonly Point[], window: RateWindow): number | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length < 2) return undefined;
  const change = last.value - first.value + (window.counter ? lostByResets(points) : 0);
  const sampledS = (last.timeMs - first.timeMs) / 1000;
  const averageS = sampledS / (points.length - 1);
  const reach = (distanceS: number): number => (distanceS >= averageS * 1.1 ? averageS / 2 : distanceS);

  const toStartS = (first.timeMs - window.startMs) / 1000;
  // A counter was never below zero, so no line is drawn beyond the point where it would have been zero.
  const toZeroS =
    window.counter && change > 0 && first.value >= 0 ? sampledS * (first.value / change) : Number.POSITIVE_INFINITY;
  const startS = window.zeroFirst ? reach(Math.min(toStartS, toZeroS)) : Math.min(reach(toStartS), toZeroS);
  const endS = reach((window.endMs - last.timeMs) / 1000);

  const extrapolated = change * ((sampledS + startS + endS) / sampledS);
  return window.perSecond ? extrapolated / ((window.endMs - window.startMs) / 1000) : extrapolated;
}

function lostByResets(points: readonly Point[]): number {
  let lost = 0;
  for (const [index, point] of points.entries()) {
    const previous = points[index - 1];
    if (previous && point.value < previous.value) lost += previous.value;
  }
  return lost;
}

/** `irate` and `idelta`: the change between the last two points. */
export function lastChange(points: readonly Point[], counter: boolean): number | undefined {
  const [before, last] = points.slice(-2);
  if (!before || !last) return undefined;
  const change = counter && last.value < before.value ? last.value : last.value - before.value;
  return counter ? change / ((last.timeMs - before.timeMs) / 1000) : change;
}
