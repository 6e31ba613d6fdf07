import type { KubeObject } from '../../manifest/types.ts';
import { foreignImages } from '../foreign-primary.ts';
import { changedConfigs } from '../revision.ts';
import { remakeCopies, leaveCopies } from './config-copies.ts';
import { primaryReadiness, primaryServes } from './health.ts';
import { refusedBy } from './hooks.ts';
import type { Phase } from './phase.ts';
import { tellNotReady } from './pods.ts';
import { cannotBeCopied, writePrimary } from './primary-write.ts';
import { isCalledBack } from './progress.ts';
import { isOnHold, promotionAsked } from './requests.ts';
import { beginRelease } from './restart.ts';
import { abortAsAsked, cancel } from './rollback.ts';
import {
  resizedPrimary,
  followReplicas,
  lacksScaler,
  pauseScaler,
  endDrain,
  scaleDown,
  scaleFromZero,
  scaleToZero,
  writePrimaryScaler,
} from './scaling.ts';
import { alert, alertHeld, type Asking, log, normal, restartAs, type Stage, update, warn } from './tick.ts';
import { leaveDeadCanary, routeHome } from './traffic.ts';

/** Nothing is under analysis (Initialized, Succeeded, Failed), or a new revision waits to be let in (Waiting). */
export const resting: Phase = {
  *urgent(stage) {
    if (leaveDeadCanary(stage)) {
      scaleTargetDown(stage);
      return true;
    }
    if (stage.status.phase === 'Waiting' && stage.novelty === 'promoted') {
      cancel(stage);
      return true;
    }
    const isKnown = stage.status.phase === 'Waiting' && stage.seen.recorded !== 'replaced';
    if (isKnown && abortAsAsked(stage)) return true;
    endDrain(stage);
    if (isNothingNew(stage)) {
      if (stage.status.phase !== 'Waiting') repairAtOnce(stage);
      return false;
    }
    if (!mayBegin(stage)) return false;
    yield* letIn(stage);
    return true;
  },
  *scheduled(stage) {
    if (stage.status.phase !== 'Waiting' && isNothingNew(stage)) repair(stage);
    else yield* letIn(stage);
  },
  repairsAtOnce: (stage) => isNothingNew(stage) || mayBegin(stage),
};

function isNothingNew({ novelty, seen }: Stage): boolean {
  return novelty !== 'new' && !seen.isPushedAgain;
}

/** A primary in motion is waited for at the interval: its every step would otherwise be told. */
function mayBegin(stage: Stage): boolean {
  return primaryReadiness(stage).kind !== 'progressing' && !lacksScaler(stage) && !stage.seen.isUnapplied;
}

/** A new revision begins as soon as the primary is ready and nobody's approval is missing. */
function* letIn(stage: Stage): Asking<void> {
  const { novelty, status, names } = stage;
  const isKnown = status.phase === 'Waiting' && novelty === 'same' && stage.seen.recorded !== 'replaced';
  if (!isKnown && stage.seen.isUnapplied) return;
  // None begins that the status cannot name yet; one that waits can still be called back.
  if (cannotBeCopied(stage) || (lacksScaler(stage) && !isKnown)) return;
  const ready = primaryReadiness(stage);
  if (ready.kind !== 'ready') {
    yield* tellNotReady(stage, 'primary', ready);
    // One that somebody deleted does not come back by waiting.
    if (ready.kind === 'progressing' && stage.seen.primary) return;
  }
  if (stage.seen.routeTrouble !== undefined) {
    warn(stage, stage.seen.routeTrouble);
    return alertHeld(stage, stage.seen.routeTrouble);
  }
  if (!isKnown) {
    tellConfigs(stage);
    beginRelease(stage, false);
  }
  // One that has only just begun is called back at the next look, when its status names it.
  if (isKnown && (yield* isCalledBack(stage))) return;
  if (lacksScaler(stage) || (isKnown && isOnHold(stage))) return;
  // Who wants the rest skipped does not wait for the gate before it either.
  if (isKnown && promotionAsked(stage)) return start(stage);
  const refusal = yield* refusedBy(stage, 'confirm-rollout', {
    phase: status.phase,
    onPass: (hook) => normal(stage, `Confirm-rollout check ${hook.name} passed`),
  });
  if (!refusal) return start(stage);
  // What was left of the release before is not wanted for one that waits.
  if (stage.analysis.drainsSinceMs !== undefined) scaleToZero(stage);
  restartAs(stage, 'Waiting', stage.weight);
  if (status.phase === 'Waiting') return;
  warn(stage, `Halt ${names.canary} advancement waiting for approval ${refusal.hook.name}`);
  if (!refusal.hook.muteAlert) alert(stage, 'warn', 'Canary is waiting for approval.');
}

function start(stage: Stage): void {
  normal(stage, `New revision detected! Scaling up ${stage.names.target}`, 'Progressing');
  alert(stage, 'info', 'New revision detected, progressing canary analysis.', true);
  // After a failed promotion users may still be on the canary.
  const weight = stage.weight > 0 || stage.mirrored ? routeHome(stage) : 0;
  scaleFromZero(stage);
  restartAs(stage, 'Progressing', weight);
}

function tellConfigs(stage: Stage): void {
  const { status, revision } = stage;
  if (status.lastAppliedSpec !== revision.hash) return;
  for (const key of changedConfigs(status, revision)) log(stage, `${key.replace('/', ' ')} has changed`);
}

function rebase(stage: Stage): void {
  const { phase } = stage.status;
  const { failedChecks, iterations, mark } = stage.analysis;
  restartAs(stage, phase, stage.draft.status.canaryWeight);
  stage.draft.analysis = { ...stage.draft.analysis, failedChecks, iterations, ...(mark ? { mark } : {}) };
  if (phase !== 'Failed') update(stage, { lastPromotedSpec: stage.revision.hash });
}

/**
 * What Git says of the target's size is no revision, so no release brings it to the primary: it goes there while nothing is judged.
 * (With Flagger it waits for the next promotion.) Not while users depend on the target, whose size is its own then.
 */
function followGit(stage: Stage): void {
  const { weight, mirrored } = stage;
  if (weight > 0 || mirrored || !primaryServes(stage)) return;
  const resized = resizedPrimary(stage);
  if (resized) {
    // Its new pods read them.
    remakePromotedCopies(stage);
    followReplicas(stage, resized);
  }
  writePrimaryScaler(stage, 'behind');
}

/** A target whose users have gone home. Pods that somebody asked for by hand stay, unless an autoscaler would go on with them. */
function scaleTargetDown(stage: Stage): void {
  if (stage.status.phase === 'Failed') scaleToZero(stage);
  else pauseScaler(stage, true);
}

/** Whoever changes the primary by hand may mean it, so it stays; nobody else would know. */
function noticeForeign({ names, target, draft }: Stage, primary: KubeObject): void {
  const images = foreignImages(primary, target);
  if (images === undefined) return;
  draft.notice = `${names.primary} runs ${images}, which was promoted: somebody has changed it by hand. Its users keep that until the next promotion: push the version that is meant`;
}

/** Users who can go home, a primary that is gone, and what Git says of its size. */
function repairAtOnce(stage: Stage): void {
  const { seen, weight, novelty, status, revision } = stage;
  if (!seen.primary) remakePrimary(stage);
  else if (weight > 0 && canTakeUsers(stage)) takeHome(stage);
  followGit(stage);
  // The target went back to what runs anyway: its next change is a change again.
  if (novelty === 'promoted' && status.lastAppliedSpec !== revision.hash) rebase(stage);
}

/** What somebody took away while nothing was going on. */
function repair(stage: Stage): void {
  const { seen, status, revision, novelty, weight, names } = stage;
  const { primary } = seen;
  if (primary) {
    remakePromotedCopies(stage);
    if (isPromoted(stage)) noticeForeign(stage, primary);
    // They have gone home already, and the look at which they did came to no end.
    const isLeft = stage.mirrored || (status.phase === 'Failed' && status.canaryWeight > 0);
    if (weight === 0 && isLeft && canTakeUsers(stage)) takeHome(stage);
    else if (weight > 0 && !canTakeUsers(stage))
      stage.draft.notice = `${names.target} has ${weight} percent of the users, and no release is under way: ${names.primary} is not ready to take them back. They stay until it is`;
  }
  leaveCopies(stage);
  if (novelty === 'promoted' && status.lastAppliedSpec === revision.hash) rebase(stage);
}

/** Copies that somebody deleted of what was promoted. */
function remakePromotedCopies(stage: Stage): void {
  const isDone = stage.draft.intents.some(({ effect }) => effect.kind === 'copy-config');
  if (isPromoted(stage) && stage.novelty === 'same' && !isDone) remakeCopies(stage);
}

/** Only ever from the version that was promoted. */
function remakePrimary(stage: Stage): void {
  const ready = primaryReadiness(stage);
  if (ready.kind !== 'ready') warn(stage, ready.reason);
  if (isPromoted(stage) && !cannotBeCopied(stage)) writePrimary(stage);
}

/** After a failure the target, or one of its configs, is what was rejected. */
function isPromoted({ revision, status }: Stage): boolean {
  return revision.hash === status.lastPromotedSpec && status.phase !== 'Failed';
}

/** A primary that answers again takes its users back. */
function canTakeUsers(stage: Stage): boolean {
  return primaryServes(stage) && primaryReadiness(stage).kind === 'ready';
}

function takeHome(stage: Stage): void {
  const { names } = stage;
  normal(stage, 'Routing all traffic to primary');
  routeHome(stage);
  update(stage, { canaryWeight: 0 });
  if (stage.status.phase === 'Failed') scaleDown(stage);
  else scaleTargetDown(stage);
  log(stage, `${names.primary} is ready, ${names.target} gets no more traffic`);
}
