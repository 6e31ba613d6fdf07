import type { CanarySpec, CanaryStatus, Decision, Seen } from '../canary/types.ts';
import type { Telemetry } from './telemetry.ts';

/** Brings Flagger's gauges and counters to what a tick decided. */
export function showStatus(
  telemetry: Telemetry,
  spec: CanarySpec,
  status: CanaryStatus,
  seen: Seen,
  decision: Decision,
  seconds: number,
): void {
  const { namespace } = spec;
  const { name } = spec.target;
  telemetry.canaryStatus.set(
    { name, namespace },
    status.phase === 'Progressing' ? 0 : status.phase === 'Failed' ? 2 : 1,
  );
  const routed = decision.effects.findLast((effect) => effect.kind === 'set-route');
  const canaryWeight = routed?.kind === 'set-route' ? routed.split.canaryWeight : (seen.split?.canaryWeight ?? 0);
  telemetry.canaryWeight.set({ workload: `${name}-primary`, namespace }, 100 - canaryWeight);
  telemetry.canaryWeight.set({ workload: name, namespace }, canaryWeight);
  if (decision.evidence) telemetry.canaryDuration.observe({ name, namespace }, seconds);
  for (const effect of decision.effects) {
    if (effect.kind !== 'end-release') continue;
    const labels = {
      name,
      namespace,
      deployment_strategy: spec.analysis.strategy.kind,
      analysis_status: spec.skipAnalysis ? 'skipped' : 'completed',
    };
    if (effect.verdict === 'promoted') telemetry.successes.inc(labels);
    else telemetry.failures.inc(labels);
  }
}
