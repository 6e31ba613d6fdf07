import type { TrafficSplit } from '../canary/types.ts';
import { canonicalJson } from '../lib/hash.ts';
import { type KubeObject, refKey, refOf } from '../manifest/types.ts';
import { invalid } from './objects.ts';
import type { LiveObjects, RouteContext, Router } from './router.ts';

export interface PlannedRoute {
  /** What is to stand. */
  readonly object: KubeObject;
  /** What stands, and `object` was made from; undefined: to be created. */
  readonly over: KubeObject | undefined;
}

/**
 * The routing objects that must be written to get this split, those that already are as they should be left out.
 * `keep` repairs everything but the running weights; before there are any, all traffic goes to the primary.
 * `live` are the objects named by `router.refs(context)`. Throws AgentError CANARY_INVALID.
 */
export function planRoutes(
  router: Router,
  context: RouteContext,
  live: LiveObjects,
  split: TrafficSplit | 'keep',
): readonly PlannedRoute[] {
  const { spec } = context;
  if (router.supports.weights && !router.supports.headers && spec.analysis.strategy.kind === 'ab-testing') {
    // Flagger would send everybody to the canary.
    throw invalid(spec, `provider ${router.name} cannot tell users apart: spec.analysis.match is not possible with it`);
  }
  const wanted = split === 'keep' ? (router.read(context, live) ?? { canaryWeight: 0, mirror: false }) : split;
  if (!Number.isInteger(wanted.canaryWeight) || wanted.canaryWeight < 0 || wanted.canaryWeight > 100) {
    throw new Error(`a canary weight of ${wanted.canaryWeight} is no percentage`);
  }
  const possible = { ...wanted, mirror: wanted.mirror && router.supports.mirror };
  const keys = router.refs(context).map(refKey);
  return router
    .render(context, possible, live)
    .map((object) => ({ object, over: live[keys.indexOf(refKey(refOf(object)))] }))
    .filter(({ object, over }) => over === undefined || canonicalJson(object) !== canonicalJson(over));
}

/** The routing objects exist and differ from what they should be, apart from the weights. */
export function routeDrift(router: Router, context: RouteContext, live: LiveObjects): boolean {
  return planRoutes(router, context, live, 'keep').some(({ over }) => over !== undefined);
}
