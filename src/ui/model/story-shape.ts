import type { Unit } from '../../canary/types.ts';

/** Milliseconds since 1970, and a value; null: there is none. */
export type Point = readonly [number, number | null];

/** A time in which nothing is known. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
  readonly cause: string;
}

export interface Panel {
  readonly name: string;
  readonly unit: Unit;
  /** Bounds that the canary is judged by. Absent: none on this side. */
  readonly min?: number;
  readonly max?: number;
  readonly canary: readonly Point[];
  /** Empty: not measured. */
  readonly primary: readonly Point[];
  readonly gaps: readonly Gap[];
}

export interface Marker {
  readonly atMs: number;
  readonly kind: 'began' | 'step' | 'failed' | 'promoted' | 'rolled-back' | 'commit' | 'held';
  readonly text: string;
}

/** A release on one time axis. */
export interface Story {
  readonly fromMs: number;
  readonly toMs: number;
  /** The canary's share of users in percent, from then on. */
  readonly weight: readonly Point[];
  readonly panels: readonly Panel[];
  readonly markers: readonly Marker[];
}
