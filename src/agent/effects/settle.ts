import type { Effect } from '../../canary/types.ts';
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
    case 'restore-route':
      return seen.split !== undefined;
    case 'write':
      return effect.object.kind === 'Service' && effect.over !== undefined;
    default:
      return false;
  }
}

/** Pods go. A paused autoscaler takes them too, and so does a Canary that is let go. */
export function takesPods(effect: Effect): boolean {
  if (effect.kind === 'scale-target') return effect.replicas === 0;
  if (effect.kind !== 'write') return false;
  const { object, over } = effect;
  const isLetGo = object.kind === 'Canary' && object.metadata.deletionTimestamp !== undefined;
  return isLetGo || (object.kind === 'ScaledObject' && over !== undefined);
}
