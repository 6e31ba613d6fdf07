import { want } from '../intents.ts';
import { isHeldTooLong } from './analyse.ts';
import { canaryReadiness, hasDeadCanary, hasDeadPrimary, primaryReadiness } from './health.ts';
import { callPostRollout } from './hooks.ts';
import { type Phase, sooner } from './phase.ts';
import { tellNotReady } from './pods.ts';
import { cannotBeCopied, copyObstacle, writePrimary } from './primary-write.ts';
import { restartAnalysis } from './restart.ts';
import { endRejectedPromotion, failPromotion, tellAndRollBack } from './rollback.ts';
import { lacksScaler, scaleDown, writePrimaryScaler } from './scaling.ts';
import { alertHeld, type Asking, normal, setRounds, type Stage, update, warn } from './tick.ts';
import { canGoHome, leaveDeadCanary, route, routeHome } from './traffic.ts';

/** Copies the analysed revision to the primary. It is the target's present one: anything else has restarted the analysis before. */
export function promote(stage: Stage): void {
  const { names } = stage;
  if (awaitsCopies(stage)) return;
  normal(stage, `Copying ${names.target} template spec to ${names.primary}`);
  writePrimary(stage);
  update(stage, { phase: 'Promoting' });
}

/**
 * A version that has passed and cannot be given to the primary, as when a Secret that its pods read has gone: it keeps its share, but its
 * pods could not be started anew, so it goes home when the deadline is over.
 */
export function awaitsCopies(stage: Stage): boolean {
  const obstacle = copyObstacle(stage);
  if (!obstacle) return false;
  const { draft, analysis } = stage;
  warn(stage, obstacle.said);
  if (analysis.held?.cause !== 'unpromotable') alertHeld(stage, `it cannot be promoted: ${obstacle.reason}`);
  draft.isHeld = true;
  draft.isUnpromotable = true;
  if (analysis.held?.cause !== 'unpromotable' || !isHeldTooLong(stage)) return true;
  tellAndRollBack(stage, { name: 'promotion', found: { kind: 'unpromotable', why: obstacle.reason } });
  return true;
}

/** Waits for the primary's new pods and moves traffic to them. */
function* movePrimary(stage: Stage): Asking<void> {
  if (stage.seen.recorded === 'promoted') return succeed(stage);
  if (stage.seen.recorded === 'rejected') return endRejectedPromotion(stage);
  if (leaveDeadCanary(stage) || leaveDeadPrimary(stage)) return;
  if (!(yield* awaitPrimary(stage)) || lacksScaler(stage)) return;
  writePrimaryScaler(stage, 'always');
  const { spec, judged, weight, novelty } = stage;
  const step = spec.analysis.stepWeightPromotion ?? 100;
  // Nobody stays on a canary that changes under the users or does not answer.
  const isGradual = weight > 0 && novelty === 'same' && canaryReadiness(stage).kind === 'ready';
  const left = isGradual ? Math.max(judged - step, 0) : 0;
  if (step < 100 && isGradual) {
    route(stage, left);
    normal(stage, `Advance ${stage.names.canary} primary weight ${100 - left}`);
  } else if (weight > 0) {
    routeHome(stage, true);
  }
  if (left > 0) return update(stage, { canaryWeight: left });
  update(stage, { phase: 'Finalising', canaryWeight: 0 });
  setRounds(stage, 0);
  // Without an analysis there never was traffic to move.
  if (spec.skipAnalysis && weight === 0) succeed(stage);
}

/** Some rollouts end all pods before they start new ones (Recreate): until these answer all users are with the canary. True: they go there. */
function leaveDeadPrimary(stage: Stage): boolean {
  if (!hasDeadPrimary(stage)) return false;
  normal(stage, 'Routing all traffic to canary');
  route(stage, 100);
  update(stage, { canaryWeight: 100 });
  return true;
}

/** All users are on the new primary: the canary may go. */
function* finish(stage: Stage): Asking<void> {
  // Whatever has become of the primary since an outcome was told is no matter of this release any more.
  if (stage.seen.recorded === 'promoted') return succeed(stage);
  if (stage.seen.recorded === 'rejected') return endRejectedPromotion(stage);
  // Somebody else may have led them back.
  if (leaveDeadCanary(stage)) return;
  if ((yield* awaitPrimary(stage)) && !lacksScaler(stage)) succeed(stage);
}

/** Its users cannot stay where they are, or a newer version waits for the end of this one, which can come. */
function isEndDue(stage: Stage): boolean {
  return hasDeadCanary(stage) || (stage.novelty === 'new' && primaryReadiness(stage).kind === 'ready');
}

export const promoting: Phase = sooner((stage) => hasDeadPrimary(stage) || isEndDue(stage), movePrimary);
export const finalising: Phase = sooner(isEndDue, finish);

function succeed(stage: Stage): void {
  const { spec, names, draft, status } = stage;
  const weight = stage.weight > 0 || stage.mirrored ? routeHome(stage) : 0;
  if (canGoHome(stage)) scaleDown(stage);
  want(draft.intents, 'release', { kind: 'end-release', verdict: 'promoted', failedCheck: undefined });
  update(stage, { phase: 'Succeeded', canaryWeight: weight, lastPromotedSpec: status.lastAppliedSpec });
  setRounds(stage, 0);
  callPostRollout(stage, 'Succeeded');
  const message = spec.skipAnalysis
    ? `Promotion completed! Canary analysis was skipped for ${names.target}`
    : `Promotion completed! Scaling down ${names.target}`;
  const said = spec.skipAnalysis
    ? 'Canary analysis was skipped, promotion finished.'
    : 'Canary analysis completed successfully, promotion finished.';
  draft.afterwards.push({ kind: 'event', event: { type: 'Normal', level: 'info', message, phase: 'Succeeded' } });
  draft.afterwards.push({ kind: 'alert', severity: 'info', message: said, withFields: false });
}

/** Whether the primary runs the promoted revision and is ready; deals with all that it can be instead. */
function* awaitPrimary(stage: Stage): Asking<boolean> {
  const { seen, kind, status, source, novelty } = stage;
  const { primary } = seen;
  const runsIt =
    primary !== undefined &&
    (novelty === 'new'
      ? kind.hasId(primary, status.lastAppliedSpec, status.trackedConfigs ?? {})
      : kind.runs(primary, source));
  if (!runsIt) {
    // What was to be promoted has gone: what is there now is judged from the beginning.
    if (novelty === 'new' || seen.recorded === 'replaced') restartAnalysis(stage);
    else if (!cannotBeCopied(stage)) writePrimary(stage);
    return false;
  }
  const ready = primaryReadiness(stage);
  if (ready.kind === 'ready') return true;
  const trouble = yield* tellNotReady(stage, 'primary', ready);
  if (ready.kind === 'stuck') failPromotion(stage, ready, trouble);
  return false;
}
