import type { Effect } from '../canary/types.ts';
import type { TickContext } from './execute.ts';

/**
 * What routes traffic looks at changes once in a while: some proxies every two seconds at most. Pods that users were just led away from are
 * needed until all of them have looked, or requests are lost.
 */
export const settleMs = 2_500;

/** Somebody who was led to pods may be led to others after it. */
export function movesUsers(effect: Effect, { seen }: TickContext): boolean {
  switch (effect.kind) {
    case 'set-route':
    case 'reconcile-route':
      return seen.split !== undefined;
    case 'write':
      return effect.object.kind === 'Service' && effect.over !== undefined;
    default:
      return false;
  }
}

/** Pods go. A paused autoscaler takes them too. */
export function takesPods(effect: Effect): boolean {
  return (
    (effect.kind === 'scale-target' && effect.replicas === 0) ||
    (effect.kind === 'write' && effect.object.kind === 'ScaledObject' && effect.over !== undefined)
  );
}
