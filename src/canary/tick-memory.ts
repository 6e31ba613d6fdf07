import { type Judged, restMs } from './cadence.ts';
import type { Answer, CanarySpec, CanaryStatus, Decision, Effect, Seen, TrafficSplit } from './types.ts';

/**
 * What is remembered of a canary from tick to tick, by whoever runs `decide`. All of it may be lost with the agent; what that does stands at
 * each member. What must not get lost stands in the status and in the release's record.
 */
export interface TickMemory {
  /** The last look that judged. Absent: none is known. A new agent takes it from the status: a look that counted has changed that. */
  readonly judged: Judged | undefined;
  /** A tick has come to its end. */
  readonly hasEnded: boolean;
  /** The canary's share that a tick gave which came to no end. Lost with the agent, a route that is one step ahead of the status is believed. */
  readonly ledTo: number | undefined;
  /** It has been said that it stands still on request. A new agent says it once more: whoever suspends a Canary may forget that. */
  readonly suspensionTold: boolean;
}

export const nothingRemembered: TickMemory = {
  judged: undefined,
  hasEnded: false,
  ledTo: undefined,
  suspensionTold: false,
};

/** What the core is told of it. */
export function seenOfMemory({
  ledTo,
  hasEnded,
  suspensionTold,
}: TickMemory): Pick<Seen, 'ledTo' | 'isFirstLook' | 'isSuspensionTold'> {
  return {
    ...(ledTo === undefined ? {} : { ledTo }),
    ...(hasEnded ? {} : { isFirstLook: true }),
    ...(suspensionTold ? { isSuspensionTold: true } : {}),
  };
}

export interface Beginning {
  /** Until a check is due. Absent: it is. */
  readonly leftMs: number | undefined;
  /** What a tick was told that came to no end: it is repeated with them, whatever is left. Absent: there is none such. */
  readonly answers: ReadonlyMap<string, Answer> | undefined;
}

/** How a tick begins. Times by `Clock.elapsed`. */
export function beginningOf({ judged }: TickMemory, intervalMs: number, elapsedMs: number): Beginning {
  const leftMs = restMs(judged, intervalMs, elapsedMs);
  return { leftMs, answers: leftMs === undefined ? undefined : judged?.answers };
}

/** The step that followed from the answers is taken, and its status alone got lost: the share that users have now is judged by others. */
export function isLedOn(
  { ledTo }: TickMemory,
  { analysis: { strategy } }: CanarySpec,
  { canaryWeight }: CanaryStatus,
  split: TrafficSplit | undefined,
): boolean {
  if (strategy.kind !== 'canary' || ledTo === undefined) return false;
  return ledTo > canaryWeight && split?.canaryWeight === ledTo;
}

/** A question that judges has been answered. `answers`: all such of a tick that is repeated. */
export function afterAnswer(
  memory: TickMemory,
  elapsedMs: number,
  answers: ReadonlyMap<string, Answer> | undefined,
): TickMemory {
  // Where nothing comes of it, as of a canary that has lost its pods meanwhile, it is still asked once an interval.
  return { ...memory, judged: { endedMs: elapsedMs, ...(answers ? { answers } : {}) } };
}

/** A tick has decided, and nothing is done yet. `judging`: the answers that it judged by. */
export function afterDecision(
  memory: TickMemory,
  { isJudged }: Decision,
  elapsedMs: number,
  { judging, isRepeated }: { readonly judging: ReadonlyMap<string, Answer>; readonly isRepeated: boolean },
): TickMemory {
  return isJudged && !isRepeated ? { ...memory, judged: { endedMs: elapsedMs, answers: judging } } : memory;
}

/** An effect is about to be run: whether it comes to its end or not, users may be where it leads them. */
export function beforeEffect(memory: TickMemory, effect: Effect): TickMemory {
  return effect.kind === 'set-route' ? { ...memory, ledTo: effect.split.canaryWeight } : memory;
}

/** All effects are done, and only the status is to be written. */
export function afterEffects(memory: TickMemory, { suspend }: CanarySpec): TickMemory {
  return { ...memory, suspensionTold: suspend };
}

/** The status is written. Users are judged where they are led to since `endedMs`. */
export function afterTick(memory: TickMemory, { isJudged, effects }: Decision, endedMs: number): TickMemory {
  // A new release has not been judged yet.
  const isNew = effects.some(({ kind }) => kind === 'begin-release');
  const before = memory.judged && { endedMs: memory.judged.endedMs };
  return {
    ...memory,
    ledTo: undefined,
    hasEnded: true,
    judged: isNew ? undefined : isJudged ? { endedMs } : before,
  };
}
