import { leaveDeadCanary, leaveMissingTarget, leaveUnjudged } from './traffic.ts';
import { stageOf } from './stage.ts';
import { type Stage, type Tick, update } from './tick.ts';
import { stepsBack } from './progress.ts';

/**
 * Nothing goes on: the Canary is suspended, or cannot be understood. Users who are on the canary still do not stay with pods that are
 * gone, or with a version that has come in the place of the one that they were testing.
 */
export function standStill(tick: Tick): void {
  const { seen, status } = tick;
  if (status.phase === '' || status.phase === 'Initializing') return;
  if (!seen.target) return leaveMissingTarget(tick);
  const stage = stageOf(tick, seen.target);
  if (!stage) return;
  if (leaveDeadCanary(stage) || leaveUnjudged(stage)) stepBack(stage);
}

/** Its steps begin again when it goes on. */
function stepBack(stage: Stage): void {
  const { phase } = stage.status;
  if (phase === 'Progressing' || phase === 'WaitingPromotion')
    update(stage, { phase: 'Progressing', iterations: stepsBack(stage) });
}
