import type { Clock } from '../../src/lib/clock.ts';

/** Time that passes as soon as somebody waits. */
export function skippingClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.UTC(2026, 0, 1),
    elapsed: () => 0,
    sleep: async (ms, stop) => {
      stop.throwIfAborted();
      waits.push(ms);
    },
    after: () => () => undefined,
  };
}
