import type { ConfigKey, Effect, Moves, PlannedEffect } from './types.ts';

/**
 * What of the world a tick may set. Of several wishes for one slot the last one counts, at its own place in the order: what repairs wanted of
 * the routes, for instance, gives way to where the phase leads the users.
 */
export type Slot =
  | 'canary'
  | 'target'
  | 'replicas'
  | 'scaler'
  | 'primary'
  | 'primary-scaler'
  | 'apex-service'
  | 'primary-service'
  | 'canary-service'
  | 'route'
  | 'release'
  | ConfigKey
  | `former-scaler/${string}`
  | `scaler-before/${string}`;

/** What the effect is for, as far as whoever runs it has to know. */
export interface Purpose {
  /** Absent: nothing that users or pods would notice. */
  readonly moves?: Moves;
  /** Takes all users to the primary: to be done also where the API server refuses something before it. Absent: no. */
  readonly isWayHome?: true;
  /** Makes what users would go home to: where it is refused, they have nowhere to go. Absent: no. */
  readonly isDestination?: true;
}

interface Intent extends Purpose {
  /** Absent: something that is said, which nothing takes the place of. */
  readonly slot?: Slot;
  /** Before all that is not. Absent: in the order in which it was decided. */
  readonly isFirst?: true;
  readonly effect: Effect;
}

/** All that a tick intends so far, in the order in which it was decided. */
export type Intents = Intent[];

export function say(intents: Intents, effect: Effect): void {
  intents.push({ effect });
}

/** Takes the place of what was wanted of this slot before. */
export function want(intents: Intents, slot: Slot, effect: Effect, purpose: Purpose = {}): void {
  leave(intents, slot);
  intents.push({ slot, effect, ...purpose });
}

/** Nothing is wanted of this slot any more. */
export function leave(intents: Intents, slot: Slot): void {
  const index = intents.findIndex((intent) => intent.slot === slot);
  if (index !== -1) intents.splice(index, 1);
}

export function isWanted(intents: Intents, slot: Slot): boolean {
  return intents.some((intent) => intent.slot === slot);
}

/** What `decides` adds comes before everything else. */
export function first(intents: Intents, decides: () => void): void {
  const before = new Set(intents);
  decides();
  for (const [index, intent] of intents.entries())
    if (!before.has(intent)) intents[index] = { ...intent, isFirst: true };
}

/**
 * Lays the intents out in the order in which they are run. What routes traffic looks at changes once in a while: pods that users were just led
 * away from are needed until `settleMs` later.
 */
export function effectsOf(intents: Intents, settleMs: number): readonly PlannedEffect[] {
  const ordered = [...intents.filter(({ isFirst }) => isFirst), ...intents.filter(({ isFirst }) => !isFirst)];
  let haveUsersMoved = false;
  return ordered.map(({ effect, moves = 'nothing', isDestination }, index): PlannedEffect => {
    const mustSettle = haveUsersMoved && moves === 'pods';
    haveUsersMoved ||= moves === 'users';
    const home = isDestination ? undefined : ordered.slice(index + 1).find(({ isWayHome }) => isWayHome)?.effect;
    return {
      ...effect,
      moves,
      ...(mustSettle ? { settleMs } : {}),
      ...(home === undefined ? {} : { ifRefused: home }),
    };
  });
}
