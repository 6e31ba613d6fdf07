import type { Phase as PhaseName } from '../types.ts';
import { initialising } from './initialise.ts';
import type { Phase } from './phase.ts';
import { progressing } from './progress.ts';
import { finalising, promoting } from './promote.ts';
import { resting } from './rest.ts';

/** All phases, by `CanaryStatus.phase`. A Canary that is looked at first is `Initializing`; one that goes is dealt with by `terminate.ts`. */
export const phases: Readonly<Record<PhaseName, Phase>> = {
  '': initialising,
  Initializing: initialising,
  Initialized: resting,
  Waiting: resting,
  Progressing: progressing,
  WaitingPromotion: progressing,
  Promoting: promoting,
  Finalising: finalising,
  Succeeded: resting,
  Failed: resting,
  Terminating: resting,
  Terminated: resting,
};
