import type { ObjectRef } from './types.ts';

/** What a unit waits for before something of it is applied that was not applied so far. */
export interface UnitNeed {
  /** The unit, as `unitOf` names it. */
  readonly unit: string;
  /** For people: `Kustomization flux-system/infra`. */
  readonly name: string;
  /** Of which objects it matters whether they are ready, once all are applied: of all that the unit makes, or of these. */
  readonly checks: 'all' | readonly ObjectRef[];
}

/** When a unit that was changed is as it is meant to be. */
export interface UnitHealth {
  /** For people: `Kustomization flux-system/infra`. */
  readonly name: string;
  /** Of which objects it matters whether they are ready: of all that the unit makes, or of these. */
  readonly checks: 'all' | readonly ObjectRef[];
  /** So long they may take. */
  readonly timeoutMs: number;
}

/** By unit. */
export type UnitHealths = ReadonlyMap<string, UnitHealth>;

/** By unit. */
export type UnitNeeds = ReadonlyMap<string, readonly UnitNeed[]>;
