import type { Asking, Stage } from './tick.ts';

/**
 * What is done in one phase of a release. A tick does the urgent part, and then the scheduled one. A change in the cluster makes a tick come
 * before its time only where the urgent part has something to do, to tell or to ask.
 */
export interface Phase {
  /** What cannot wait for the interval, whatever it is. True: that is all this tick does. */
  urgent(stage: Stage): Asking<boolean> | boolean;
  /** What comes at the interval: steps and checks of an analysis, and what is only told. */
  scheduled(stage: Stage): Asking<void>;
  /** What somebody changed of Services, routes and autoscalers is set right at once. Absent: at the interval. */
  repairsAtOnce?(stage: Stage): boolean;
}

/** One that does the same at its interval and, where `isDue`, before it. */
export function sooner(isDue: (stage: Stage) => boolean, does: (stage: Stage) => Asking<void>): Phase {
  return {
    *urgent(stage) {
      if (!isDue(stage)) return false;
      yield* does(stage);
      return true;
    },
    scheduled: does,
  };
}
