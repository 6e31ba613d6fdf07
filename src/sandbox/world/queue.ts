import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { messageOf } from '../../lib/errors.ts';

/** Keys waiting for one controller: a key that is added many times is reconciled once. */
export interface Queue {
  readonly add: (key: string) => void;
  /** Adds the key when `ms` have passed; an earlier wish for the same key wins. */
  readonly addAfter: (key: string, ms: number) => void;
  readonly stop: () => void;
}

export interface QueueOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly reconcile: (key: string) => void;
}

const retryMs = 200;
const maxRetries = 8;

export function createQueue({ name, clock, log, reconcile }: QueueOptions): Queue {
  const waiting = new Set<string>();
  const timers = new Map<string, { dueMs: number; cancel: () => void }>();
  const failures = new Map<string, number>();
  let scheduled: NodeJS.Immediate | undefined;
  let stopped = false;

  const run = (key: string): void => {
    try {
      reconcile(key);
      failures.delete(key);
    } catch (error) {
      const failed = (failures.get(key) ?? 0) + 1;
      failures.set(key, failed);
      log?.warn({ controller: name, key, failed, reason: messageOf(error) }, 'sandbox controller could not reconcile');
      if (failed <= maxRetries) queue.addAfter(key, retryMs * 2 ** failed);
    }
  };
  const drain = (): void => {
    scheduled = undefined;
    const keys = [...waiting];
    waiting.clear();
    for (const key of keys) if (!stopped) run(key);
  };
  const queue: Queue = {
    add(key) {
      if (stopped) return;
      waiting.add(key);
      scheduled ??= setImmediate(drain);
    },
    addAfter(key, ms) {
      const dueMs = clock.now() + ms;
      const known = timers.get(key);
      if (stopped || (known && known.dueMs <= dueMs)) return;
      known?.cancel();
      const due = (): void => {
        timers.delete(key);
        queue.add(key);
      };
      timers.set(key, { dueMs, cancel: clock.after(ms, due) });
    },
    stop() {
      stopped = true;
      if (scheduled) clearImmediate(scheduled);
      for (const { cancel } of timers.values()) cancel();
      timers.clear();
      waiting.clear();
    },
  };
  return queue;
}
