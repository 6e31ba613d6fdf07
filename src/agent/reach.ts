import { deciding, wakes } from '../canary/decide.ts';
import { gatesOf } from '../canary/gates.ts';
import { type Answer, type DecideSettings, type Decision, questionKey, type Step } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { createAsking } from './asking.ts';
import type { Deps } from './deps.ts';
import type { TickContext } from './execute.ts';
import { interrupted, interruptibly } from './interrupt.ts';
import type { Memory } from './memory.ts';
import { type Observed, observe } from './observe.ts';
import type { Releases } from './releases.ts';
import type { Views } from './views.ts';
import type { KeysFor } from './waking.ts';

export interface ReachOptions {
  readonly deps: Deps;
  readonly views: Views;
  readonly releases: Releases;
  readonly desiredReplicas: (namespace: string, target: string) => number | undefined;
  readonly keysFor: KeysFor;
  readonly decideSettings: DecideSettings;
  readonly signal: AbortSignal;
}

/** What a tick came to, and the world that it was decided in. */
export interface Reached {
  readonly decision: Decision;
  readonly tick: TickContext;
}

/** Reaches the decision of a tick. Undefined: nothing is due, or what has come up meanwhile is looked at first. */
export type Reach = (
  context: Pick<TickContext, 'spec' | 'status' | 'router'> & { readonly canary: KubeObject },
  memory: Memory,
) => Promise<Reached | undefined>;

const sameWorldMs = 250;

interface Look {
  readonly observed: Observed;
  readonly changes: number;
  readonly goOn: () => Step;
}

export function createReach({
  deps,
  views,
  releases,
  desiredReplicas,
  keysFor,
  decideSettings,
  signal,
}: ReachOptions): Reach {
  const { clock, settings } = deps;
  const ask = createAsking(deps, views);
  return async ({ spec, status, router, canary }, memory) => {
    const key = `${spec.namespace}/${spec.name}`;
    const answers = new Map<string, Answer>();
    const leftMs = memory.dueAtMs - clock.now();
    // More than an interval ahead is only a clock that was set back: nobody waits until it has caught up.
    const isEarly = leftMs > 0 && leftMs <= spec.analysis.intervalMs && !memory.gateOpened;
    let last: Look | undefined;
    for (let round = 0; ; round += 1) {
      const { changesMeanwhile: changes } = memory;
      // An answer that came at once finds the same world as its question.
      const isFresh = last?.changes === changes && clock.now() - last.observed.seen.nowMs < sameWorldMs;
      if (!last || !isFresh) {
        const observed = await observe({
          views,
          settings,
          router,
          canary,
          spec,
          nowMs: clock.now(),
          desiredReplicas: desiredReplicas(spec.namespace, spec.target.name),
          heldSinceMs: memory.heldSinceMs,
          lastFailedCheck: releases.lastFailedCheck(key),
          isRejected: releases.isRejected(canary, status),
          isPromoted: releases.isPromoted(canary, status),
          isReplaced: releases.isReplaced(canary, status),
          isSuspensionTold: memory.suspensionTold,
          answers,
          noteConfigs: (configs) => keysFor.noteConfigs(key, configs),
        });
        last = { observed, changes, goOn: deciding(spec, status, observed.seen, decideSettings) };
      }
      const { seen, route, liveRoutes } = last.observed;
      // What woke it may be its own last step: the cadence of the analysis is never accelerated.
      if (round === 0) {
        if (isEarly && !wakes(spec, status, seen, decideSettings)) return undefined;
        memory.gates = gatesOf(canary);
        memory.gateOpened = false;
      }
      const step = last.goOn();
      if (step.kind === 'done')
        return { decision: step.decision, tick: { spec, status, seen, router, route, liveRoutes } };
      const answer = await interruptibly(memory, signal, (stop) => ask(step.question, { canary, spec, status }, stop));
      // What has come up meanwhile needs no answer: the next tick looks at it before it asks anybody.
      if (answer === interrupted) return undefined;
      answers.set(questionKey(step.question), answer);
    }
  };
}
