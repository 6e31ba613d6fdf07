import { analysisOf, ofPresentMetrics } from '../analysis-state.ts';
import { isUnderAnalysis } from '../phase.ts';
import { nextWeight } from '../strategy.ts';
import { noveltyOf, primarySource, revisionOf } from '../revision.ts';
import { targets } from '../targets/registry.ts';
import type { CanarySpec, CanaryStatus, DecideSettings, Seen } from '../types.ts';
import type { Draft, Stage, Tick } from './tick.ts';
import { canGoHome, observedWeight } from './traffic.ts';

export function beginTick(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): Tick {
  const { namespace, name, target } = spec;
  const analysis = ofPresentMetrics(analysisOf(status), spec, seen.nowMs);
  const draft: Draft = {
    intents: [],
    afterwards: [],
    status,
    analysis,
    checks: [],
    isHeld: analysis.held !== undefined,
    isJudged: false,
    nextTickMs: spec.analysis.intervalMs,
  };
  const names = {
    canary: `${name}.${namespace}`,
    target: `${target.name}.${namespace}`,
    primary: `${target.name}-primary.${namespace}`,
  };
  return { spec, kind: targets[spec.targetKind], status, analysis, seen, settings, draft, names };
}

/** Undefined where the target does not say by which label its pods are told apart. */
export function stageOf(tick: Tick, target: NonNullable<Seen['target']>): Stage | undefined {
  const { spec, kind, status, seen, settings } = tick;
  const selector = kind.selectorOf(target, settings.selectorLabels);
  if (!selector) return undefined;
  const revision = revisionOf(kind, target, seen, settings);
  // Of a primary that stands an autoscaler sets them.
  const isScaled = spec.autoscaler !== undefined && seen.primary !== undefined;
  // A target that somebody has made smaller by hand is no wish for a smaller primary.
  const replicas = isScaled
    ? undefined
    : kind.scaling && Math.max(kind.scaling.replicasOf(target), seen.desiredReplicas ?? 0);
  const source = primarySource(seen, selector, revision, settings, replicas);
  if (!source) return undefined;
  const weight = observedWeight(spec, seen, selector);
  // Users stay with those who answer them.
  const isBound = !canGoHome({ kind, seen, spec, selector });
  return {
    ...tick,
    target,
    selector,
    revision,
    source,
    novelty: noveltyOf({ kind, status, revision, seen, source }),
    weight,
    judged: isBound || isOwnStep(spec, status, seen, weight) ? weight : Math.min(weight, judgedWeight(spec, status)),
    mirrored: seen.split?.mirror ?? false,
  };
}

/** The status is behind the routes by the last step, which was taken after good checks and lost its status. */
function isOwnStep(spec: CanarySpec, status: CanaryStatus, { ledTo, isFirstLook }: Seen, weight: number): boolean {
  if (weight === ledTo) return true;
  return isFirstLook === true && isUnderAnalysis(status.phase) && weight === weightAfter(spec, status);
}

/** What the next good look gives the canary. */
function weightAfter({ analysis: { strategy } }: CanarySpec, { canaryWeight, iterations }: CanaryStatus): number {
  if (strategy.kind === 'canary') return nextWeight(strategy, canaryWeight);
  return strategy.kind === 'ab-testing' || iterations >= strategy.iterations ? 100 : canaryWeight;
}

/** The share that the analysis has come to, as the status says it; what routes give the canary beyond it has been judged by nobody. */
function judgedWeight(
  { analysis: { strategy } }: CanarySpec,
  { phase, canaryWeight, iterations }: CanaryStatus,
): number {
  const isSteps = strategy.kind === 'canary';
  switch (phase) {
    case 'Progressing':
    case 'WaitingPromotion':
    // Without an analysis nobody was given to what is promoted.
    case 'Promoting':
      if (isSteps) return canaryWeight;
      // Users of an A/B test come with its first round, those of blue/green after the last.
      return iterations > (strategy.kind === 'ab-testing' ? 0 : strategy.iterations) ? 100 : canaryWeight;
    case 'Finalising':
      // All have gone home.
      return canaryWeight;
    default:
      return 100;
  }
}
