import { setImmediate as nextTurn } from 'node:timers/promises';

const TURN_MS = 8;

/** Divides long work into turns: call it again and again, and now and then it lets everything else through first. */
export type Breathe = () => Promise<void>;

export function createTurns(): Breathe {
  let endsAt = performance.now() + TURN_MS;
  return async () => {
    if (performance.now() < endsAt) return;
    await nextTurn();
    endsAt = performance.now() + TURN_MS;
  };
}
