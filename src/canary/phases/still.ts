import { isInitialized, isUnderAnalysis } from '../phase.ts';
import type { Part } from '../course.ts';
import { leaveDeadCanary, leaveMissingTarget, leaveUnjudged } from './traffic.ts';
import { stageOf } from './stage.ts';
import type { Tick } from './tick.ts';
import { stepBack } from './progress.ts';

/**
 * Nothing goes on: the Canary is suspended, or cannot be understood. Users who are on the canary still do not stay with pods that are
 * gone, or with a version that has come in the place of the one that they were testing.
 */
export function standStill(tick: Tick, part: Part): void {
  const { seen, status } = tick;
  if (!isInitialized(status.phase)) return;
  if (!seen.target) return part === 'all' ? leaveMissingTarget(tick) : undefined;
  const stage = stageOf(tick, seen.target);
  if (!stage) return;
  const isLeft = leaveDeadCanary(stage) || leaveUnjudged(stage);
  // Its steps begin again when it goes on.
  if (isLeft && isUnderAnalysis(status.phase)) stepBack(stage);
}
