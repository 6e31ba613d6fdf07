import type { Clock } from '../../lib/clock.ts';

/** How many looks at canaries a cluster has time for, as far as it has shown. Times by `Clock.elapsed`. */
export interface LookPace {
  /** A look has been written. */
  add(): void;
  /** Looks a second. */
  readonly perSecond: number;
}

/** Believed of a cluster of which nothing is known: what a release costs is seen only when it has come to its steps. */
const unknownPerSecond = 20;
/** While nobody is late, more is tried by this share each second. */
const growthPerSecond = 0.05;
/** What is older counts less and less. */
const rememberedMs = 10_000;
/** So long it must have been slow before what it let through meanwhile is believed. */
const leastMs = 2_000;
/** Nobody has looked for longer: it is not known what happened meanwhile. */
const unseenMs = 1_000;
/** So long after it was slow last it counts as a cluster of which nothing is known. */
const forgottenMs = 600_000;

interface Cluster {
  /** Whether a look takes too long to be written now. */
  readonly isSlow: () => boolean;
  /** Whether releases wait because of this pace. */
  readonly isWanted: () => boolean;
}

/** While looks are late: what is let through. Else it grows as long as more is wanted. */
export function createLookPace(clock: Clock, { isSlow, isWanted }: Cluster): LookPace {
  let believed = unknownPerSecond;
  let slowMs = 0;
  let looks = 0;
  let atMs = clock.elapsed();
  let wasSlow = false;
  let slowAtMs = atMs;

  const observe = (): boolean => {
    const nowMs = clock.elapsed();
    const tookMs = nowMs - atMs;
    const isNow = isSlow();
    if (isNow && wasSlow && tookMs <= unseenMs) {
      const kept = Math.exp(-tookMs / rememberedMs);
      slowMs = slowMs * kept + tookMs;
      looks *= kept;
      if (slowMs >= leastMs) believed = (looks * 1_000) / slowMs;
    } else if (!isNow && tookMs <= unseenMs && isWanted()) believed *= 1 + (growthPerSecond * tookMs) / 1_000;
    if (isNow) slowAtMs = nowMs;
    else if (nowMs - slowAtMs > forgottenMs && !isWanted()) {
      slowMs = 0;
      looks = 0;
      believed = unknownPerSecond;
    }
    wasSlow = isNow;
    atMs = nowMs;
    return isNow;
  };

  return {
    add() {
      if (observe()) looks += 1;
    },
    get perSecond() {
      observe();
      return believed;
    },
  };
}
