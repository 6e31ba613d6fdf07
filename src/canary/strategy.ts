import type { CanarySpec, CanaryStatus, Strategy } from './types.ts';

/** Who alone is moved to the canary, as the Canary says it; undefined: everybody. */
export function usersUnderTest({ analysis: { strategy } }: CanarySpec): readonly unknown[] | undefined {
  return strategy.kind === 'blue-green' ? undefined : strategy.match;
}

/** The step after this share; the last one where there is no greater. */
export function nextWeight({ steps, maxWeight }: Extract<Strategy, { kind: 'canary' }>, weight: number): number {
  return steps.find((step) => step > weight) ?? maxWeight;
}

/**
 * Whether all users are on the canary although only some were to be moved: the primary did not answer. An A/B test shows no weight
 * in its status otherwise, but on the way back to the primary.
 */
export function isForEveryone({ spec, status }: { readonly spec: CanarySpec; readonly status: CanaryStatus }): boolean {
  if (usersUnderTest(spec) === undefined || status.canaryWeight === 0) return false;
  if (status.phase === 'Failed') return true;
  if (status.phase === 'Promoting' || status.phase === 'Finalising') return false;
  const { strategy } = spec.analysis;
  // Steps that end below 100 % never lead there.
  return strategy.kind !== 'canary' || (status.canaryWeight === 100 && Math.max(...strategy.steps) < 100);
}

/** How a release of this Canary is judged, as people call it. */
export function strategyOf({
  skipAnalysis,
  analysis,
}: CanarySpec): 'canary' | 'a/b' | 'blue/green' | 'mirrored blue/green' | 'none' {
  if (skipAnalysis) return 'none';
  const { strategy } = analysis;
  if (strategy.kind === 'canary') return 'canary';
  if (strategy.kind === 'ab-testing') return 'a/b';
  return analysis.mirror ? 'mirrored blue/green' : 'blue/green';
}

/** The Canary with nobody told apart. */
export function forEveryone(spec: CanarySpec): CanarySpec {
  if (usersUnderTest(spec) === undefined) return spec;
  return { ...spec, analysis: { ...spec.analysis, strategy: { kind: 'canary', steps: [100], maxWeight: 100 } } };
}
