import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { fastClock } from '../../src/lib/fast-clock.ts';

const { signal } = new AbortController();

describe.each([
  ['the system’s clock', systemClock],
  ['a clock that runs faster', fastClock(20)],
])('%s', (_, clock) => {
  afterEach(() => vi.useRealTimers());

  it.each([-171, 0])('waits not at all for a time of %d ms', async (ms) => {
    await clock.sleep(ms, signal);
    await new Promise<void>((resolve) => clock.after(ms, resolve));
  });

  it.each([20 * 2 ** 31, Number.POSITIVE_INFINITY])('does not take %d ms, longer than timers know, for none', (ms) => {
    vi.useFakeTimers();
    let rung = 0;
    const cancel = clock.after(ms, () => (rung += 1));
    vi.advanceTimersByTime(20 * 24 * 3_600_000);
    expect(rung).toBe(0);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});
