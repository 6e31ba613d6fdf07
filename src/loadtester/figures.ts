import { createHistogram } from 'node:perf_hooks';

/** Whom a load goes to. Absent the paired mode, all of it is the canary's. */
export type Side = 'canary' | 'primary';

/** What a load came to so far. */
export interface Figures {
  readonly requests: number;
  /** Without an answer, or with one of 500 and above. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface Tally {
  /** `outcome`: a status as text, or why there is no answer. */
  readonly note: (outcome: string, durationMs: number) => void;
  readonly figures: () => Figures;
  /** Requests by outcome; what is beyond the first twenty is told together. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly latencyMs: (percentile: number) => number;
  readonly slowestMs: () => number;
  readonly fastestMs: () => number;
  readonly meanMs: () => number;
}

const maxOutcomes = 20;
/** Microseconds: fine enough for a load inside a cluster. */
const perMs = 1_000;
/** An hour; with two figures a histogram takes some 30 kB. */
const longestMicros = 3_600_000_000;

export function createTally(): Tally {
  const histogram = createHistogram({ lowest: 1, highest: longestMicros, figures: 2 });
  const outcomes = new Map<string, number>();
  let requests = 0;
  let failed = 0;
  const ms = (micros: number): number => (requests === 0 ? 0 : Math.round(micros) / perMs);
  const latencyMs = (percentile: number): number => ms(histogram.percentile(percentile));
  return {
    outcomes,
    latencyMs,
    slowestMs: () => ms(histogram.max),
    fastestMs: () => ms(histogram.min),
    meanMs: () => ms(histogram.mean),
    note(outcome, durationMs) {
      requests += 1;
      if (!/^[1-4]\d\d$/.test(outcome)) failed += 1;
      const key = outcomes.has(outcome) || outcomes.size < maxOutcomes ? outcome : 'other';
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      histogram.record(Math.max(1, Math.round(durationMs * perMs)));
    },
    figures: () => ({ requests, failed, p50Ms: latencyMs(50), p95Ms: latencyMs(95), p99Ms: latencyMs(99) }),
  };
}
