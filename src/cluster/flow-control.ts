import type { Clock } from '../lib/clock.ts';
import { createConcurrencyLimit } from './concurrency-limit.ts';
import { nextOf, type Waiting } from './line.ts';
import { type Place, priorities, type Priority } from './priority.ts';

/** What the server made of a request. */
export interface Verdict {
  readonly result: 'good' | 'refused' | 'lost';
  /** How long it asks to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

interface Admission extends Place {
  /** As which it is measured, e.g. `patch canaries/status`. */
  readonly kind: string;
  readonly isRepeat: boolean;
}

/** How much is under way, and what waits. */
export interface Load {
  readonly limit: number;
  readonly underWay: number;
  readonly waiting: Readonly<Record<Priority, number>>;
}

/** Begins no more requests than the server answers; of those that wait the most urgent first (see line.ts). */
export interface FlowControl {
  /**
   * Runs `send` when its turn has come; rejects as it does, or with the signal's reason while it waits. `judge` is told the result, or the
   * error; undefined: it says nothing of the server, as where the caller gave up.
   */
  admit<Result>(
    admission: Admission,
    send: () => Promise<Result>,
    judge: (result: Result | undefined, error: unknown) => Verdict | undefined,
    signal: AbortSignal,
  ): Promise<Result>;
  /** Requests of these flows that come until the returned function is called are in line as if they had come so long ago. */
  late(flows: readonly string[], lateMs: number): () => void;
  readonly load: Load;
}

/** A server that refuses a request although no other was under way is left alone for so long at most; by then it shows who was meant. */
const holdMs = 1_000;

interface Queued extends Waiting {
  readonly begin: () => void;
}

export function createFlowControl(clock: Clock): FlowControl {
  const limit = createConcurrencyLimit();
  const line = new Map<string, Queued[]>();
  /** Since when a flow waits, where that is known better than by its requests. */
  const since = new Map<string, number>();
  const held = new Map<string, number>();
  let underWay = 0;
  let events = 0;
  let turn = 0;
  let closedUntilMs = Number.NEGATIVE_INFINITY;
  let isTimed = false;

  const leave = (queued: Queued): void => {
    const left = (line.get(queued.flow) ?? []).filter((other) => other !== queued);
    if (left.length === 0) line.delete(queued.flow);
    else line.set(queued.flow, left);
  };
  const pump = (): void => {
    if (line.size === 0) return;
    const leftMs = closedUntilMs - clock.elapsed();
    if (leftMs > 0) {
      if (isTimed) return;
      isTimed = true;
      clock.after(leftMs, () => {
        isTimed = false;
        pump();
      });
      return;
    }
    for (;;) {
      const room = {
        free: limit.value - underWay,
        limit: limit.value,
        events,
        held: (namespace: string) => held.get(namespace) ?? 0,
      };
      const next = nextOf(line, turn, room) as Queued | undefined;
      if (!next) return;
      turn += 1;
      leave(next);
      next.begin();
    }
  };
  const count = ({ priority, namespace }: Place, by: 1 | -1): void => {
    underWay += by;
    if (priority === 'event') events += by;
    const now = (held.get(namespace) ?? 0) + by;
    if (now === 0) held.delete(namespace);
    else held.set(namespace, now);
  };
  const turnOf = ({ priority, namespace, flow }: Place, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        leave(queued);
        reject(signal.reason as Error);
        pump();
      };
      const queued: Queued = {
        priority,
        namespace,
        flow,
        sinceMs: since.get(flow) ?? clock.elapsed(),
        begin() {
          signal.removeEventListener('abort', onAbort);
          count(queued, 1);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      line.set(flow, [...(line.get(flow) ?? []), queued]);
      pump();
    });

  return {
    async admit(admission, send, judge, signal) {
      await turnOf(admission, signal);
      const beganMs = clock.elapsed();
      const end = (verdict: Verdict | undefined): void => {
        const endedMs = clock.elapsed();
        const isBinding = line.size > 0;
        count(admission, -1);
        if (verdict) {
          const { kind, isRepeat } = admission;
          limit.learn({ kind, isRepeat, beganMs, endedMs, result: verdict.result, isBinding });
          if (verdict.result === 'refused' && !isRepeat && underWay === 0)
            closedUntilMs = Math.max(closedUntilMs, endedMs + Math.min(verdict.retryAfterMs ?? 0, holdMs));
        }
        pump();
      };
      let result: Awaited<ReturnType<typeof send>>;
      try {
        result = await send();
      } catch (error) {
        end(judge(undefined, error));
        throw error;
      }
      end(judge(result, undefined));
      return result;
    },
    late(names, lateMs) {
      const sinceMs = clock.elapsed() - lateMs;
      for (const name of names) since.set(name, sinceMs);
      return () => {
        // Another one may have begun meanwhile.
        for (const name of names) if (since.get(name) === sinceMs) since.delete(name);
      };
    },
    get load() {
      const waiting = Object.fromEntries(priorities.map((priority) => [priority, 0])) as Record<Priority, number>;
      for (const requests of line.values()) for (const { priority } of requests) waiting[priority] += 1;
      return { limit: limit.value, underWay, waiting };
    },
  };
}
