import { failedEnough, freshAnalysis } from '../analysis-state.ts';
import { rollbackText } from '../evidence-text.ts';
import { want } from '../intents.ts';
import type { ToldTrouble } from '../trouble/trouble.ts';
import type { FailedCheck, Readiness } from '../types.ts';
import { canaryReadiness, canaryServes, primaryServes } from './health.ts';
import { callPostRollout } from './hooks.ts';
import { notReadyFinding } from './pods.ts';
import { asked } from './requests.ts';
import { scaleDown, scaleToZero } from './scaling.ts';
import { alert, normal, restartAs, type Stage, update, warn } from './tick.ts';
import { canGoHome, leaveDeadCanary, routeEveryone, routeHome } from './traffic.ts';

/** Ends a release that failed: traffic home, then the outcome, which survives a restart, then the canary to zero. */
export function rollBack(stage: Stage, failedCheck: FailedCheck): void {
  const { names, draft } = stage;
  const isSafe = canGoHome(stage);
  // A version that failed its checks is better than nobody: the primary gets its users back as soon as it answers.
  if (isSafe) routeHome(stage);
  else routeEveryone(stage);
  want(draft.intents, 'release', { kind: 'end-release', verdict: 'rolled-back', failedCheck });
  draft.isHeld = false;
  if (isSafe) {
    warn(stage, `Canary failed! Scaling down ${names.canary}`, 'Failed');
  } else {
    warn(stage, `Canary failed! ${names.canary} has all traffic because the primary does not answer`, 'Failed');
  }
  const { novelty, revision, status } = stage;
  restartAs(stage, 'Failed', isSafe ? 0 : 100);
  // A config that has gone meanwhile is still one that the version failed with: it is no news when it comes back.
  if (novelty === 'same' && revision.configs)
    update(stage, { trackedConfigs: { ...status.trackedConfigs, ...revision.configs } });
  if (isSafe) scaleDown(stage);
  callPostRollout(stage, 'Failed');
}

/** As `rollBack`, with an event and an alert that say why. */
export function tellAndRollBack(stage: Stage, failedCheck: FailedCheck): void {
  tellRollback(stage, failedCheck);
  rollBack(stage, failedCheck);
}

/** Somebody wants it back. True: it goes. */
export function abortAsAsked(stage: Stage): boolean {
  const request = stage.novelty === 'same' ? asked(stage, 'abort') : undefined;
  if (!request) return false;
  tellAndRollBack(stage, {
    name: 'abort',
    found: { kind: 'asked', act: 'abort', by: request.by, reason: request.reason },
  });
  return true;
}

export function rollBackAfterChecks(stage: Stage): void {
  const { analysis, seen } = stage;
  const { failedChecks: count, consecutive } = analysis;
  const isInARow = failedEnough(analysis, stage.spec) === 'in a row';
  const found = { kind: 'failed-checks', count, ...(isInARow && consecutive ? { consecutive } : {}) } as const;
  const counted: FailedCheck = { name: 'analysis', found };
  tellRollback(stage, counted);
  rollBack(stage, seen.lastFailedCheck ?? counted);
}

function tellRollback(stage: Stage, failedCheck: FailedCheck): void {
  const told = rollbackText(failedCheck, stage.names.canary);
  warn(stage, told.event);
  alert(stage, told.severity, told.alert);
}

/**
 * The analysed version does not run as the primary although it runs as the canary: users go (or stay) there.
 * The primary holds the new template, and the status says so: going back to the old one is a release of its own.
 */
export function failPromotion(
  stage: Stage,
  ready: Extract<Readiness, { readonly kind: 'stuck' }>,
  trouble: ToldTrouble | undefined,
): void {
  const { names } = stage;
  const { reason } = ready;
  warn(stage, `Promotion of ${names.target} failed, primary not ready: ${reason}`);
  alert(stage, 'error', `Promotion failed, primary not ready: ${reason}${trouble ? `: ${trouble.text}` : ''}`);
  // What has come in the place of the analysed version, or has too few pods for everybody, is only better than nobody.
  const isWhole = stage.novelty === 'same' && canaryReadiness(stage).kind === 'ready';
  const isBetter = canaryServes(stage) && (isWhole || !primaryServes(stage));
  if (isBetter) routeEveryone(stage);
  endPromotion(stage, isBetter ? 100 : stage.weight, {
    name: 'promotion',
    found: notReadyFinding('primary', trouble, ready),
  });
}

/** Its outcome stands already, whatever has become of the primary meanwhile: only the status does not say so yet. */
export function endRejectedPromotion(stage: Stage): void {
  const weight = leaveDeadCanary(stage) ? 0 : stage.weight;
  endPromotion(stage, weight, stage.seen.lastFailedCheck ?? { name: 'promotion', found: { kind: 'ended-before' } });
}

function endPromotion(stage: Stage, canaryWeight: number, failedCheck: FailedCheck): void {
  const { draft, status } = stage;
  want(draft.intents, 'release', { kind: 'end-release', verdict: 'rolled-back', failedCheck });
  update(stage, {
    phase: 'Failed',
    canaryWeight,
    lastPromotedSpec: status.lastAppliedSpec,
  });
  draft.analysis = freshAnalysis(stage.spec, status.lastAppliedSpec, stage.seen.nowMs);
  callPostRollout(stage, 'Failed');
}

/** The target went back to what the primary runs: there is nothing to judge, and no outcome. */
export function cancel(stage: Stage): void {
  const { names, revision, draft } = stage;
  if (!canGoHome(stage)) {
    warn(
      stage,
      `${names.target} is back at what the primary runs; it keeps its traffic because the primary does not answer`,
    );
    return;
  }
  normal(stage, `Analysis of ${names.target} cancelled, it is back at what the primary runs`);
  routeHome(stage, true);
  scaleToZero(stage);
  want(draft.intents, 'release', { kind: 'withdraw-release' });
  restartAs(stage, 'Initialized', 0);
  update(stage, { lastPromotedSpec: revision.hash });
}
