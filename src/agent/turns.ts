import { setImmediate as nextTurn } from 'node:timers/promises';

const turnMs = 8;

/** Divides long work into turns: called again and again, it lets everything else through now and then. */
export function createTurns(): () => Promise<void> {
  let endsAtMs = performance.now() + turnMs;
  return async () => {
    if (performance.now() < endsAtMs) return;
    await nextTurn();
    endsAtMs = performance.now() + turnMs;
  };
}
