import { isDeepStrictEqual } from 'node:util';
import { decide, deciding, needsTickNow } from '../../src/canary/decide.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus, renderStatus } from '../../src/canary/status.ts';
import {
  type Answer,
  type CanaryStatus,
  type Decision,
  type DecideSettings,
  type Effect,
  type FailedCheck,
  type Question,
  questionKey,
  type Seen,
} from '../../src/canary/types.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import { ClusterFailure, type ModelCluster } from './model-cluster.ts';

export const decideSettings: DecideSettings = {
  selectorLabels: ['app', 'name', 'app.kubernetes.io/name'],
  includeLabelPrefix: [],
  configTracking: true,
};

export interface TickRecord {
  readonly atMs: number;
  readonly before: CanaryStatus;
  readonly status: CanaryStatus;
  readonly effects: readonly Effect[];
  readonly asked: readonly Question[];
  readonly decision: Decision;
}

export interface RolloutOptions {
  readonly world: Pick<ModelCluster, 'canary' | 'nowMs' | 'see' | 'apply'>;
  readonly answer: (question: Question) => Answer;
  /** Over the usual settings. */
  readonly settings?: Partial<DecideSettings>;
  /** Called before an effect runs; may throw as a cluster would. */
  readonly onEffect?: (effect: Effect, index: number) => void;
}

/** Drives `decide` as the agent does: ticks at the interval, sooner where a change wakes it, effects in order, then the status. */
export interface Rollout {
  readonly ticks: readonly TickRecord[];
  readonly status: CanaryStatus;
  tick(): TickRecord | undefined;
  /** Lets time pass in seconds. */
  run(untilMs: number): void;
}

export function createRollout({ world, answer, onEffect, settings = {} }: RolloutOptions): Rollout {
  const ticks: TickRecord[] = [];
  const applied = { ...decideSettings, ...settings };
  let dueMs = world.nowMs;
  let lastSeen = '';
  let lastText = '';
  let ledTo: number | undefined;
  let written: CanaryStatus | undefined;
  let judgedMs = Number.NEGATIVE_INFINITY;
  let lastFailedCheck: FailedCheck | undefined;
  let isSuspensionTold = false;
  const spec = () => parseCanary(world.canary, { provider: 'traefik', minIntervalMs: 10_000 });
  const restMs = (): number => judgedMs + spec().analysis.intervalMs - world.nowMs;
  const seen = (answers: ReadonlyMap<string, Answer>): Seen => ({
    ...world.see(),
    answers,
    // Whoever takes its status away tells of one that could not be written.
    ...(ledTo === undefined || isDeepStrictEqual(written, parseStatus(world.canary)) ? {} : { ledTo }),
    ...(written ? {} : { isFirstLook: true }),
    ...(restMs() > 0 ? { restMs: restMs() } : {}),
    ...(lastFailedCheck === undefined ? {} : { lastFailedCheck }),
    ...(isSuspensionTold ? { isSuspensionTold } : {}),
  });

  const rollout: Rollout = {
    ticks,
    get status() {
      return parseStatus(world.canary);
    },
    tick() {
      const before = parseStatus(world.canary);
      const answers = new Map<string, Answer>();
      const asked: Question[] = [];
      let decision: Decision | undefined;
      const goOn = deciding(spec(), before, seen(answers), applied);
      while (!decision) {
        const step = goOn();
        const anew = decide(spec(), before, seen(answers), applied);
        if (!isDeepStrictEqual(step, anew)) throw new Error('to go on gives another decision than to begin anew');
        if (step.kind === 'done') decision = step.decision;
        else {
          if (answers.has(questionKey(step.question))) throw new Error('asked twice');
          asked.push(step.question);
          answers.set(questionKey(step.question), answer(step.question));
        }
      }
      dueMs = world.nowMs + decision.nextTickMs;
      if (decision.isJudged) judgedMs = world.nowMs;
      const failed = decision.evidence?.checks.find(({ passed, inconclusive }) => !passed && inconclusive !== 'hold');
      if (failed) lastFailedCheck = { name: failed.name, found: failed.found };
      const done: Effect[] = [];
      try {
        for (const [index, effect] of decision.effects.entries()) {
          onEffect?.(effect, index);
          if (effect.kind === 'set-route') ledTo = effect.split.canaryWeight;
          world.apply(effect);
          done.push(effect);
          if (effect.kind !== 'begin-release') continue;
          lastFailedCheck = undefined;
          judgedMs = Number.NEGATIVE_INFINITY;
        }
        isSuspensionTold = spec().suspend;
      } catch (error) {
        if (!(error instanceof ClusterFailure)) throw error;
        ticks.push({ atMs: world.nowMs, before, status: before, effects: done, asked, decision });
        return undefined;
      }
      if (decision.status)
        world.canary = {
          ...world.canary,
          status: mergePatch(world.canary['status'], renderStatus(decision.status, before)),
        };
      written = parseStatus(world.canary);
      for (const effect of decision.afterwards) {
        if (effect.kind === 'call-hook') {
          const said = answer({ kind: 'hook', hook: effect.hook, phase: effect.phase });
          const message =
            said.kind === 'passed'
              ? `Post-rollout check ${effect.hook.name} passed`
              : `Post-rollout hook ${effect.hook.name} failed`;
          done.push({ kind: 'event', event: { type: 'Normal', level: 'info', message } });
        } else {
          world.apply(effect);
          done.push(effect);
        }
      }
      const record = { atMs: world.nowMs, before, status: parseStatus(world.canary), effects: done, asked, decision };
      ticks.push(record);
      return record;
    },
    run(untilMs) {
      for (; world.nowMs <= untilMs; world.nowMs += 1_000) {
        const { nowMs: _now, ...state } = world.see();
        const shown = { ...state, configs: [...state.configs], readByOthers: [...(state.readByOthers ?? [])] };
        // Most seconds change nothing, and then the text is the same without its keys being sorted.
        const text = JSON.stringify(shown);
        const snapshot = text === lastText ? lastSeen : canonicalJson(shown);
        const changed = snapshot !== lastSeen;
        [lastText, lastSeen] = [text, snapshot];
        if (
          world.nowMs >= dueMs ||
          (changed && needsTickNow(spec(), parseStatus(world.canary), seen(new Map()), applied))
        )
          rollout.tick();
      }
      // The second that the loop stopped in has not begun.
      world.nowMs = untilMs;
    },
  };
  return rollout;
}

function mergePatch(target: unknown, patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else if (typeof value === 'object' && !Array.isArray(value))
      merged[name] = mergePatch(merged[name], value as Record<string, unknown>);
    else merged[name] = value;
  }
  return merged;
}
