import type { Revision } from '../git/repo.ts';
import { backoffMs } from '../lib/backoff.ts';

/** The pause after a lost race in which nothing new was built on. None while the tip moves: each race is another's turn taken then. */
const raceBackoff = { baseMs: 25, capMs: 200 };
const outageBackoff = { baseMs: 500, capMs: 30_000 };

/** How long to wait before the next push. */
export class PushPace {
  readonly #random: () => number;
  #races = 0;
  #outages = 0;
  /** The tip that the last race was lost on. */
  #racedOn: Revision | undefined;

  /** `random`: in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Lost in a row, to others who push. */
  get races(): number {
    return this.#races;
  }

  /** In ms, after a push that somebody else was ahead of. */
  afterRace(tip: Revision): number {
    this.#races += 1;
    const hasMoved = tip !== this.#racedOn;
    this.#racedOn = tip;
    return hasMoved ? 0 : backoffMs(Math.floor(this.#races / 4), raceBackoff, this.#random());
  }

  /** In ms, after what is no race: a server that does not answer, or refuses for a reason that may pass. */
  afterOutage(): number {
    this.#outages += 1;
    return backoffMs(this.#outages - 1, outageBackoff, this.#random());
  }

  /** The server answers. */
  answered(): void {
    this.#outages = 0;
  }

  landed(): void {
    this.#races = 0;
  }
}
