import { expect, it } from 'vitest';
import { boundsOf, failureWaitMs, jittered, nextIntervalMs } from '../../../src/agent/images/schedule.ts';

const minuteMs = 60_000;
const bounds = boundsOf(5 * minuteMs);

it('a list that does not change is asked for more and more rarely, and one that did at once as before', () => {
  const gaps: number[] = [];
  let intervalMs: number | undefined;
  for (let times = 0; times < 8; times += 1) {
    intervalMs = nextIntervalMs(intervalMs, false, bounds);
    gaps.push(intervalMs / minuteMs);
  }
  expect(gaps).toEqual([5, 7.5, 11.25, 16.875, 25.3125, 37.96875, 40, 40]);
  expect(nextIntervalMs(30 * minuteMs, true, bounds)).toBe(5 * minuteMs);
  // The operator has made it shorter, or longer, since.
  expect(nextIntervalMs(30 * minuteMs, false, boundsOf(minuteMs))).toBe(8 * minuteMs);
  expect(nextIntervalMs(minuteMs, false, bounds)).toBe(5 * minuteMs);
});

it('what fails is asked again soon at first, never before the registry wants it, and never much more rarely than what does not change', () => {
  expect([1, 2, 3, 4, 5, 50].map((failures) => failureWaitMs(failures, undefined, bounds) / minuteMs)).toEqual([
    1.25, 2.5, 5, 10, 20, 40,
  ]);
  expect(failureWaitMs(1, 40 * minuteMs, bounds)).toBe(40 * minuteMs);
  expect(failureWaitMs(50, 1_000, bounds)).toBe(40 * minuteMs);
});

it('chance makes an interval shorter by a tenth at most', () => {
  for (const random of [0, 0.3, 0.999]) {
    expect(jittered(1_000, random)).toBeLessThanOrEqual(1_000);
    expect(jittered(1_000, random)).toBeGreaterThanOrEqual(900);
  }
});
