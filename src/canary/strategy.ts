import type { CanarySpec, CanaryStatus } from './types.ts';

/**
 * Whether all users are on the canary although only some were to be tested: the primary did not answer. An A/B test shows no weight
 * in its status otherwise, but on the way back to the primary.
 */
export function isForEveryone({ spec, status }: { readonly spec: CanarySpec; readonly status: CanaryStatus }): boolean {
  const isGoingHome = status.phase === 'Promoting' || status.phase === 'Finalising';
  return spec.analysis.strategy.kind === 'ab-testing' && status.canaryWeight > 0 && !isGoingHome;
}

/** The Canary with nobody told apart. */
export function forEveryone(spec: CanarySpec): CanarySpec {
  if (spec.analysis.strategy.kind !== 'ab-testing') return spec;
  return { ...spec, analysis: { ...spec.analysis, strategy: { kind: 'canary', steps: [100], maxWeight: 100 } } };
}
