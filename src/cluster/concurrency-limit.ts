/** How a request ended. Times by `Clock.elapsed`. */
interface Answered {
  /** Requests of one kind take equally long on an idle server, e.g. `patch canaries/status`. */
  readonly kind: string;
  readonly beganMs: number;
  readonly endedMs: number;
  /** `refused`: the server has too much to do (429). `lost`: no answer, or a failure of the server's own. */
  readonly result: 'good' | 'refused' | 'lost';
  /** The server had refused or lost it before. */
  readonly isRepeat: boolean;
  /** More would have been begun if the limit had allowed it. */
  readonly isBinding: boolean;
}

/** How many requests may be under way: as many as the server answers without letting them wait for each other. */
export interface ConcurrencyLimit {
  /** Whole, 1 or more. */
  readonly value: number;
  learn(answered: Answered): void;
}

export const limitBounds = { start: 16, most: 64, leastBySlowness: 8, leastByLosses: 2 } as const;

/** What an answer may take longer without telling anything: timers, a busy agent, a busy wire. */
const slackMs = 10;
/** Below this many times what it takes on an idle server the limit rises, above the other it falls. */
const quick = 2;
const slow = 3;
/** The shortest time of a kind is forgotten after one to two of these: an API server that has become another one is learnt anew. */
const rememberedMs = 60_000;
const leastAnswers = 4;
/** So long after a refusal the limit stays below the one that was refused. */
const cautiousMs = 10_000;
const kindsRemembered = 500;
/** What is slow although few requests are under way may be so by others' doing: then more of ours are answered where more are begun. */
const trial = { answers: 24, more: 1.5, worthwhile: 1.2, againMs: 10_000 } as const;

/** Answers while others waited, at one limit. */
interface Rate {
  readonly sinceMs: number;
  count: number;
}

interface Shortest {
  present: number;
  former: number;
}

/**
 * Additive increase while answers are quick and the limit is what holds requests up, multiplicative decrease when they are slow, refused or
 * lost. How long a kind takes on an idle server is the shortest time that it took of late. Where answers stay slow although few requests are
 * under way, it is tried whether more of them are answered when more are begun: then others make the server slow, and to hold back helps nobody.
 */
export function createConcurrencyLimit(): ConcurrencyLimit {
  let limit: number = limitBounds.start;
  let shortest = new Map<string, Shortest>();
  let rememberedSinceMs = Number.NEGATIVE_INFINITY;
  let slownesses: number[] = [];
  let isBinding = false;
  let isSlow = false;
  let cutMs = Number.NEGATIVE_INFINITY;
  let goodMs = Number.NEGATIVE_INFINITY;
  /** Slowness lowers the limit no further. */
  let least: number = limitBounds.leastBySlowness;
  let rate: Rate | undefined;
  /** Answers a second before the limit was raised for a trial. Undefined: none is under way. */
  let usual: number | undefined;
  let trialAtMs = Number.NEGATIVE_INFINITY;
  let ceiling: number = limitBounds.most;
  let ceilingUntilMs = Number.NEGATIVE_INFINITY;

  const slownessOf = (kind: string, tookMs: number, nowMs: number): number => {
    if (nowMs - rememberedSinceMs >= rememberedMs) {
      const kept = [...shortest].filter(([, { present }]) => Number.isFinite(present)).slice(-kindsRemembered);
      shortest = new Map(
        kept.map(([name, { present }]) => [name, { former: present, present: Number.POSITIVE_INFINITY }]),
      );
      rememberedSinceMs = nowMs;
    }
    const known = shortest.get(kind) ?? { present: Number.POSITIVE_INFINITY, former: Number.POSITIVE_INFINITY };
    known.present = Math.min(known.present, tookMs);
    shortest.set(kind, known);
    return tookMs / (Math.min(known.present, known.former) + slackMs);
  };
  const cut = (share: number, least: number, nowMs: number): void => {
    limit = Math.min(limit, Math.max(least, limit * share));
    cutMs = nowMs;
    slownesses = [];
    isBinding = false;
  };

  const endTrial = (nowMs: number): void => {
    rate = undefined;
    usual = undefined;
    trialAtMs = nowMs + trial.againMs;
  };
  /** Whether more is answered with a higher limit, where it is slow at the least one. */
  const tryMore = (nowMs: number, wasBinding: boolean): void => {
    if (!wasBinding) {
      if (usual !== undefined) limit = least;
      return endTrial(nowMs);
    }
    if (nowMs < trialAtMs) return;
    rate ??= { sinceMs: nowMs, count: -1 };
    rate.count += 1;
    if (rate.count < trial.answers) return;
    const perSecond = (rate.count * 1_000) / Math.max(1, nowMs - rate.sinceMs);
    rate = undefined;
    if (usual !== undefined && perSecond < usual * trial.worthwhile) {
      limit = least;
      return endTrial(nowMs);
    }
    // At first, and as long as each trial was worth it.
    if (usual !== undefined) least = limit;
    usual = perSecond;
    const next = Math.min(limitBounds.most, limit * trial.more);
    if (next > limit) limit = next;
    else endTrial(nowMs);
  };

  return {
    get value() {
      return Math.max(1, Math.floor(limit));
    },
    learn({ kind, beganMs, endedMs, result, isRepeat, isBinding: wasBinding }) {
      if (result !== 'good') {
        // One answer is enough for all that were under way together; and what is refused while others are answered is its own matter.
        const isNews = beganMs >= cutMs && (goodMs < beganMs || (result === 'refused' && !isRepeat));
        if (isNews && result === 'refused') {
          ceiling = Math.max(1, Math.floor(limit) - 1);
          ceilingUntilMs = endedMs + cautiousMs;
        }
        if (isNews) {
          least = limitBounds.leastBySlowness;
          endTrial(endedMs);
          cut(result === 'refused' ? 0.7 : 0.5, result === 'refused' ? 1 : limitBounds.leastByLosses, endedMs);
        }
        return;
      }
      goodMs = Math.max(goodMs, endedMs);
      slownesses.push(slownessOf(kind, endedMs - beganMs, endedMs));
      isBinding ||= wasBinding;
      if (usual !== undefined || (isSlow && limit <= least)) tryMore(endedMs, wasBinding);
      if (slownesses.length < Math.max(leastAnswers, limit)) return;
      const median = slownesses.toSorted((a, b) => a - b)[Math.floor(slownesses.length / 2)] ?? 0;
      isSlow = median > slow;
      if (median < quick) least = limitBounds.leastBySlowness;
      if (usual !== undefined || isSlow) {
        if (usual === undefined) cut(0.85, least, endedMs);
        slownesses = [];
        isBinding = false;
        return;
      }
      const most = endedMs < ceilingUntilMs ? ceiling : limitBounds.most;
      if (median < quick && isBinding && limit < most) limit = Math.min(most, limit + Math.max(1, limit / 10));
      slownesses = [];
      isBinding = false;
    },
  };
}
