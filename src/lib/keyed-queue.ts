import type { Clock } from './clock.ts';

export interface KeyedQueueOptions<Key extends string = string> {
  readonly clock: Clock;
  /** How many keys run at the same time. */
  readonly concurrency: number;
  readonly run: (key: Key) => Promise<void>;
  /** Called when `run` rejects; the key is not repeated by itself. */
  readonly onError: (key: Key, error: unknown) => void;
}

/** Work by key: a key never runs twice at once, is queued at most once, and different keys run side by side. */
export interface KeyedQueue<Key extends string = string> {
  /** As soon as possible; if the key runs now, once more afterwards. Its timer is left alone. */
  add(key: Key): void;
  /** Not before `atMs`; replaces an earlier timer of the key. Due times are coalesced to 50 ms. */
  addAt(key: Key, atMs: number): void;
  /** Forgets timer and place in the queue; what runs now runs to its end. */
  forget(key: Key): void;
  readonly length: number;
  /** Takes no more work and waits for what runs. */
  stop(): Promise<void>;
}

const coalesceMs = 50;

export function createKeyedQueue<Key extends string = string>({
  clock,
  concurrency,
  run,
  onError,
}: KeyedQueueOptions<Key>): KeyedQueue<Key> {
  const waiting = new Set<Key>();
  const running = new Set<Key>();
  const works = new Set<Promise<void>>();
  const again = new Set<Key>();
  const timers = new Map<Key, () => void>();
  let stopped = false;

  const pump = (): void => {
    for (const key of waiting) {
      if (stopped || running.size >= concurrency) return;
      waiting.delete(key);
      // Before the work begins: it may add its own key, or throw at once.
      running.add(key);
      const work = perform(key).finally(() => {
        works.delete(work);
        running.delete(key);
        if (again.delete(key) && !stopped) waiting.add(key);
        pump();
      });
      works.add(work);
    }
  };
  const perform = async (key: Key): Promise<void> => {
    try {
      await run(key);
    } catch (error) {
      onError(key, error);
    }
  };
  const add = (key: Key): void => {
    if (stopped) return;
    if (running.has(key)) again.add(key);
    else waiting.add(key);
    pump();
  };
  const cancelTimer = (key: Key): void => {
    timers.get(key)?.();
    timers.delete(key);
  };

  return {
    add,
    addAt(key, atMs) {
      cancelTimer(key);
      if (stopped) return;
      const dueMs = Math.ceil(atMs / coalesceMs) * coalesceMs;
      const cancel = clock.after(Math.max(0, dueMs - clock.now()), () => {
        timers.delete(key);
        add(key);
      });
      timers.set(key, cancel);
    },
    forget(key) {
      cancelTimer(key);
      waiting.delete(key);
      again.delete(key);
    },
    get length() {
      return waiting.size + running.size;
    },
    async stop() {
      stopped = true;
      for (const cancel of timers.values()) cancel();
      timers.clear();
      waiting.clear();
      again.clear();
      await Promise.all(works);
    },
  };
}
