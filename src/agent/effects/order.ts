import type { Effect, PlannedEffect } from '../../canary/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError } from '../../lib/errors.ts';
import type { Effects, TickContext } from './execute.ts';

export interface InOrderOptions {
  readonly clock: Clock;
  readonly effects: Pick<Effects, 'run'> & Partial<Pick<Effects, 'check'>>;
  readonly signal: AbortSignal;
}

/**
 * Runs the effects of a tick one after the other; rejects with the first that fails, and those after it are left. `before` hears of each
 * that is about to be run; absent: nobody does.
 */
export type InOrder = (
  list: readonly PlannedEffect[],
  tick: TickContext,
  before?: (effect: Effect) => void,
) => Promise<void>;

export function createInOrder({ clock, effects, signal }: InOrderOptions): InOrder {
  return async (list, tick, before) => {
    const run = (effect: Effect, context: TickContext): Promise<void> => {
      before?.(effect);
      return effects.run(effect, context, signal);
    };
    let movedMs: number | undefined;
    let isChecked = false;
    for (const effect of list) {
      const { moves, settleMs, ifRefused } = effect;
      if (movedMs !== undefined && settleMs !== undefined)
        await clock.sleep(Math.min(Math.max(movedMs + settleMs - clock.now(), 0), settleMs), signal);
      try {
        if (effect.kind === 'copy-config' && !isChecked) await effects.check?.(list, tick, signal);
        isChecked ||= effect.kind === 'copy-config';
        await run(effect, tick);
      } catch (error) {
        // What the API server refuses, it refuses at the next tick too (an admission policy, a quota), until somebody has mended that.
        if (ifRefused && error instanceof AgentError && error.code === 'CLUSTER_REFUSED')
          // Both fail for a reason; the first one is what a person has to mend.
          await run(ifRefused, tick).catch(() => undefined);
        throw error;
      }
      if (moves === 'users') movedMs = clock.now();
    }
  };
}
