import type { CanarySpec } from '../canary/types.ts';
import { type AppKey, keyOf } from '../lib/key.ts';
import { plainLine } from '../lib/plain-text.ts';
import type { Looked, Measured } from './happening.ts';
import type { AnalysisStrategy, Telemetry } from './telemetry.ts';

/** What `/metrics` says of canaries. Whatever it says of one goes with it. */
export interface CanarySeries {
  /** Brings a canary's gauges and counters to what a tick came to. */
  show(looked: Looked): void;
  /** The last value of a check. */
  measured(measured: Pick<Measured, 'spec' | 'metric' | 'value'>): void;
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

export function createCanarySeries(telemetry: Telemetry): CanarySeries {
  const shown = new Map<AppKey, Shown>();

  /** By namespace. */
  const counts = new Map<string, number>();

  const countIn = (namespace: string, by: 1 | -1): void => {
    const count = (counts.get(namespace) ?? 0) + by;
    if (count === 0) {
      counts.delete(namespace);
      telemetry.canaryTotal.remove({ namespace });
    } else {
      counts.set(namespace, count);
      telemetry.canaryTotal.set({ namespace }, count);
    }
  };
  const remember = ({ namespace, name, target, analysis }: CanarySpec): Shown => {
    const key = keyOf({ namespace, name });
    const before = shown.get(key);
    if (before && before.name !== target.name) series.forget(key);
    const now = shown.get(key) ?? { namespace, name: target.name, phase: '', metrics: new Set<string>() };
    for (const metric of analysis.metrics) now.metrics.add(plainLine(metric.name));
    if (!shown.has(key)) {
      shown.set(key, now);
      countIn(namespace, 1);
    }
    return now;
  };

  const series: CanarySeries = {
    show({ spec, phase, weight, seconds, verdicts }) {
      const { namespace } = spec;
      const { name } = spec.target;
      const now = remember(spec);
      const code = phase === 'Progressing' ? 0 : phase === 'Failed' ? 2 : 1;
      if (now.status !== code) telemetry.canaryStatus.set({ name, namespace }, code);
      now.status = code;
      if (now.phase !== phase) {
        if (now.phase !== '') telemetry.canaryPhase.remove({ name, namespace, phase: now.phase });
        if (phase !== '') telemetry.canaryPhase.set({ name, namespace, phase }, 1);
      }
      now.phase = phase;
      if (now.weight !== weight) {
        telemetry.canaryWeight.set({ workload: `${name}-primary`, namespace }, 100 - weight);
        telemetry.canaryWeight.set({ workload: name, namespace }, weight);
      }
      now.weight = weight;
      if (seconds !== undefined) telemetry.canaryDuration.observe({ name, namespace }, seconds);
      for (const verdict of verdicts) {
        const labels = { name, namespace, deployment_strategy: spec.analysis.strategy.kind };
        if (verdict === 'promoted')
          telemetry.successes.inc({ ...labels, analysis_status: spec.skipAnalysis ? 'skipped' : 'completed' });
        else telemetry.failures.inc({ ...labels, analysis_status: 'completed' });
      }
    },
    measured({ spec: { namespace, target }, metric, value }) {
      // Flagger shows durations in seconds and compares them in milliseconds.
      const shownValue = metric === 'request-duration' ? value / 1_000 : value;
      telemetry.metricAnalysis.set({ name: target.name, namespace, metric: plainLine(metric) }, shownValue);
    },
    forget(key) {
      const gone = shown.get(key);
      if (!gone) return;
      shown.delete(key);
      const { namespace, name, phase, metrics } = gone;
      countIn(namespace, -1);
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
