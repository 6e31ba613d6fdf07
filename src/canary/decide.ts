import { effectsOf } from './intents.ts';
import { labelProblem } from './labels.ts';
import { joinCopies } from './phases/config-copies.ts';
import { foreignApex } from './overlap.ts';
import { deadTargetPort } from './ports.ts';
import { canaryServes } from './phases/health.ts';
import { initialise } from './phases/initialise.ts';
import { unmarkPrimary } from './phases/primary-write.ts';
import { finalising, promoting } from './phases/promote.ts';
import { progress } from './phases/progress.ts';
import { rest } from './phases/rest.ts';
import { hasFinalizer, isDeleted, release, settleFinalizer, terminate } from './phases/terminate.ts';
import {
  leaveFormerScalers,
  tellsLackOfScaler,
  wakePrimary,
  wakeTarget,
  writePrimaryScaler,
} from './phases/scaling.ts';
import { beginTick, stageOf } from './phases/stage.ts';
import { standStill } from './phases/still.ts';
import { type Asking, normal, type Stage, type Tick, update, warn } from './phases/tick.ts';
import {
  followTarget,
  isPlain,
  leaveMissingTarget,
  leaveUnjudged,
  noteCookies,
  noteWeight,
  reconcileRoute,
  setBack,
  writeService,
} from './phases/traffic.ts';
import { stamped } from './status.ts';
import {
  type AnalysisState,
  type CanarySpec,
  type CanaryStatus,
  type DecideSettings,
  type Decision,
  type Hold,
  questionKey,
  type Seen,
  type Step,
} from './types.ts';

export { beginsRelease, wakes } from './wakes.ts';

/**
 * One tick of one Canary: everything that is known in, everything that is to be done out. Where it depends on an answer that is not in
 * `seen.answers` it asks for that one, and is called again with the same world and one answer more.
 */
export function decide(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): Step {
  return deciding(spec, status, seen, settings)();
}

/** As `decide`; each further call goes on from the question that it asked last, with the answers that `seen` has by then. */
export function deciding(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): () => Step {
  const tick = beginTick(spec, status, seen, settings);
  const course = run(tick);
  let next = course.next();
  return () => {
    while (!next.done) {
      const answer = seen.answers.get(questionKey(next.value));
      if (answer === undefined) return { kind: 'ask', question: next.value };
      next = course.next(answer);
    }
    return { kind: 'done', decision: decisionOf(tick) };
  };
}

function decisionOf({ spec, status, analysis, seen, draft }: Tick): Decision {
  const after = stamped(status, withAnalysis(analysis, draft, seen.nowMs), spec.target.kind, seen.nowMs);
  return {
    effects: effectsOf(draft.intents),
    status: after === status ? undefined : after,
    afterwards: draft.afterwards,
    evidence:
      draft.checks.length === 0
        ? undefined
        : {
            atMs: seen.nowMs,
            canaryWeight: status.canaryWeight,
            iterations: analysis.iterations,
            checks: draft.checks,
          },
    isJudged: draft.isJudged,
    ...(draft.notice === undefined ? {} : { notice: draft.notice }),
    nextTickMs: draft.nextTickMs,
  };
}

const isUnderAnalysis = ({ phase }: CanaryStatus): boolean => phase === 'Progressing' || phase === 'WaitingPromotion';

/** The status with what the analysis has come to, and with what Flagger's columns show of it. */
function withAnalysis(before: AnalysisState, draft: Tick['draft'], nowMs: number): CanaryStatus {
  const { held: _before, ...state } = draft.analysis;
  const held = heldNow(before.held, draft, nowMs);
  const isSame = state.sinceMs === before.sinceMs && state.measured.version === before.measured.version;
  // Of a release that has ended or begun in this tick nothing is counted.
  const looks = draft.isJudged && isSame ? state.looks + 1 : state.looks;
  const analysis = { ...state, looks, ...(held ? { held } : {}) };
  return { ...draft.status, failedChecks: state.failedChecks, iterations: state.iterations, analysis };
}

/** Since when it is held stands in the status, in whole seconds: an agent that starts anew makes no outage longer. */
function heldNow(before: Hold | undefined, draft: Tick['draft'], nowMs: number): Hold | undefined {
  if (!draft.isHeld) return undefined;
  const nowSeconds = Math.floor(nowMs / 1_000) * 1_000;
  const cause = draft.isUnpromotable ? 'unpromotable' : 'unknown';
  // Each cause has its own time.
  const sinceMs = before?.cause === cause ? before.sinceMs : nowSeconds;
  return { cause, sinceMs: Math.min(sinceMs, nowSeconds) };
}

function* run(tick: Tick): Asking<void> {
  const { spec, kind, status, seen, settings, names, draft } = tick;
  const mustRevert = isDeleted(tick) && hasFinalizer(tick);
  if (isDeleted(tick) && !mustRevert) return;
  if (!mustRevert) {
    if (spec.suspend) {
      if (!seen.isSuspensionTold) normal(tick, 'skipping canary run as object is suspended');
      tick.draft.isHeld = false;
      return standStill(tick);
    }
    if (settleFinalizer(tick)) return;
    if (status.phase === '') update(tick, { phase: 'Initializing' });
  }
  const { target } = seen;
  const place = { name: spec.target.name, namespace: spec.namespace };
  if (!target) {
    if (mustRevert) return release(tick);
    leaveMissingTarget(tick);
    return warn(tick, kind.missing(place));
  }
  const stage = stageOf(tick, target);
  if (!stage) {
    if (mustRevert) return release(tick);
    return warn(tick, kind.unlabelled(place, settings.selectorLabels));
  }
  if (mustRevert) return terminate(stage);
  const tooLong = seen.primary ? undefined : labelProblem(stage.selector);
  if (tooLong !== undefined) return warn(tick, `no primary can be made of ${names.target}: ${tooLong}`);
  const misled = draft.status.phase === 'Initializing' ? misleads(stage) : undefined;
  if (misled !== undefined) return warn(tick, `${names.canary} waits: ${misled}`);
  wakePrimary(stage);
  followTarget(stage);
  writeService(stage, 'primary', 'primary');
  const { phase } = tick.draft.status;
  yield* phase === 'Initializing' ? initialise(stage) : initialised(stage);
  unmarkPrimary(stage);
}

/** Why users would be led to another app, or to nobody, as soon as the Services of this one are written. */
function misleads({ seen, spec, target, selector }: Stage): string | undefined {
  if (selector.label === '') return undefined;
  const dead = deadTargetPort(spec, target);
  return (
    seen.overlap ??
    foreignApex(seen.apexService, target, seen.canary) ??
    (dead === undefined ? undefined : `spec.service.targetPort: ${dead}`)
  );
}

function* initialised(stage: Stage): Asking<void> {
  const { spec } = stage;
  joinCopies(stage);
  leaveFormerScalers(stage);
  if (!tellsLackOfScaler(stage)) writePrimaryScaler(stage, 'missing');
  if (stage.weight > 0 && canaryServes(stage)) wakeTarget(stage);
  writeService(stage, 'apex', isPlain(spec) && stage.judged === 100 ? 'canary' : 'primary');
  reconcileRoute(stage);
  noteCookies(stage);
  noteWeight(stage);
  yield* runPhase(stage);
  leaveUnjudged(stage);
  setBack(stage);
}

function* runPhase(stage: Stage): Asking<void> {
  stage.draft.isHeld &&= isUnderAnalysis(stage.draft.status);
  switch (stage.draft.status.phase) {
    case 'Progressing':
    case 'WaitingPromotion':
      return yield* progress(stage);
    case 'Promoting':
      return yield* promoting(stage);
    case 'Finalising':
      return yield* finalising(stage);
    default:
      return yield* rest(stage);
  }
}
