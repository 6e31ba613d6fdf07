import type { Clock } from '../../lib/clock.ts';

const windowMs = 60_000;

/** How busy a program was in the last minute of the clock. */
export interface BusyTime {
  add(ms: number): void;
  /** Of one core. */
  readonly share: () => number;
}

export function createBusyTime(clock: Clock): BusyTime {
  /** Milliseconds of work by the second that it ended in. */
  const seconds = new Map<number, number>();
  const startedMs = clock.now();
  return {
    add(ms) {
      const second = Math.floor(clock.now() / 1_000);
      seconds.set(second, (seconds.get(second) ?? 0) + ms);
      for (const old of seconds.keys()) if (old < second - windowMs / 1_000) seconds.delete(old);
    },
    share() {
      const from = (clock.now() - windowMs) / 1_000;
      const workMs = [...seconds].reduce((sum, [second, ms]) => (second >= from ? sum + ms : sum), 0);
      return workMs / Math.max(1_000, Math.min(windowMs, clock.now() - startedMs));
    },
  };
}
