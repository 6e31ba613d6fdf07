import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `check` holds; fails with what was waited for. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  withinMs = 8_000,
): Promise<void> {
  const deadlineMs = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await sleep(5);
  }
}
