import { formatGoDuration } from '../../lib/duration.ts';
import type { Finding, Load } from '../evidence.ts';
import { hookEvent, metricEvent } from '../evidence-text.ts';
import { defaultInconclusive } from '../inconclusive.ts';
import { say } from '../intents.ts';
import type { InconclusiveAction, InconclusiveCause, MetricSpec, Sample } from '../types.ts';
import { askHook, hooksOf } from './hooks.ts';
import { metricKind } from '../metric-kind.ts';
import { judge } from './judge.ts';
import { type Asking, alertHeld, countFailure, normal, type Stage, warn } from './tick.ts';

/** What a tick's checks came to. `held`: too little is known, so nothing moves and nothing counts; `lost`: and a provider did not answer. */
export type Judgement = 'passed' | 'failed' | 'held' | 'lost';

const loadOf = ({ load }: { readonly load?: Load }): { readonly load?: Load } => (load ? { load } : {});

/** Tests before the canary gets its first traffic. */
export function* runPreRollout(stage: Stage): Asking<Judgement> {
  const { names } = stage;
  for (const hook of hooksOf(stage, 'pre-rollout')) {
    const answer = yield* askHook(hook, 'Progressing');
    if (answer.kind === 'rejected') {
      warn(stage, hookEvent(hook.name, answer.reason, 'pre-rollout', names.canary));
      note(stage, hook.name, false, { kind: 'hook', refusal: answer.reason });
      countFailure(stage);
      return 'failed';
    }
    normal(stage, `Pre-rollout check ${hook.name} passed`);
    note(stage, hook.name, true, { kind: 'hook', ...loadOf(answer) });
  }
  return 'passed';
}

/** Webhooks, then metrics; the first that fails ends the tick. One that finds nothing out does not hide what the next one finds. */
export function* analyse(stage: Stage): Asking<Judgement> {
  const { names } = stage;
  for (const hook of hooksOf(stage, 'rollout')) {
    const answer = yield* askHook(hook, 'Progressing');
    if (answer.kind === 'rejected') {
      warn(stage, hookEvent(hook.name, answer.reason, 'external', names.canary));
      note(stage, hook.name, false, { kind: 'hook', refusal: answer.reason });
      countFailure(stage);
      return 'failed';
    }
    note(stage, hook.name, true, { kind: 'hook', ...loadOf(answer) });
  }
  let reached: Judgement = 'passed';
  for (const metric of inOrder(stage.spec.analysis.metrics)) {
    const judgement = yield* measure(stage, metric);
    if (judgement === 'failed') {
      countFailure(stage);
      return judgement;
    }
    if (judgement === 'lost' || reached === 'passed') reached = judgement;
  }
  if (reached !== 'passed' && stage.analysis.held === undefined) tellHold(stage, reached === 'lost');
  return reached;
}

function tellHold(stage: Stage, isLost: boolean): void {
  const { names, spec } = stage;
  const limit = formatGoDuration(spec.progressDeadlineSeconds * 1_000);
  const end = isLost ? `it is rolled back after ${limit}` : `every check counts as failed after ${limit}`;
  warn(stage, `Hold ${names.canary} until metrics are known again, nothing counts; ${end}`);
  alertHeld(stage, `metrics are not known; ${end}`);
}

/** How long the canary has been held. */
export function heldMs({ seen, analysis }: Pick<Stage, 'seen' | 'analysis'>): number {
  // A clock that was set back since must not make it longer.
  return Math.max(seen.nowMs - (analysis.held?.sinceMs ?? seen.nowMs), 0);
}

export function isHeldTooLong(stage: Pick<Stage, 'seen' | 'spec' | 'analysis'>): boolean {
  return heldMs(stage) > stage.spec.progressDeadlineSeconds * 1_000;
}

/** The canary's own policy over the agent's. Holding for lack of data ends as failed checks, so that a release ends. */
function actionOf(stage: Stage, cause: InconclusiveCause): InconclusiveAction {
  const { spec, settings } = stage;
  const policy = { ...(settings.inconclusive ?? defaultInconclusive), ...spec.analysis.inconclusive };
  return policy[cause] === 'hold' && cause !== 'unreachable' && isHeldTooLong(stage) ? 'fail' : policy[cause];
}

function* measure(stage: Stage, metric: MetricSpec): Asking<Judgement> {
  const { name } = metric;
  const { canary, target } = stage.names;
  const names = { canary, target, metricsProvider: metricsProviderOf(stage) };
  const tell = (found: Finding, action?: InconclusiveAction): void => {
    const event = metricEvent({ name, found }, names, action);
    if (event) say(stage.draft.intents, { kind: 'event', event });
  };
  const kind = metricKind(metric);
  if (!kind) {
    const found = { kind: 'unknown-metric' } as const;
    tell(found);
    note(stage, name, false, found);
    return 'failed';
  }
  const sample = yield* askMetric(metric);
  const verdict = judge(metric, kind, sample, (cause) => actionOf(stage, cause));
  const { found } = verdict;
  if (verdict.kind !== 'inconclusive') {
    tell(found);
    note(stage, name, verdict.kind === 'passed', found);
    return verdict.kind;
  }
  const { action, cause } = verdict;
  tell(found, action);
  stage.draft.checks.push({ name, passed: action === 'pass', inconclusive: action, found });
  // The patience that ended in failed checks stays ended until something is found out.
  stage.draft.isHeld ||= action === 'hold' || (action === 'fail' && stage.analysis.held !== undefined);
  if (action === 'hold') return cause === 'unreachable' ? 'lost' : 'held';
  return action === 'pass' ? 'passed' : 'failed';
}

function* askMetric(metric: MetricSpec): Asking<Sample> {
  const answer = yield { kind: 'metric', metric };
  if (answer.kind === 'passed' || answer.kind === 'pods' || answer.kind === 'endpoints')
    return { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };
  return answer.kind === 'rejected' ? { kind: 'invalid', text: answer.reason } : answer;
}

/** Built-in and inline queries first, templates after them. A metric that is several of these is asked several times, as in Flagger. */
function inOrder(metrics: readonly MetricSpec[]): readonly MetricSpec[] {
  const first = metrics.flatMap(({ templateRef: _template, query, ...metric }) => {
    const isBuiltin = metricKind(metric) !== undefined;
    return [...(isBuiltin ? [metric] : []), ...(query === undefined ? [] : [{ ...metric, query }])];
  });
  const isNothingElse = (metric: MetricSpec): boolean => metricKind(metric) === undefined;
  return [...first, ...metrics.filter((metric) => metric.templateRef !== undefined || isNothingElse(metric))];
}

function metricsProviderOf({ spec, settings }: Stage): string {
  return settings.meshProvider?.includes('linkerd') ? 'linkerd' : spec.provider;
}

function note({ draft }: Stage, name: string, passed: boolean, found: Finding): void {
  draft.checks.push({ name, passed, found });
}
