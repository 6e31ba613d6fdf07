import type { Clock } from '../lib/clock.ts';
import { Failed } from './failure.ts';

/** Something that counts for a while. */
export interface Lasting<Value> {
  readonly value: Value;
  readonly lifeMs: number;
}

/** Keeps what was fetched, by a key, and fetches it anew before it ends. */
export interface Renewed<Value> {
  /** Throws Failed where it cannot be had; whoever asks soon after is told the same. */
  get(key: string, fetch: Fetch<Value>, signal: AbortSignal): Promise<Value>;
  /** What is kept is of no use. What was fetched just now stays: nothing better would come. */
  forget(key: string): void;
}

type Fetch<Value> = (signal: AbortSignal) => Promise<Lasting<Value>>;

interface Held<Value> {
  readonly value: Value;
  readonly fetchedMs: number;
  readonly renewMs: number;
  readonly untilMs: number;
}

const maxHeld = 1_000;
/** So long before its end it is renewed, where it lives long enough. */
const earlyMs = 5 * 60_000;
/** What fails is not tried again by each of many that wait for it. */
const failedMs = 20_000;
const justNowMs = 60_000;

export function createRenewed<Value>(clock: Clock): Renewed<Value> {
  const held = new Map<string, Held<Value>>();
  const failed = new Map<string, { readonly error: Failed; readonly untilMs: number }>();
  const asked = new Map<string, Promise<Value>>();
  const keep = <Entry>(entries: Map<string, Entry>, key: string, entry: Entry): void => {
    const [oldest] = entries.keys();
    if (!entries.has(key) && entries.size >= maxHeld && oldest !== undefined) entries.delete(oldest);
    entries.set(key, entry);
  };
  const fetched = async (key: string, fetch: Fetch<Value>, signal: AbortSignal): Promise<Value> => {
    try {
      const { value, lifeMs } = await fetch(signal);
      const nowMs = clock.elapsed();
      const early = Math.min(earlyMs, lifeMs / 5);
      keep(held, key, { value, fetchedMs: nowMs, renewMs: nowMs + lifeMs - early, untilMs: nowMs + lifeMs });
      failed.delete(key);
      return value;
    } catch (error) {
      if (error instanceof Failed) keep(failed, key, { error, untilMs: clock.elapsed() + failedMs });
      throw error;
    } finally {
      asked.delete(key);
    }
  };
  return {
    async get(key, fetch, signal) {
      const nowMs = clock.elapsed();
      const known = held.get(key);
      if (known && nowMs < known.renewMs) return known.value;
      const isStillGood = known !== undefined && nowMs < known.untilMs;
      const failure = failed.get(key);
      if (failure && nowMs < failure.untilMs) {
        if (isStillGood) return known.value;
        throw failure.error;
      }
      const under = asked.get(key) ?? fetched(key, fetch, signal);
      asked.set(key, under);
      try {
        return await under;
      } catch (error) {
        if (isStillGood && error instanceof Failed) return known.value;
        throw error;
      }
    },
    forget(key) {
      const known = held.get(key);
      if (known && clock.elapsed() - known.fetchedMs >= justNowMs) held.delete(key);
    },
  };
}
