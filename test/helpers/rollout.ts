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
  type Evidence,
  type Question,
  questionKey,
  type Seen,
} from '../../src/canary/types.ts';
import { isJudging } from '../../src/canary/cadence.ts';
import { lastFailedCheckOf } from '../../src/canary/evidence.ts';
import {
  afterAnswer,
  afterDecision,
  afterEffects,
  afterTick,
  type Beginning,
  beforeEffect,
  beginningOf,
  isLedOn,
  nothingRemembered,
  seenOfMemory,
} from '../../src/canary/tick-memory.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import { isRecord } from '../../src/lib/json.ts';
import { perObject } from '../../src/lib/memo.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
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
  let lastShown: Shown = {};
  let memory = nothingRemembered;
  /** Also of a tick that came to its end. */
  let ledTo: number | undefined;
  let written: CanaryStatus | undefined;
  let evidence: readonly Evidence[] = [];
  const parsed = perObject((canary: KubeObject) => parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 }));
  const spec = () => parsed(world.canary);
  const beginning = (): Beginning => beginningOf(memory, spec().analysis.intervalMs, world.nowMs);
  const seen = (answers: ReadonlyMap<string, Answer>, restMs: number | undefined): Seen => {
    // Whoever takes its status away tells of one that could not be written.
    const isTakenAway = written !== undefined && !isDeepStrictEqual(written, parseStatus(world.canary));
    const lastFailedCheck = lastFailedCheckOf(evidence);
    return {
      ...world.see(),
      answers,
      ...seenOfMemory(isTakenAway ? { ...memory, ledTo } : memory),
      ...(restMs === undefined ? {} : { restMs }),
      ...(lastFailedCheck === undefined ? {} : { lastFailedCheck }),
    };
  };

  const rollout: Rollout = {
    ticks,
    get status() {
      return parseStatus(world.canary);
    },
    tick() {
      const before = parseStatus(world.canary);
      const { answers: begun, leftMs } = beginning();
      const isRepeated = begun !== undefined && !isLedOn(memory, spec(), before, world.see().split);
      const answers = new Map<string, Answer>(isRepeated ? begun : []);
      const restMs = isRepeated ? undefined : leftMs;
      const judging = new Map(answers);
      const asked: Question[] = [];
      let decision: Decision | undefined;
      const goOn = deciding(spec(), before, seen(answers, restMs), applied);
      while (!decision) {
        const step = goOn();
        const anew = decide(spec(), before, seen(answers, restMs), applied);
        if (!isDeepStrictEqual(step, anew)) throw new Error('to go on gives another decision than to begin anew');
        if (step.kind === 'done') decision = step.decision;
        else {
          const key = questionKey(step.question);
          if (answers.has(key)) throw new Error('asked twice');
          asked.push(step.question);
          const told = answer(step.question);
          answers.set(key, told);
          if (!isJudging(step.question)) continue;
          judging.set(key, told);
          memory = afterAnswer(memory, world.nowMs, isRepeated ? judging : undefined);
        }
      }
      dueMs = world.nowMs + decision.nextTickMs;
      memory = afterDecision(memory, decision, world.nowMs, { judging, isRepeated });
      if (decision.evidence && !isRepeated) evidence = [...evidence, decision.evidence];
      const done: Effect[] = [];
      try {
        for (const [index, effect] of decision.effects.entries()) {
          onEffect?.(effect, index);
          memory = beforeEffect(memory, effect);
          ledTo = memory.ledTo ?? ledTo;
          world.apply(effect);
          done.push(effect);
          if (effect.kind === 'begin-release') evidence = [];
        }
        memory = afterEffects(memory, spec());
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
      memory = afterTick(memory, decision, world.nowMs);
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
        const shown: Shown = {
          ...state,
          configs: [...state.configs].flat(),
          readByOthers: [...(state.readByOthers ?? [])],
        };
        // Most seconds change nothing, and then the objects are the same, or their text is without its keys being sorted.
        const text = isSame(shown, lastShown) ? lastText : JSON.stringify(shown);
        const snapshot = text === lastText ? lastSeen : canonicalJson(shown);
        const changed = snapshot !== lastSeen;
        [lastShown, lastText, lastSeen] = [shown, text, snapshot];
        if (
          world.nowMs >= dueMs ||
          (changed && needsTickNow(spec(), parseStatus(world.canary), seen(new Map(), beginning().leftMs), applied))
        )
          rollout.tick();
      }
      // The second that the loop stopped in has not begun.
      world.nowMs = untilMs;
    },
  };
  return rollout;
}

type Shown = Readonly<Record<string, unknown>>;

/** All members are the same objects, or hold the same ones. Nobody changes an object in its place. */
function isSame(now: Shown, before: Shown): boolean {
  const names = Object.keys(now);
  return names.length === Object.keys(before).length && names.every((name) => holdsSame(now[name], before[name]));
}

function holdsSame(now: unknown, before: unknown): boolean {
  if (Object.is(now, before)) return true;
  if (Array.isArray(now) && Array.isArray(before))
    return now.length === before.length && now.every((item, index) => Object.is(item, before[index]));
  if (!isRecord(now) || !isRecord(before)) return false;
  const names = Object.keys(now);
  return names.length === Object.keys(before).length && names.every((name) => Object.is(now[name], before[name]));
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
