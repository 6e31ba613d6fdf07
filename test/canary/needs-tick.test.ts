import { describe, expect, it } from 'vitest';
import { decide, needsTickNow } from '../../src/canary/decide.ts';
import type { CanaryStatus, Seen } from '../../src/canary/types.ts';
import { planOf, play } from '../model/history.ts';

type Step = ReturnType<typeof decide>;

/** Plays random histories; `check` hears of every look, whether it could not have waited for the interval, and what came of it. */
function everyLook(
  check: (seed: number, isUrgent: boolean, step: Step, status: CanaryStatus, seen: Seen) => void,
): void {
  for (let seed = 1; seed <= 80; seed += 1) {
    play(planOf(seed), {
      decide(spec, status, seen, settings) {
        const isUrgent = needsTickNow(spec, status, { ...seen, answers: new Map() }, settings);
        const step = decide(spec, status, seen, settings);
        check(seed, isUrgent, step, status, seen);
        return step;
      },
    });
  }
}

describe('a tick before its time', () => {
  it('comes only where it has something to do', () => {
    let urgent = 0;
    everyLook((seed, isUrgent, step, { phase }) => {
      if (!isUrgent || step.kind === 'ask') return;
      urgent += 1;
      const { effects, status } = step.decision;
      const isIdle = effects.length === 0 && status === undefined;
      expect({ seed, phase, isIdle }).toEqual({ seed, phase, isIdle: false });
    });
    expect(urgent).toBeGreaterThan(200);
  });

  it('comes whenever users are to be led home who cannot stay, and never for a step of the analysis', () => {
    const found = { home: 0, step: 0 };
    everyLook((seed, isUrgent, step, { phase, canaryWeight }, { split, target, isUnapplied }) => {
      if (step.kind === 'ask' || (phase !== 'Progressing' && phase !== 'WaitingPromotion') || !split || !target) return;
      if (isUnapplied) return;
      const route = step.decision.effects.find(({ kind }) => kind === 'set-route');
      if (route?.kind !== 'set-route' || route.everyone) return;
      const hasBegunAnew = step.decision.effects.some(({ kind }) => kind === 'begin-release');
      if (hasBegunAnew && route.split.canaryWeight < split.canaryWeight) {
        found.home += 1;
        expect({ seed, isUrgent }).toEqual({ seed, isUrgent: true });
      } else if (canaryWeight === split.canaryWeight && route.split.canaryWeight > canaryWeight) {
        found.step += 1;
        expect({ seed, isUrgent }).toEqual({ seed, isUrgent: false });
      }
    });
    expect(found.home).toBeGreaterThan(3);
    expect(found.step).toBeGreaterThan(50);
  });
});
