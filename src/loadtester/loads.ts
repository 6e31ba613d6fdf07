import type { Clock } from '../lib/clock.ts';
import { createTally, type Figures, type Side, type Tally } from './figures.ts';

/** What the loads of the releases under way came to, by canary and command line. */
export interface Loads {
  /** The tallies of a command line for the revision that `checksum` stands for; those of an earlier one are given up. */
  readonly of: (key: string, checksum: string) => (side: Side) => Tally;
  /** For the header of an answer. Undefined: nothing was sent yet. */
  readonly told: (key: string, checksum: string) => string | undefined;
}

/** Flagger's older versions send no checksum: what was silent for so long belongs to another release. */
const idleMs = 600_000;
const maxKept = 500;

interface Kept {
  readonly checksum: string;
  readonly tallies: Map<Side, Tally>;
  usedAtMs: number;
}

export function createLoads(clock: Clock): Loads {
  const kept = new Map<string, Kept>();
  const find = (key: string, checksum: string): Kept => {
    const known = kept.get(key);
    const isSame = known?.checksum === checksum && clock.now() - known.usedAtMs < idleMs;
    const found: Kept = isSame ? known : { checksum, tallies: new Map(), usedAtMs: 0 };
    found.usedAtMs = clock.now();
    kept.delete(key);
    kept.set(key, found);
    const [oldest] = kept.keys();
    if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest);
    return found;
  };
  return {
    of: (key, checksum) => {
      const entry = find(key, checksum);
      return (side) => {
        const tally = entry.tallies.get(side) ?? createTally();
        entry.tallies.set(side, tally);
        entry.usedAtMs = clock.now();
        return tally;
      };
    },
    told(key, checksum) {
      const { tallies } = find(key, checksum);
      const figures: Partial<Record<Side, Figures>> = {};
      for (const [side, tally] of tallies) if (tally.figures().requests > 0) figures[side] = tally.figures();
      return Object.keys(figures).length === 0 ? undefined : JSON.stringify(figures);
    },
  };
}
