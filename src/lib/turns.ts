import { setImmediate as nextTurn } from 'node:timers/promises';

const turnMs = 8;

/** Work in steps. What it yields says only that others may have their turn; a promise also that it goes on when that is settled. */
export type Steps<Result> = Generator<unknown, Result>;

/** Divides long work into turns, so that everything else gets its own in between. */
export interface Turns {
  /** Called again and again between parts of the work: it lets everything else through when the turn is over. */
  breathe(): Promise<void>;
  /** The result of work that yields between its parts. */
  run<Result>(work: Steps<Result>): Promise<Result>;
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
        if (step.value instanceof Promise) {
          // Whoever yields it looks at what became of it.
          await step.value.catch(() => undefined);
        }
        if (performance.now() >= endsAtMs) await next();
      }
    },
  };
}

/** What is asked of somebody else, as a step of one's own work. Throws where that rejects, and where nobody waits for it: see `atOnce`. */
export function* answered<Answer>(asked: Promise<Answer>): Steps<Answer> {
  let answer: { readonly value: Answer } | { readonly error: unknown } | undefined;
  yield asked.then(
    (value) => (answer = { value }),
    (error: unknown) => (answer = { error }),
  );
  if (!answer) throw new Error('work that others have a part in cannot be done in one go');
  if ('error' in answer) throw answer.error;
  return answer.value;
}

/** The result of work that yields between its parts, all of it in one go. Only where others have no part in it. */
export function atOnce<Result>(work: Steps<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
