import { deciding, needsTickNow } from '../../canary/decide.ts';
import { approvalTextOf, gatesOf } from '../../canary/gates.ts';
import { type Answer, type DecideSettings, type Decision, questionKey, type Step } from '../../canary/types.ts';
import type { Outlets } from '../../outlets/outlet.ts';
import { createAnswerer } from './answer.ts';
import { isJudging } from '../../canary/cadence.ts';
import { afterAnswer, beginningOf, isLedOn } from '../../canary/tick-memory.ts';
import type { Deps } from '../deps.ts';
import type { TickContext } from '../effects/execute.ts';
import { interrupted, interruptibly } from './interrupt.ts';
import type { Memory } from './memory.ts';
import type { Look, Subject } from './look.ts';
import type { Observed } from './observe.ts';
import type { GitView } from '../views/git-view.ts';
import type { Views } from '../views/views.ts';

export interface TickRunnerOptions {
  readonly deps: Deps;
  readonly views: Views;
  /** Told of what is measured. */
  readonly outlets: Pick<Outlets, 'tell'>;
  readonly look: Look;
  readonly git: Pick<GitView, 'desiredReplicas'>;
  readonly decideSettings: DecideSettings;
  readonly signal: AbortSignal;
}

/** What a tick came to, and the world that it was decided in. */
export interface TickResult {
  readonly decision: Decision;
  readonly tick: TickContext;
  /** By which the release was judged, by questionKey. */
  readonly judging: ReadonlyMap<string, Answer>;
  /** The release was judged in a tick that came to no end, and this one goes on with it. */
  readonly isRepeated: boolean;
}

/** Reaches the decision of a tick. Undefined: nothing is due, or what has come up meanwhile is looked at first. */
export type RunTick = (subject: Subject, memory: Memory) => Promise<TickResult | undefined>;

const sameWorldMs = 250;

interface World {
  readonly observed: Observed;
  readonly changes: number;
  readonly goOn: () => Step;
}

export function createTickRunner({
  deps,
  views,
  outlets,
  look,
  git,
  decideSettings,
  signal,
}: TickRunnerOptions): RunTick {
  const { clock } = deps;
  const ask = createAnswerer(deps, views, outlets);
  return async ({ spec, status, router, canary }, memory) => {
    const { intervalMs } = spec.analysis;
    const beginning = beginningOf(memory, intervalMs, clock.elapsed());
    let begun = beginning.answers;
    const judging = new Map(begun);
    const answers = new Map(begun);
    const { gateOpened: isGateOpened } = memory;
    const leftMs = memory.dueAtMs - clock.now();
    // More than an interval ahead is only a clock that was set back: nobody waits until it has caught up.
    const isEarly = leftMs > 0 && leftMs <= intervalMs && !isGateOpened;
    let last: World | undefined;
    for (let round = 0; ; round += 1) {
      const { changesMeanwhile: changes } = memory;
      // An answer that came at once finds the same world as its question.
      const isFresh = last?.changes === changes && clock.now() - last.observed.seen.nowMs < sameWorldMs;
      if (!last || !isFresh) {
        const subject = { canary, spec, status, router };
        const ofTick = {
          answers,
          desiredReplicas: git.desiredReplicas(spec.namespace, spec.target.name),
          restMs: begun ? undefined : beginning.leftMs,
          isGateOpened,
        };
        const observed = await look(subject, memory, clock.now(), ofTick);
        if (begun && isLedOn(memory, spec, status, observed.seen.split)) {
          begun = undefined;
          judging.clear();
          answers.clear();
          round -= 1;
          continue;
        }
        last = { observed, changes, goOn: deciding(spec, status, observed.seen, decideSettings) };
      }
      const { seen, route, liveRoutes } = last.observed;
      // What woke it may be its own last step: the cadence of the analysis is never accelerated.
      if (round === 0) {
        if (isEarly && !needsTickNow(spec, status, seen, decideSettings)) return undefined;
        memory.gates = gatesOf(canary);
        memory.approval = approvalTextOf(canary);
        memory.gateOpened = false;
      }
      const step = last.goOn();
      if (step.kind === 'done') {
        const tick = { spec, status, seen, router, route, liveRoutes, epoch: memory.epoch };
        return { decision: step.decision, tick, judging, isRepeated: begun !== undefined };
      }
      const answer = await interruptibly(memory, signal, (stop) => ask(step.question, { canary, spec, status }, stop));
      // What has come up meanwhile needs no answer: the next tick looks at it before it asks anybody.
      if (answer === interrupted) return undefined;
      const asked = questionKey(step.question);
      answers.set(asked, answer);
      if (!isJudging(step.question)) continue;
      judging.set(asked, answer);
      Object.assign(memory, afterAnswer(memory, clock.elapsed(), begun && judging));
    }
  };
}
