import type { Clock } from './clock.ts';

export interface OutboxOptions {
  readonly clock: Clock;
  /** How many messages may wait for one receiver; with one more the oldest is given up. */
  readonly limit: number;
  /** A message was given up: the receiver did not keep pace, or time was up at the end. */
  readonly onDropped: (receiver: string) => void;
  /** A delivery rejected: it has to deal with all that it expects itself. */
  readonly onError: (receiver: string, error: unknown) => void;
}

/** `sequence` rises with every message of this agent, also over restarts; repeats of a delivery keep it. */
type Deliver = (sequence: number, signal: AbortSignal) => Promise<void>;

/**
 * Messages to the outside that nobody waits for. Those to one receiver arrive in order, one after the other; receivers do not wait for
 * each other.
 */
export interface Outbox {
  /** Never waits and never throws. */
  put(receiver: string, deliver: Deliver): void;
  /** Messages that are not delivered yet. */
  readonly waiting: number;
  /** Takes no more, waits at most `ms` for what is under way, and gives up the rest. */
  close(ms: number): Promise<void>;
}

interface Message {
  readonly sequence: number;
  readonly deliver: Deliver;
}

export function createOutbox({ clock, limit, onDropped, onError }: OutboxOptions): Outbox {
  const queues = new Map<string, Message[]>();
  const works = new Set<Promise<void>>();
  const ending = new AbortController();
  let sequence = 0;
  let closed = false;

  const work = async (receiver: string, queue: Message[]): Promise<void> => {
    for (let next = queue[0]; next && !ending.signal.aborted; next = queue[0]) {
      try {
        await next.deliver(next.sequence, ending.signal);
      } catch (error) {
        if (!ending.signal.aborted) onError(receiver, error);
      }
      if (!ending.signal.aborted) queue.shift();
    }
    if (queue.length === 0) queues.delete(receiver);
  };

  return {
    put(receiver, deliver) {
      if (closed) return onDropped(receiver);
      // From the time, so that it goes on rising after a restart.
      sequence = Math.max(sequence + 1, clock.now());
      const message = { sequence, deliver };
      const queue = queues.get(receiver);
      if (!queue) {
        const fresh = [message];
        queues.set(receiver, fresh);
        const working = work(receiver, fresh).finally(() => works.delete(working));
        works.add(working);
        return;
      }
      queue.push(message);
      if (queue.length <= limit + 1) return;
      // The first one is under way.
      queue.splice(1, 1);
      onDropped(receiver);
    },
    get waiting() {
      return [...queues.values()].reduce((sum, { length }) => sum + length, 0);
    },
    async close(ms) {
      closed = true;
      const patience = new AbortController();
      const all = Promise.all(works);
      await Promise.race([all, clock.sleep(ms, patience.signal).catch(() => undefined)]);
      patience.abort(new Error('the outbox is empty'));
      ending.abort(new Error('the agent stops'));
      await all;
      for (const [receiver, queue] of queues) for (const _ of queue) onDropped(receiver);
      queues.clear();
    },
  };
}
