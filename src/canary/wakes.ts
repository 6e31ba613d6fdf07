import { hasDeadCanary, hasDeadPrimary, primaryReadiness } from './phases/health.ts';
import { unmarkPrimary } from './phases/primary-write.ts';
import { keepUp } from './phases/rest.ts';
import { lacksScaler, leaveFormerScalers, wakePrimary, writePrimaryScaler } from './phases/scaling.ts';
import { beginTick, stageOf } from './phases/stage.ts';
import { hasFinalizer, isDeleted } from './phases/terminate.ts';
import type { Stage, Tick } from './phases/tick.ts';
import { followTarget, isOnUnjudged, reconcileRoute, writeService } from './phases/traffic.ts';
import type { CanarySpec, CanaryStatus, DecideSettings, Seen } from './types.ts';

/**
 * Whether a change in the cluster is a reason to look at a Canary now. Steps and checks of an analysis are none of these reasons: they
 * come at their interval, whatever happens around them.
 */
export function wakes(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): boolean {
  const tick = beginTick(spec, status, seen, settings);
  if (isDeleted(tick)) return hasFinalizer(tick);
  if (spec.suspend) return isLeft(tick);
  if (status.phase === '' || spec.revertOnDeletion !== hasFinalizer(tick)) return true;
  const stage = seen.target && stageOf(tick, seen.target);
  if (!stage) return false;
  if (isOnUnjudged(stage) || stage.judged < stage.weight) return true;
  const primary = primaryReadiness(stage).kind;
  switch (status.phase) {
    case 'Initializing':
      return seen.primary === undefined
        ? stage.revision.missing.length === 0
        : primary === 'ready' && !lacksScaler(stage);
    case 'Progressing':
    case 'WaitingPromotion':
      if (stage.novelty === 'promoted' || seen.isRejected === true || hasDeadCanary(stage)) return true;
      return (stage.novelty === 'new' || seen.isReplaced === true) && !seen.isUnapplied;
    case 'Promoting':
    case 'Finalising':
      if (status.phase === 'Promoting' && hasDeadPrimary(stage)) return true;
      return (stage.novelty === 'new' && primary === 'ready') || hasDeadCanary(stage);
    default:
      // A primary in motion is waited for at the interval: its every step would otherwise be told.
      if (stage.novelty !== 'new' && !seen.isPushedAgain) return hasRepairs(stage);
      return primary !== 'progressing' && !lacksScaler(stage) && !seen.isUnapplied;
  }
}

/** Whether a tick would begin a release of a canary at rest that nobody is led to: nobody is harmed where that waits. */
export function beginsRelease(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): boolean {
  const tick = beginTick(spec, status, seen, settings);
  const isAtRest = status.phase === 'Initialized' || status.phase === 'Succeeded' || status.phase === 'Failed';
  if (!isAtRest || isDeleted(tick) || spec.suspend || seen.isUnapplied) return false;
  const stage = seen.target && stageOf(tick, seen.target);
  if (!stage || stage.weight > 0 || stage.mirrored) return false;
  return stage.novelty === 'new' || seen.isPushedAgain === true;
}

/** Users leave also a canary that stands still. */
function isLeft(tick: Tick): boolean {
  const stage = tick.seen.target && stageOf(tick, tick.seen.target);
  return stage !== undefined && (hasDeadCanary(stage) || isOnUnjudged(stage));
}

function hasRepairs(stage: Stage): boolean {
  const { draft, novelty, status, seen, weight } = stage;
  if (novelty === 'promoted' && status.lastAppliedSpec !== stage.revision.hash) return true;
  if (weight > 0 && (primaryReadiness(stage).kind === 'ready' || hasDeadCanary(stage))) return true;
  followTarget(stage);
  writeService(stage, 'primary', 'primary');
  writeService(stage, 'apex', 'primary');
  reconcileRoute(stage);
  wakePrimary(stage);
  leaveFormerScalers(stage);
  writePrimaryScaler(stage, 'missing');
  keepUp(stage);
  unmarkPrimary(stage);
  return draft.intents.length > 0 || seen.primary === undefined;
}
