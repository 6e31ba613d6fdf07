import type { Clock } from '../lib/clock.ts';

/** How much one registry is asked. */
export interface PaceSettings {
  /** Requests that may go at once after a pause. */
  readonly burst: number;
  readonly perSecond: number;
}

/** One registry's turns: a request goes when there is room for it, and none while the registry asks for a pause. */
export interface Pace {
  /** Waits for a turn. The milliseconds that the registry still wants no requests, where it does; then nothing was waited for. */
  turn(signal: AbortSignal): Promise<number | undefined>;
  /** The registry refused a request, because there were too many: half as many from now on, and none for so long. */
  refused(pauseMs: number): void;
}

const minPerSecond = 0.1;
const recoveryMs = 20 * 60_000;
const maxPauseMs = 60 * 60_000;
/** Where the registry does not say for how long. */
export const usualPauseMs = 60_000;

export function createPace({ burst, perSecond }: PaceSettings, clock: Clock): Pace {
  let rate = perSecond;
  let room = burst;
  let countedAtMs = clock.elapsed();
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  const count = (): void => {
    const nowMs = clock.elapsed();
    // It was full speed that was too much: after a while it is tried in steps.
    if (rate < perSecond && nowMs - refusedAtMs >= recoveryMs) {
      rate = Math.min(perSecond, rate * 1.5);
      refusedAtMs = nowMs;
    }
    room = Math.min(burst, room + ((nowMs - countedAtMs) / 1_000) * rate);
    countedAtMs = nowMs;
  };
  return {
    async turn(signal) {
      count();
      const leftMs = pausedUntilMs - clock.elapsed();
      if (leftMs > 0) return leftMs;
      // Those that wait before it have taken their room already.
      room -= 1;
      if (room < 0) await clock.sleep((-room / rate) * 1_000, signal);
      return undefined;
    },
    refused(pauseMs) {
      count();
      rate = Math.max(minPerSecond, rate / 2);
      room = Math.min(room, 1);
      refusedAtMs = clock.elapsed();
      pausedUntilMs = Math.max(pausedUntilMs, refusedAtMs + Math.min(Math.max(pauseMs, 1_000), maxPauseMs));
    },
  };
}
