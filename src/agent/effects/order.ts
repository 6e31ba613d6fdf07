import { serviceName } from '../../canary/services.ts';
import type { Effect } from '../../canary/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError } from '../../lib/errors.ts';
import type { Effects, TickContext } from './execute.ts';
import { movesUsers, settleMs, takesPods } from './settle.ts';

export interface InOrderOptions {
  readonly clock: Clock;
  readonly effects: Pick<Effects, 'run'> & Partial<Pick<Effects, 'check'>>;
  readonly signal: AbortSignal;
}

/** Runs the effects of a tick one after the other; rejects with the first that fails, and those after it are left. */
export type InOrder = (list: readonly Effect[], tick: TickContext) => Promise<void>;

export function createInOrder({ clock, effects, signal }: InOrderOptions): InOrder {
  const run = (effect: Effect, tick: TickContext): Promise<void> => effects.run(effect, tick, signal);

  return async (list, tick) => {
    let movedMs: number | undefined;
    let isChecked = false;
    for (const [index, effect] of list.entries()) {
      if (movedMs !== undefined && takesPods(effect))
        await clock.sleep(Math.min(Math.max(movedMs + settleMs - clock.now(), 0), settleMs), signal);
      try {
        if (effect.kind === 'copy-config' && !isChecked) await effects.check?.(list, tick, signal);
        isChecked ||= effect.kind === 'copy-config';
        await run(effect, tick);
      } catch (error) {
        const home = wayHome(list.slice(index + 1), effect, tick, error);
        // Both fail for a reason; the first one is what a person has to mend.
        if (home) await run(home, tick).catch(() => undefined);
        throw error;
      }
      if (movesUsers(effect, tick)) movedMs = clock.now();
    }
  };
}

/**
 * What the API server refuses, it refuses at the next tick too (an admission policy, a quota): users who were to go home must not wait
 * until somebody has mended that. Undefined: nobody was to, or what was refused is where they would go.
 */
function wayHome(left: readonly Effect[], refused: Effect, { spec }: TickContext, error: unknown): Effect | undefined {
  if (!(error instanceof AgentError) || error.code !== 'CLUSTER_REFUSED') return undefined;
  const isDestination =
    refused.kind === 'write' &&
    refused.over === undefined &&
    refused.object.kind === 'Service' &&
    refused.object.metadata.name === serviceName(spec, 'primary');
  if (isDestination) return undefined;
  return left.find((effect) => effect.kind === 'set-route' && effect.split.canaryWeight === 0 && !effect.split.mirror);
}
