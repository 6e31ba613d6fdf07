import type { Revision } from '../git/repo.ts';
import type { Clock } from '../lib/clock.ts';
import { keyOf, shownKey } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import type { Outcome } from './types.ts';
import { causeOf, type WaitingOutcomes } from './waiting.ts';

export type OnWritten = (outcome: Outcome, revision: Revision, number: number | undefined) => void;
export type OnNeedless = (outcome: Outcome, tip: Revision, reason: string) => void;
export type OnBlocked = (outcome: Outcome, reason: string) => void;

export interface OutcomeNewsOptions {
  readonly waiting: WaitingOutcomes;
  readonly clock: Pick<Clock, 'after'>;
  readonly elapsedMs: () => number;
  readonly log: Logger;
  /** What stands in the way of all at the moment; undefined: nothing, and what waits only waits for its turn. */
  readonly trouble: () => string | undefined;
}

/** Whatever stands in the way of an outcome is told after so long. */
const toldAfterMs = 60_000;
const toldCheckMs = 10_000;

/** What has become of outcomes that wait, logged and told to those who listen; each thing once. */
export class OutcomeNews {
  readonly onWritten = new Set<OnWritten>();
  readonly onNeedless = new Set<OnNeedless>();
  readonly onBlocked = new Set<OnBlocked>();
  readonly #options: OutcomeNewsOptions;
  #stopLooking: () => void = () => undefined;

  constructor(options: OutcomeNewsOptions) {
    this.#options = options;
  }

  written(outcome: Outcome, revision: Revision, number: number | undefined): void {
    const { waiting, log } = this.#options;
    if (!waiting.settle(outcome)) return;
    log.info(
      { canary: shownKey(keyOf(outcome.app)), revision, verdict: outcome.verdict },
      `Outcome written to Git: ${outcome.verdict} ${keyOf(outcome.app)}`,
    );
    for (const listener of this.onWritten) listener(outcome, revision, number);
  }

  needless(outcome: Outcome, tip: Revision, reason: string): void {
    const { waiting, log } = this.#options;
    if (!waiting.settle(outcome)) return;
    log.info(
      { canary: shownKey(keyOf(outcome.app)), revision: tip, verdict: outcome.verdict },
      `Outcome not written to Git: ${outcome.verdict} ${keyOf(outcome.app)}: ${reason}`,
    );
    for (const listener of this.onNeedless) listener(outcome, tip, reason);
  }

  blocked(outcome: Outcome, reason: string): void {
    const { waiting, log } = this.#options;
    const entry = waiting.get(outcome);
    if (!entry) return;
    const isTold = entry.blocked !== undefined && causeOf(entry.blocked) === causeOf(reason);
    if (isTold) return;
    entry.blocked = reason;
    log.warn(
      { canary: shownKey(keyOf(outcome.app)), verdict: outcome.verdict },
      `The outcome is not in Git yet: ${reason}`,
    );
    for (const listener of this.onBlocked) listener(outcome, reason);
  }

  /** From now on, and as long as outcomes wait, none does so for long without a word, whatever the writer does meanwhile. */
  watch(): void {
    this.stop();
    this.#stopLooking = this.#options.clock.after(toldAfterMs, () => this.#tellWhy());
  }

  stop(): void {
    this.#stopLooking();
    this.#stopLooking = () => undefined;
  }

  #tellWhy(): void {
    const { waiting, clock, elapsedMs } = this.#options;
    this.#stopLooking = () => undefined;
    const trouble = this.#options.trouble();
    if (trouble !== undefined)
      for (const { outcome } of waiting.untold(toldAfterMs, elapsedMs())) this.blocked(outcome, trouble);
    if (waiting.size > 0) this.#stopLooking = clock.after(toldCheckMs, () => this.#tellWhy());
  }
}
