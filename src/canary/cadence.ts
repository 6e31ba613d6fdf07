import type { Answer, Question } from './types.ts';

/** The last look that asked what a release is judged by. Times by `Clock.elapsed`, so that nobody who sets a clock brings two looks together. */
export interface Judged {
  /** When the last of what it asked was answered, also where it came to no verdict, and of what it led users by was written. */
  readonly endedMs: number;
  /** What it was told, by questionKey, while not all that followed from it is done: the repeated tick goes on with that. */
  readonly answers?: ReadonlyMap<string, Answer>;
}

/** Timers and clocks round. */
const roundedMs = 25;

/** How long no check is due yet; undefined: one is. */
export function restMs(judged: Judged | undefined, intervalMs: number, elapsedMs: number): number | undefined {
  const leftMs = judged === undefined ? 0 : judged.endedMs + intervalMs - elapsedMs;
  return leftMs > roundedMs ? leftMs : undefined;
}

/** What a look that judges asks, and nobody else: such a question is asked once an interval. Gates and calls back are asked at any time. */
export function isJudging(question: Question): boolean {
  switch (question.kind) {
    case 'metric':
      return true;
    case 'hook':
      return question.hook.type === 'rollout' || question.hook.type === 'pre-rollout';
    case 'metrics-online':
    case 'pods':
    case 'endpoints':
      return false;
  }
}
