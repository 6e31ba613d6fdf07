import { setImmediate as nextTurn } from 'node:timers/promises';

const turnMs = 8;

/** Divides long work into turns, so that everything else gets its own in between. */
export interface Turns {
  /** Called again and again between parts of the work: it lets everything else through when the turn is over. */
  breathe(): Promise<void>;
  /** The result of work that yields between its parts. */
  run<Result>(work: Generator<unknown, Result>): Promise<Result>;
}

export function createTurns(): Turns {
  let endsAtMs = performance.now() + turnMs;
  const next = async (): Promise<void> => {
    await nextTurn();
    endsAtMs = performance.now() + turnMs;
  };
  return {
    async breathe() {
      if (performance.now() >= endsAtMs) await next();
    },
    async run(work) {
      for (;;) {
        const step = work.next();
        if (step.done === true) return step.value;
        if (performance.now() >= endsAtMs) await next();
      }
    },
  };
}

/** The result of work that yields between its parts, all of it in one go. */
export function atOnce<Result>(work: Generator<unknown, Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
