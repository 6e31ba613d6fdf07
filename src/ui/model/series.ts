import type { Change } from '../feed.ts';
import type { Point } from './story-shape.ts';

/** What was measured of an app lately, beside what its looks tell. Bounded. */
export interface Series {
  readonly weight: readonly Point[];
  /** By metric. */
  readonly canary: ReadonlyMap<string, readonly Point[]>;
  readonly primary: ReadonlyMap<string, readonly Point[]>;
}

export interface SeriesRing {
  take(change: Extract<Change, { kind: 'measured' | 'looked' }>): void;
  readonly series: Series;
}

const most = { points: 720, metrics: 12 } as const;

/** Keeps the last points of one app. */
export function createSeriesRing(): SeriesRing {
  const weight: Point[] = [];
  const canary = new Map<string, Point[]>();
  const primary = new Map<string, Point[]>();
  const push = (points: Point[], point: Point): void => {
    points.push(point);
    // Seldom, so that a full ring costs nothing at each point.
    if (points.length > most.points * 1.25) points.splice(0, points.length - most.points);
  };
  const into = (side: Map<string, Point[]>, metric: string, point: Point): void => {
    const points = side.get(metric);
    if (points) push(points, point);
    else if (side.size < most.metrics) side.set(metric, [point]);
  };
  return {
    take(change) {
      if (change.kind === 'looked') push(weight, [change.atMs, change.weight]);
      else {
        into(canary, change.metric, [change.atMs, change.value]);
        if (change.baseline !== undefined) into(primary, change.metric, [change.atMs, change.baseline]);
      }
    },
    series: { weight, canary, primary },
  };
}
