import { course } from './course.ts';
import { effectsOf } from './intents.ts';
import { paceOf } from './pace.ts';
import { beginTick, stageOf } from './phases/stage.ts';
import { mayBeAsked } from './phases/requests.ts';
import { isDeleted } from './phases/terminate.ts';
import type { Tick } from './phases/tick.ts';
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
  const run = course(tick, 'all');
  let next = run.next();
  return () => {
    while (!next.done) {
      const answer = seen.answers.get(questionKey(next.value));
      if (answer === undefined) return { kind: 'ask', question: next.value };
      next = run.next(answer);
    }
    return { kind: 'done', decision: decisionOf(tick) };
  };
}

/**
 * Whether a change in the cluster is a reason for a tick now: what cannot wait for the interval has something to do, to tell or to ask.
 * Steps and checks of an analysis are no such reason, whatever happens around them.
 */
export function needsTickNow(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): boolean {
  const tick = beginTick(spec, status, seen, settings);
  const isAsking = course(tick, 'urgent').next().done !== true;
  return isAsking || tick.draft.status !== status || tick.draft.intents.length > 0;
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

function decisionOf({ spec, status, analysis, seen, draft }: Tick): Decision {
  const after = stamped(status, withAnalysis(analysis, draft, seen.nowMs), spec.target.kind, seen.nowMs);
  return {
    effects: effectsOf(draft.intents, paceOf(spec.provider).forgetsMs),
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

/** The status with what the analysis has come to, and with what Flagger's columns show of it. */
function withAnalysis(before: AnalysisState, draft: Tick['draft'], nowMs: number): CanaryStatus {
  const { held: _before, ...state } = draft.analysis;
  const held = heldNow(before.held, draft, nowMs);
  const isSame = state.sinceMs === before.sinceMs && state.measured.version === before.measured.version;
  // Of a release that has ended or begun in this tick nothing is counted.
  const looks = draft.isJudged && isSame ? state.looks + 1 : state.looks;
  const analysis = { ...state, looks, ...(held ? { held } : {}) };
  const { onHold, ...rest } = draft.status;
  const status = onHold && mayBeAsked(rest) ? draft.status : rest;
  return { ...status, failedChecks: state.failedChecks, iterations: state.iterations, analysis };
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
