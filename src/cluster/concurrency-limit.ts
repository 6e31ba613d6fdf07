/** How a request ended. Times by `Clock.elapsed`. */
export interface Answered {
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

export const limitBounds = { start: 16, most: 64, leastBySlowness: 6, leastByLosses: 2 } as const;

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

interface Shortest {
  present: number;
  former: number;
}

/**
 * Additive increase while answers are quick and the limit is what holds requests up, multiplicative decrease when they are slow, refused or
 * lost. How long a kind takes on an idle server is the shortest time that it took of late.
 */
export function createConcurrencyLimit(): ConcurrencyLimit {
  let limit: number = limitBounds.start;
  let shortest = new Map<string, Shortest>();
  let rememberedSinceMs = Number.NEGATIVE_INFINITY;
  let slownesses: number[] = [];
  let isBinding = false;
  let cutMs = Number.NEGATIVE_INFINITY;
  let goodMs = Number.NEGATIVE_INFINITY;
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
        if (isNews)
          cut(result === 'refused' ? 0.7 : 0.5, result === 'refused' ? 1 : limitBounds.leastByLosses, endedMs);
        return;
      }
      goodMs = Math.max(goodMs, endedMs);
      slownesses.push(slownessOf(kind, endedMs - beganMs, endedMs));
      isBinding ||= wasBinding;
      if (slownesses.length < Math.max(leastAnswers, limit)) return;
      const median = slownesses.toSorted((a, b) => a - b)[Math.floor(slownesses.length / 2)] ?? 0;
      if (median > slow) return cut(0.85, limitBounds.leastBySlowness, endedMs);
      const most = endedMs < ceilingUntilMs ? ceiling : limitBounds.most;
      if (median < quick && isBinding && limit < most) limit = Math.min(most, limit + Math.max(1, limit / 10));
      slownesses = [];
      isBinding = false;
    },
  };
}
