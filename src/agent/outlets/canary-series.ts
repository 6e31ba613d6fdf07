import type { CanarySpec, CanaryStatus, Decision, Seen } from '../../canary/types.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import { plainLine } from '../../lib/plain-text.ts';
import type { AnalysisStrategy, Telemetry } from '../telemetry.ts';

/** What `/metrics` says of canaries. Whatever it says of one goes with it. */
export interface CanarySeries {
  /** Brings a canary's gauges and counters to what a tick decided; `seconds` is how long it took. */
  show(spec: CanarySpec, status: CanaryStatus, seen: Seen, decision: Decision, seconds: number): void;
  /** The Canary is gone. */
  forget(key: AppKey): void;
}

interface Shown {
  readonly namespace: string;
  /** The target's name, by which Flagger's series go. */
  readonly name: string;
  phase: string;
  /** What the gauges say; absent: nothing yet. */
  status?: number;
  weight?: number;
  /** All that it was ever measured by. */
  readonly metrics: Set<string>;
}

const strategies: readonly AnalysisStrategy[] = ['canary', 'blue-green', 'ab-testing'];

/** The last value of a check. Flagger shows durations in seconds and compares them in milliseconds. */
export function showMeasurement(
  telemetry: Pick<Telemetry, 'metricAnalysis'>,
  { namespace, target }: CanarySpec,
  metric: string,
  value: number,
): void {
  const shown = metric === 'request-duration' ? value / 1_000 : value;
  telemetry.metricAnalysis.set({ name: target.name, namespace, metric: plainLine(metric) }, shown);
}

export function createCanarySeries(telemetry: Telemetry): CanarySeries {
  const shown = new Map<AppKey, Shown>();

  const countIn = (namespace: string): void => {
    const count = [...shown.values()].filter((one) => one.namespace === namespace).length;
    if (count === 0) telemetry.canaryTotal.remove({ namespace });
    else telemetry.canaryTotal.set({ namespace }, count);
  };
  const remember = ({ namespace, name, target, analysis }: CanarySpec): Shown => {
    const key = keyOf({ namespace, name });
    const before = shown.get(key);
    if (before && before.name !== target.name) series.forget(key);
    const now = shown.get(key) ?? { namespace, name: target.name, phase: '', metrics: new Set<string>() };
    for (const metric of analysis.metrics) now.metrics.add(plainLine(metric.name));
    if (!shown.has(key)) {
      shown.set(key, now);
      countIn(namespace);
    }
    return now;
  };

  const series: CanarySeries = {
    show(spec, status, seen, decision, seconds) {
      const { namespace } = spec;
      const { name } = spec.target;
      const now = remember(spec);
      const code = status.phase === 'Progressing' ? 0 : status.phase === 'Failed' ? 2 : 1;
      if (now.status !== code) telemetry.canaryStatus.set({ name, namespace }, code);
      now.status = code;
      if (now.phase !== status.phase) {
        if (now.phase !== '') telemetry.canaryPhase.remove({ name, namespace, phase: now.phase });
        if (status.phase !== '') telemetry.canaryPhase.set({ name, namespace, phase: status.phase }, 1);
      }
      now.phase = status.phase;
      const routed = decision.effects.findLast((effect) => effect.kind === 'set-route');
      const canaryWeight = routed?.kind === 'set-route' ? routed.split.canaryWeight : (seen.split?.canaryWeight ?? 0);
      if (now.weight !== canaryWeight) {
        telemetry.canaryWeight.set({ workload: `${name}-primary`, namespace }, 100 - canaryWeight);
        telemetry.canaryWeight.set({ workload: name, namespace }, canaryWeight);
      }
      now.weight = canaryWeight;
      if (decision.evidence) telemetry.canaryDuration.observe({ name, namespace }, seconds);
      for (const effect of decision.effects) {
        if (effect.kind !== 'end-release') continue;
        const labels = { name, namespace, deployment_strategy: spec.analysis.strategy.kind };
        if (effect.verdict === 'promoted')
          telemetry.successes.inc({ ...labels, analysis_status: spec.skipAnalysis ? 'skipped' : 'completed' });
        else telemetry.failures.inc({ ...labels, analysis_status: 'completed' });
      }
    },
    forget(key) {
      const gone = shown.get(key);
      if (!gone) return;
      shown.delete(key);
      const { namespace, name, phase, metrics } = gone;
      countIn(namespace);
      telemetry.canaryStatus.remove({ name, namespace });
      if (phase !== '') telemetry.canaryPhase.remove({ name, namespace, phase });
      for (const workload of [name, `${name}-primary`]) telemetry.canaryWeight.remove({ workload, namespace });
      telemetry.canaryDuration.remove({ name, namespace });
      for (const metric of metrics) telemetry.metricAnalysis.remove({ name, namespace, metric });
      for (const strategy of strategies) {
        const labels = { name, namespace, deployment_strategy: strategy };
        telemetry.failures.remove({ ...labels, analysis_status: 'completed' });
        for (const status of ['completed', 'skipped'])
          telemetry.successes.remove({ ...labels, analysis_status: status });
      }
    },
  };
  return series;
}
