import { noveltyOf, primarySource, revisionOf } from '../revision.ts';
import { targets } from '../targets/registry.ts';
import type { CanarySpec, CanaryStatus, DecideSettings, Seen } from '../types.ts';
import type { Draft, Stage, Tick } from './tick.ts';
import { observedWeight } from './traffic.ts';

export function beginTick(spec: CanarySpec, status: CanaryStatus, seen: Seen, settings: DecideSettings): Tick {
  const { namespace, name, target } = spec;
  const draft: Draft = {
    effects: [],
    afterwards: [],
    status,
    checks: [],
    isHeld: false,
    nextTickMs: spec.analysis.intervalMs,
  };
  const names = {
    canary: `${name}.${namespace}`,
    target: `${target.name}.${namespace}`,
    primary: `${target.name}-primary.${namespace}`,
  };
  return { spec, kind: targets[spec.targetKind], status, seen, settings, draft, names };
}

/** Undefined where the target does not say by which label its pods are told apart. */
export function stageOf(tick: Tick, target: NonNullable<Seen['target']>): Stage | undefined {
  const { spec, kind, status, seen, settings } = tick;
  const selector = kind.selectorOf(target, settings.selectorLabels);
  if (!selector) return undefined;
  const revision = revisionOf(kind, target, seen, settings);
  // Of a primary that stands an autoscaler sets them.
  const isScaled = spec.autoscaler !== undefined && seen.primary !== undefined;
  const replicas = isScaled
    ? undefined
    : kind.scaling && (kind.scaling.replicasOf(target) || seen.desiredReplicas || 0);
  const source = primarySource(seen, selector, revision, settings, replicas);
  if (!source) return undefined;
  return {
    ...tick,
    target,
    selector,
    revision,
    source,
    novelty: noveltyOf({ kind, status, revision, seen, source }),
    weight: observedWeight(spec, seen, selector),
    mirrored: seen.split?.mirror ?? false,
  };
}
