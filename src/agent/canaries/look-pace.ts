import type { Clock } from '../../lib/clock.ts';

/** How many looks at canaries a cluster lets through that does not keep pace. Times by `Clock.elapsed`. */
export interface LookPace {
  /** A look has been written. */
  add(): void;
  /** Looks a second that it has room for; undefined: it has kept pace of late, or not been slow for long enough to tell. */
  readonly perSecond: number | undefined;
}

/** What is older counts less and less. */
const rememberedMs = 10_000;
/** So long it must have been slow before its pace is believed. */
const leastMs = 2_000;
/** Nobody looks for longer: it is not known what happened meanwhile. */
const unseenMs = 1_000;
/** A pace of so long ago tells nothing of the cluster as it is now. */
const forgottenMs = 600_000;
/** While it keeps pace, it is thought to have room for so much more each second. */
const growthPerSecond = 0.03;

/** `isSlow`: whether a look takes too long to be written now. */
export function createLookPace(clock: Clock, isSlow: () => boolean): LookPace {
  let slowMs = 0;
  let looks = 0;
  let atMs = clock.elapsed();
  let wasSlow = false;
  let slowAtMs = Number.NEGATIVE_INFINITY;

  const observe = (): boolean => {
    const nowMs = clock.elapsed();
    const tookMs = nowMs - atMs;
    const isNow = isSlow();
    if (nowMs - slowAtMs > forgottenMs) {
      slowMs = 0;
      looks = 0;
    }
    if (wasSlow && isNow && tookMs <= unseenMs) {
      const kept = Math.exp(-tookMs / rememberedMs);
      slowMs = slowMs * kept + tookMs;
      looks *= kept;
    }
    if (isNow) slowAtMs = nowMs;
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
      if (slowMs < leastMs) return undefined;
      const sinceSeconds = (clock.elapsed() - slowAtMs) / 1_000;
      return ((looks * 1_000) / slowMs) * (1 + growthPerSecond * sinceSeconds);
    },
  };
}
