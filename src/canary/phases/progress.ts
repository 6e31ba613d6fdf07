import { failedEnough, withConsecutive } from '../analysis-state.ts';
import { at, listOf, numberOf } from '../../lib/json.ts';
import { learnsMs, paceOf } from '../pace.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Readiness } from '../types.ts';
import { advance, promoteFrom, tellPlain } from './advance.ts';
import { analyse, heldMs, isHeldTooLong, type Judgement, runPreRollout } from './analyse.ts';
import { canaryReadiness, canaryServes, primaryReadiness, primaryServes } from './health.ts';
import type { Phase } from './phase.ts';
import { notReadyFinding, tellNotReady } from './pods.ts';
import { askHook, hooksOf } from './hooks.ts';
import { writePrimary } from './primary-write.ts';
import { awaitsCopies } from './promote.ts';
import { restartAnalysis } from './restart.ts';
import { isOnHold, isPromotionDue, promotionAsked, tellPromotion } from './requests.ts';
import { abortAsAsked, cancel, rollBack, rollBackAfterChecks, tellAndRollBack } from './rollback.ts';
import { lacksScaler, scaleFromZero, resumeTargetScaler, writePrimaryScaler } from './scaling.ts';
import { alert, alertHeld, type Asking, normal, setMark, setRounds, type Stage, update, warn } from './tick.ts';
import { leaveDeadCanary, routeEveryone, routeHome } from './traffic.ts';

/** A release under analysis (Progressing, WaitingPromotion). */
export const progressing: Phase = {
  *urgent(stage) {
    if (hasNothingToJudge(stage) || abortAsAsked(stage)) return true;
    // The steps begin again when there are pods.
    if (leaveDeadCanary(stage)) stepBack(stage);
    else if (isPromotionDue(stage) && !isJustUp(stage)) {
      if (!(yield* isCalledBack(stage))) promoteAsAsked(stage);
      return true;
    }
    return false;
  },
  scheduled: progress,
};

/** Ends, or begins anew, what is under analysis no more. True: it did. */
function hasNothingToJudge(stage: Stage): boolean {
  const { novelty, seen } = stage;
  if (novelty === 'new') restartAnalysis(stage);
  // Its outcome stands already: whatever the target is by now, there is nothing left to judge.
  else if (seen.recorded === 'rejected')
    rollBack(stage, seen.lastFailedCheck ?? { name: 'analysis', found: { kind: 'ended-before' } });
  else if (novelty === 'promoted') cancel(stage);
  else if (seen.recorded === 'replaced') restartAnalysis(stage);
  else return false;
  return true;
}

/** Checks, then the next step, one a tick. */
function* progress(stage: Stage): Asking<void> {
  const { spec, seen } = stage;
  const isOver = failedEnough(stage.analysis, spec) !== undefined;
  const primary = primaryReadiness(stage);
  if (primary.kind !== 'ready') {
    yield* tellNotReady(stage, 'primary', primary);
    // A primary that is gone, or in trouble for good, is no fault of the canary, which may be the remedy; one in motion is waited for.
    if (primary.kind === 'progressing' && seen.primary) {
      if (isOver && primaryServes(stage)) rollBackAfterChecks(stage);
      return;
    }
  }
  // A rollback waits for nothing: a restart amid one may have left the canary without pods.
  if (isOver) return rollBackAfterChecks(stage);
  if (!(yield* isCanaryUp(stage))) return;
  if (!spec.skipAnalysis && (yield* isCalledBack(stage))) return;
  // It keeps the users whom it has: nothing is known of those whom it would get.
  if (seen.routeTrouble !== undefined) {
    warn(stage, seen.routeTrouble);
    return alertHeld(stage, seen.routeTrouble);
  }
  if (spec.skipAnalysis) return isOnHold(stage) ? undefined : skip(stage);
  if (yield* isUnknownYet(stage)) return;
  // What kept it from being done at once is told.
  if (!lacksScaler(stage) && promoteAsAsked(stage)) return;
  if (isTooSoon(stage)) return;
  stage.draft.isHeld = false;
  const judgement = yield* checkInTime(stage);
  if (judgement === 'lost') return holdThroughOutage(stage);
  if (judgement !== 'passed' || lacksScaler(stage)) return;
  if (isOnHold(stage)) stay(stage);
  else yield* advance(stage);
}

/** Held by a person: its checks have passed, and nothing comes of it. */
function stay(stage: Stage): void {
  const { spec, judged, mirrored, analysis } = stage;
  const isWeighted = spec.analysis.strategy.kind === 'canary';
  // A primary that does not answer keeps nobody.
  if (isWeighted && judged < 100 && !primaryServes(stage)) {
    routeEveryone(stage);
    return update(stage, { phase: 'Progressing', canaryWeight: 100 });
  }
  // Its tests before the first traffic are behind it.
  if (judged === 0 && !mirrored && analysis.iterations === 0 && analysis.mark === undefined) setMark(stage, 'prepared');
}

/** Skips the rest of the analysis. True: somebody asked for it. */
function promoteAsAsked(stage: Stage): boolean {
  const request = promotionAsked(stage);
  if (!request) return false;
  tellPromotion(stage, request);
  promoteFrom(stage);
  return true;
}

/** Deals with a canary that is not ready. */
function* isCanaryUp(stage: Stage): Asking<boolean> {
  const ready = overdue(stage, canaryReadiness(stage));
  // With pods that are about to go it is as one that has none yet.
  if (ready.kind === 'ready') return !resumeTargetScaler(stage);
  const trouble = yield* tellNotReady(stage, 'canary', ready);
  if (ready.kind === 'stuck') {
    alert(stage, 'error', `Progress deadline exceeded ${ready.reason}${trouble ? `: ${trouble.text}` : ''}`);
    rollBack(stage, { name: 'readiness', found: notReadyFinding('canary', trouble, ready) });
    return false;
  }
  scaleFromZero(stage);
  return false;
}

/**
 * A Deployment that was complete at zero pods, and may miss them all (one replica and maxUnavailable 1, as in Flagger's own guides), never
 * tells that its deadline is over. Without a pod that answers it is over all the same, so that the release ends.
 */
function overdue(stage: Stage, ready: Readiness): Readiness {
  const { kind, spec, seen, status } = stage;
  if (ready.kind !== 'progressing' || kind.kind !== 'Deployment' || canaryServes(stage)) return ready;
  const sinceMs = seen.nowMs - Date.parse(status.lastTransitionTime ?? '');
  // One look more than the Deployment's own deadline, which is to be told first where it can.
  const deadlineMs = spec.progressDeadlineSeconds * 1_000 + spec.analysis.intervalMs;
  return sinceMs > deadlineMs ? { ...ready, kind: 'stuck' } : ready;
}

/** The steps of one whose users have gone home begin again; rounds that were passed stay. */
export function stepBack(stage: Stage): void {
  const { spec, analysis } = stage;
  const { strategy } = spec.analysis;
  update(stage, { phase: 'Progressing' });
  if (strategy.kind === 'canary') setMark(stage, 'prepared');
  else if (analysis.iterations > strategy.iterations) setRounds(stage, strategy.iterations);
}

/** How long after the last look EndpointSlices are looked at again. */
const againMs = 150;

/**
 * The canary answers, but what is to lead users to it may not know yet: they would be refused. EndpointSlices tell when everybody can know;
 * where nobody keeps them, or where the proxy does not go by them alone, it is given time.
 */
function* isUnknownYet(stage: Stage): Asking<boolean> {
  const { weight, kind, seen, draft, analysis, names } = stage;
  const candidate = kind.candidateOf(seen);
  if (weight > 0 || !candidate || !kind.pods) return false;
  const leftMs = learnsForMs(stage, candidate);
  const isFirst = analysis.mark === undefined && analysis.iterations === 0;
  if (leftMs === 0 && !isFirst) return false;
  const wait = (ms: number): boolean => {
    draft.nextTickMs = Math.min(draft.nextTickMs, ms);
    return true;
  };
  const knowsMs = knowsAfterMs(stage);
  if (leftMs > 0 && knowsMs === undefined) return wait(leftMs);
  const { answering } = kind.pods(candidate);
  const answer = yield { kind: 'endpoints', pods: answering };
  const told = answer.kind === 'endpoints' ? answer : undefined;
  if (told?.ready === undefined) return leftMs > 0 && wait(leftMs);
  if (told.knownMs !== undefined)
    return (leftMs > 0 || !kind.movedAtMs) && told.knownMs < (knowsMs ?? 0) && wait((knowsMs ?? 0) - told.knownMs);
  if (leftMs > 0 || (told.unknownMs ?? 0) < learnsMs) return wait(againMs);
  if (told.ready > 0) return false;
  const { name } = stage.seen.canaryService?.metadata ?? { name: names.canary };
  warn(stage, `Halt ${names.canary} advancement, no EndpointSlice of Service ${name} tells of a pod that is ready`);
  return wait(learnsMs);
}

/** Where nothing is asked: its pods have come so lately that nobody may know them. */
function isJustUp(stage: Stage): boolean {
  const { weight, kind, seen, draft } = stage;
  const candidate = kind.candidateOf(seen);
  const leftMs = weight > 0 || !candidate ? 0 : learnsForMs(stage, candidate);
  if (leftMs === 0) return false;
  draft.nextTickMs = Math.min(draft.nextTickMs, leftMs);
  return true;
}

/** How long those who look once in a while may still not know its pods. */
function learnsForMs({ kind, seen }: Stage, candidate: KubeObject): number {
  const sinceMs = seen.nowMs - (kind.movedAtMs?.(candidate) ?? 0);
  // Of a clock that goes differently nothing follows.
  return sinceMs < 0 ? 0 : Math.max(learnsMs - sinceMs, 0);
}

/** Pre-rollout tests, and users of the plain provider, come by kube-proxy, which tells nobody what it knows. */
function knowsAfterMs(stage: Stage): number | undefined {
  return hooksOf(stage, 'pre-rollout').length > 0 ? undefined : paceOf(stage.spec.provider).knowsMs;
}

/** Whatever made it look now: the same trouble must not count twice. Only a gate that opens lets the next step come early. */
function isTooSoon({ seen, draft }: Stage): boolean {
  if (seen.restMs === undefined || seen.isGateOpened) return false;
  draft.nextTickMs = seen.restMs;
  return true;
}

/** What fails ahead of its time stops the next step, and counts when it still fails in time. */
function* checkInTime(stage: Stage): Asking<Judgement> {
  const { seen, draft, analysis } = stage;
  const judgement = yield* check(stage);
  draft.isJudged = seen.restMs === undefined || judgement === 'passed';
  if (judgement === 'passed') draft.analysis = withConsecutive(draft.analysis, 0);
  if (draft.isJudged) return judgement;
  draft.nextTickMs = seen.restMs ?? draft.nextTickMs;
  const { failedChecks, consecutive } = analysis;
  draft.analysis = withConsecutive({ ...draft.analysis, failedChecks }, consecutive);
  return judgement;
}

/** Rollback hooks are asked first of all; the first that agrees ends the release. */
export function* isCalledBack(stage: Stage): Asking<boolean> {
  const { status } = stage;
  for (const hook of hooksOf(stage, 'rollback')) {
    const answer = yield* askHook(hook, status.phase);
    if (answer.kind === 'rejected') {
      normal(stage, `Rollback hook ${hook.name} not signaling a rollback`);
      continue;
    }
    warn(stage, `Rollback check ${hook.name} passed`);
    tellAndRollBack(stage, { name: hook.name, found: { kind: 'called-back' } });
    return true;
  }
  return false;
}

function* check(stage: Stage): Asking<Judgement> {
  const { judged, analysis: state, mirrored, spec, names, seen } = stage;
  const isUntouched = judged === 0 && !(spec.analysis.mirror && mirrored);
  if (!isUntouched) return yield* analyse(stage);
  const isWeighted = spec.analysis.strategy.kind === 'canary';
  if (isWeighted && state.mark !== undefined) return 'passed';
  // One that was weighted before has its pre-rollout tests behind it, too.
  if (!isWeighted && (state.iterations > 0 || state.mark !== undefined)) return yield* analyse(stage);
  normal(stage, `Starting canary analysis for ${names.target}`);
  const analysis = at(seen.canary, 'spec', 'analysis') ?? at(seen.canary, 'spec', 'canaryAnalysis');
  const asked = {
    iterations: numberOf(at(analysis, 'iterations')) ?? 0,
    hasMatch: listOf(at(analysis, 'match')).length > 0,
  };
  const judgement = yield* runPreRollout(stage);
  if (judgement === 'passed') tellPlain(stage, asked);
  return judgement;
}

/** Nothing is known of the canary: it keeps its share, and nothing counts against it until the deadline is over. */
function holdThroughOutage(stage: Stage): void {
  if (!isHeldTooLong(stage)) return;
  tellAndRollBack(stage, { name: 'metrics', found: { kind: 'metrics-lost', forMs: heldMs(stage) } });
}

/** Without an analysis: users go home, the primary gets the new version, and its rollout is waited for. */
function skip(stage: Stage): void {
  const { names } = stage;
  if (lacksScaler(stage) || awaitsCopies(stage)) return;
  stage.draft.isHeld = false;
  const weight = stage.weight > 0 || stage.mirrored ? routeHome(stage) : 0;
  normal(stage, `Copying ${names.target} template spec to ${names.primary}`);
  writePrimary(stage);
  writePrimaryScaler(stage, 'always');
  update(stage, { phase: 'Promoting', canaryWeight: weight });
  setRounds(stage, 0);
}
