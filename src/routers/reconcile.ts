import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
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
  const impossible = strategyProblem(router, context.spec);
  if (impossible !== undefined) throw invalid(context.spec, impossible);
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

/** Why a router cannot do what the analysis asks for; undefined where it can. */
export function strategyProblem(router: Router, spec: CanarySpec): string | undefined {
  const { weights, headers } = router.supports;
  // Without weights there are no routes, and the core makes it blue/green.
  if (!weights || headers || spec.analysis.strategy.kind !== 'ab-testing') return undefined;
  // Flagger would send everybody to the canary.
  return `provider ${router.name} cannot tell users apart: spec.analysis.match is not possible with it`;
}

/** The Canary as this router can do it: mirroring is dropped where there is none, or the analysis would wait for it for ever. */
export function supportedSpec(router: Router, spec: CanarySpec): CanarySpec {
  if (router.supports.mirror || !spec.analysis.mirror) return spec;
  return { ...spec, analysis: { ...spec.analysis, mirror: false } };
}
