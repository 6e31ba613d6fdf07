import type { Revision } from '../git/repo.ts';
import type { Outcome } from './types.ts';

/** An outcome that waits for its push. Times are milliseconds of a clock that nobody sets. */
export interface Waiting {
  readonly outcome: Outcome;
  readonly sinceMs: number;
  /** Why it has not been written yet, as it was told last. */
  blocked?: string;
  held?: Hold;
  /** A push of several came to nothing: it goes alone, so that only what stands in its own way stays behind. */
  alone: boolean;
  /** Its revert takes long, so it goes alone and after all others. */
  isSlow?: boolean;
  /** Pushes of it alone that came to nothing, one after the other. */
  failures: number;
}

interface Hold {
  readonly untilMs: number;
  /** It could not be built on this tip: tried again at another one, or then. Absent: its push came to nothing. */
  readonly tip?: Revision;
  /** What its push came to, without what differs from one push to the next. */
  readonly cause?: string;
}

/** More than this are several pushes, so that none takes long enough to be raced, or holds much memory. Adoptions are one commit. */
const atOnce = 50;
/** What cannot be built is tried again this often. */
const builtAgainMs = 300_000;
/** What could not be pushed waits at first so long, then twice as long, and at most so long. */
const pushedAgainMs = { first: 10_000, most: 60_000 };

/** The outcomes that wait, and when each may be tried: one that cannot be written holds up no other. */
export class WaitingOutcomes {
  readonly #entries = new Map<string, Waiting>();

  get size(): number {
    return this.#entries.size;
  }

  get all(): readonly Waiting[] {
    return [...this.#entries.values()];
  }

  get({ releaseId }: Outcome): Waiting | undefined {
    return this.#entries.get(releaseId);
  }

  /** False: it waits already. */
  add(outcome: Outcome, nowMs: number): boolean {
    if (this.#entries.has(outcome.releaseId)) return false;
    // What another app's rollback stands in the way of may be written together with this one.
    for (const entry of this.#entries.values()) if (entry.held?.tip !== undefined) delete entry.held;
    this.#entries.set(outcome.releaseId, { outcome, sinceMs: nowMs, alone: false, failures: 0 });
    return true;
  }

  /** Gives whether it was waiting. */
  settle(outcome: Outcome): boolean {
    return this.#entries.delete(outcome.releaseId);
  }

  /** What can be tried at this tip: together, or one that goes alone. */
  due(tip: Revision, nowMs: number): readonly Waiting[] {
    const due = this.all.filter(
      ({ held }) => held === undefined || held.untilMs <= nowMs || (held.tip !== undefined && held.tip !== tip),
    );
    const together = due.filter(({ alone, isSlow = false }) => !alone && !isSlow);
    // Who has failed least goes first, so that no two that fail keep a third one waiting.
    if (together.length === 0) return due.toSorted((a, b) => a.failures - b.failures).slice(0, 1);
    const isAdopted = ({ outcome }: Waiting): boolean => outcome.verdict === 'adopted';
    return [...together.filter(isAdopted), ...together.filter((entry) => !isAdopted(entry)).slice(0, atOnce)];
  }

  /** It cannot be built on this tip. */
  notBuilt(outcome: Outcome, tip: Revision, nowMs: number): void {
    const entry = this.get(outcome);
    if (entry) entry.held = { tip, untilMs: nowMs + builtAgainMs };
  }

  /** A push came to nothing. Of several each goes alone from now on; one that was alone is held. */
  notPushed(outcomes: readonly Outcome[], reason: string, nowMs: number): void {
    const entries = outcomes.flatMap((outcome) => this.get(outcome) ?? []);
    const [only] = entries;
    if (entries.length > 1 || !only) {
      for (const entry of entries) entry.alone = true;
      return;
    }
    only.alone = true;
    only.failures += 1;
    const waitMs = Math.min(pushedAgainMs.first * 2 ** Math.min(only.failures - 1, 10), pushedAgainMs.most);
    const hold: Hold = { cause: causeOf(reason), untilMs: nowMs + waitMs };
    only.held = hold;
    // One asks for all that have failed for the same reason several times: the server is not to be asked once for each.
    for (const other of this.#entries.values()) {
      const isAlike = other.held?.cause === hold.cause && other.failures > 1;
      if (isAlike && (other.held?.untilMs ?? 0) < hold.untilMs) other.held = hold;
    }
  }

  /** A push has landed: what stood in the way of these may be gone for others, too. */
  landed(outcomes: readonly Outcome[]): void {
    const causes = new Set(outcomes.map((outcome) => this.get(outcome)?.held?.cause));
    for (const entry of this.#entries.values()) {
      if (entry.held?.cause !== undefined && causes.has(entry.held.cause)) {
        delete entry.held;
        entry.alone = false;
        entry.failures = 0;
      } else if (entry.failures === 0) entry.alone = false;
    }
  }

  /** Those that wait for longer than this, and nobody was told why. */
  untold(forMs: number, nowMs: number): readonly Waiting[] {
    return this.all.filter(({ blocked, sinceMs }) => blocked === undefined && nowMs - sinceMs >= forMs);
  }
}

/** A server's words without ids, counts and times, which differ from one answer to the next. */
export const causeOf = (reason: string): string => reason.replaceAll(/[0-9a-f]{7,}|\d+/gi, '#').slice(0, 500);
