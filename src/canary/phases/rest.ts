import type { KubeObject } from '../../manifest/types.ts';
import { foreignImages } from '../foreign-primary.ts';
import { changedConfigs } from '../revision.ts';
import { healCopies, leaveCopies } from './config-copies.ts';
import { primaryReadiness, primaryServes } from './health.ts';
import { refusedBy } from './hooks.ts';
import { tellNotReady } from './pods.ts';
import { cannotBeCopied, writePrimary } from './primary-write.ts';
import { isCalledBack } from './progress.ts';
import { beginRelease } from './restart.ts';
import { cancel } from './rollback.ts';
import { followReplicas, lacksScaler, pauseScaler, scaleFromZero, scaleToZero, writePrimaryScaler } from './scaling.ts';
import { alert, type Asking, log, normal, restartAs, type Stage, update, warn } from './tick.ts';
import { leaveDeadCanary, routeHome } from './traffic.ts';

/** Nothing is under analysis (Initialized, Succeeded, Failed), or a new revision waits to be let in (Waiting). */
export function* rest(stage: Stage): Asking<void> {
  const { novelty, status, names } = stage;
  if (leaveDeadCanary(stage)) return putToSleep(stage);
  if (status.phase === 'Waiting') {
    if (novelty === 'promoted') return cancel(stage);
  } else if (novelty !== 'new' && !stage.seen.isPushedAgain) {
    heal(stage);
    leaveCopies(stage);
    keepUp(stage);
    // The target went back to what runs anyway: its next change is a change again.
    if (novelty === 'promoted') rebase(stage);
    return;
  }
  const isKnown = status.phase === 'Waiting' && novelty === 'same' && !stage.seen.isReplaced;
  if (!isKnown && stage.seen.isUnapplied) return;
  // None begins that the status cannot name yet; one that waits can still be called back.
  if (cannotBeCopied(stage) || (lacksScaler(stage) && !isKnown)) return;
  const ready = primaryReadiness(stage);
  if (ready.kind !== 'ready') {
    yield* tellNotReady(stage, 'primary', ready);
    // One that somebody deleted does not come back by waiting.
    if (ready.kind === 'progressing' && stage.seen.primary) return;
  }
  if (stage.seen.routeTrouble !== undefined) return warn(stage, stage.seen.routeTrouble);
  if (!isKnown) {
    tellConfigs(stage);
    beginRelease(stage, false);
  }
  // One that has only just begun is called back at the next look, when its status names it.
  if (isKnown && (yield* isCalledBack(stage))) return;
  if (lacksScaler(stage)) return;
  const refusal = yield* refusedBy(stage, 'confirm-rollout', {
    phase: status.phase,
    onPass: (hook) => normal(stage, `Confirm-rollout check ${hook.name} passed`),
  });
  if (!refusal) return start(stage);
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
export function keepUp(stage: Stage): void {
  const { weight, mirrored } = stage;
  if (weight > 0 || mirrored || !primaryServes(stage)) return;
  followReplicas(stage);
  writePrimaryScaler(stage, 'behind');
}

/** A target whose users have gone home. Pods that somebody asked for by hand stay, unless an autoscaler would go on with them. */
function putToSleep(stage: Stage): void {
  if (stage.status.phase === 'Failed') scaleToZero(stage);
  else pauseScaler(stage, true);
}

/** Whoever changes the primary by hand may mean it, so it stays; nobody else would know. */
function noticeForeign({ names, target, draft }: Stage, primary: KubeObject): void {
  const images = foreignImages(primary, target);
  if (images === undefined) return;
  draft.notice = `${names.primary} runs ${images}, which was promoted: somebody has changed it by hand. Its users keep that until the next promotion: push the version that is meant`;
}

/** What somebody took away while nothing was going on. */
function heal(stage: Stage): void {
  const { seen, status, revision, novelty, weight, names } = stage;
  const { primary } = seen;
  // After a failure the target, or one of its configs, is what was rejected.
  const isPromoted = revision.hash === status.lastPromotedSpec && status.phase !== 'Failed';
  if (!primary) {
    const ready = primaryReadiness(stage);
    if (ready.kind !== 'ready') warn(stage, ready.reason);
    // Only ever from the version that was promoted.
    if (isPromoted && !cannotBeCopied(stage)) writePrimary(stage);
    return;
  }
  if (isPromoted && novelty === 'same') healCopies(stage);
  if (isPromoted) noticeForeign(stage, primary);
  // A primary that answers again takes its users back.
  // Also where they have gone home already, and the look at which they did came to no end.
  const isLeft = weight > 0 || stage.mirrored || (status.phase === 'Failed' && status.canaryWeight > 0);
  if (isLeft && primaryServes(stage) && primaryReadiness(stage).kind === 'ready') {
    normal(stage, 'Routing all traffic to primary');
    routeHome(stage);
    putToSleep(stage);
    update(stage, { canaryWeight: 0 });
    log(stage, `${names.primary} is ready, ${names.target} gets no more traffic`);
  } else if (weight > 0) {
    stage.draft.notice = `${names.target} has ${weight} percent of the users, and no release is under way: ${names.primary} is not ready to take them back. They stay until it is`;
  }
}
