import type { MetricSpec, Sample } from '../types.ts';
import { askHook, hooksOf } from './hooks.ts';
import { judge, metricKind } from './judge.ts';
import { type Asking, fail, normal, type Stage, update, warn } from './tick.ts';

/** What a tick's checks came to. `outage`: nobody could be asked, so nothing is known. */
export type Judgement = 'passed' | 'failed' | 'outage';

/** Tests before the canary gets its first traffic. */
export function* runPreRollout(stage: Stage): Asking<Judgement> {
  const { names, status } = stage;
  for (const hook of hooksOf(stage, 'pre-rollout')) {
    const answer = yield* askHook(hook, 'Progressing');
    if (answer.kind === 'rejected') {
      warn(stage, `Halt ${names.canary} advancement pre-rollout check ${hook.name} failed ${answer.reason}`);
      note(stage, hook.name, false, `check ${hook.name} failed: ${answer.reason}`);
      update(stage, { failedChecks: status.failedChecks + 1 });
      return 'failed';
    }
    normal(stage, `Pre-rollout check ${hook.name} passed`);
    note(stage, hook.name, true, `check ${hook.name} passed`);
  }
  return 'passed';
}

/** Webhooks, then metrics; the first that fails ends the tick. */
export function* analyse(stage: Stage): Asking<Judgement> {
  const { names, status, draft } = stage;
  for (const hook of hooksOf(stage, 'rollout')) {
    const answer = yield* askHook(hook, 'Progressing');
    if (answer.kind === 'rejected') {
      warn(stage, `Halt ${names.canary} advancement external check ${hook.name} failed ${answer.reason}`);
      note(stage, hook.name, false, `check ${hook.name} failed: ${answer.reason}`);
      update(stage, { failedChecks: status.failedChecks + 1 });
      return 'failed';
    }
    note(stage, hook.name, true, `check ${hook.name} passed`);
  }
  for (const metric of inOrder(stage.spec.analysis.metrics)) {
    const judgement = yield* measure(stage, metric);
    if (judgement === 'outage') draft.unreachable = true;
    if (judgement === 'failed') update(stage, { failedChecks: status.failedChecks + 1 });
    if (judgement !== 'passed') return judgement;
  }
  return 'passed';
}

function* measure(stage: Stage, metric: MetricSpec): Asking<Judgement> {
  const kind = metricKind(metric);
  if (!kind) {
    fail(stage, 'Metric query failed for no usable metrics template and query were configured');
    note(stage, metric.name, false, `metric ${metric.name} is unknown`);
    return 'failed';
  }
  const sample = yield* askMetric(metric);
  const { canary, target } = stage.names;
  const verdict = judge(metric, kind, sample, { canary, target, metricsProvider: metricsProviderOf(stage) });
  if (verdict.event) stage.draft.effects.push({ kind: 'event', event: verdict.event });
  if (sample.kind === 'unreachable') return 'outage';
  note(stage, metric.name, verdict.passed, verdict.text);
  return verdict.passed ? 'passed' : 'failed';
}

function* askMetric(metric: MetricSpec): Asking<Sample> {
  const answer = yield { kind: 'metric', metric };
  if (answer.kind === 'passed') return { kind: 'no-data', reason: 'no values found' };
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

function note({ draft }: Stage, name: string, passed: boolean, text: string): void {
  draft.checks.push({ name, passed, text });
}
