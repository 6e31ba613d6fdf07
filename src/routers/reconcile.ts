import { sameJson } from '../lib/same-json.ts';
import { forEveryone, usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import { AgentError } from '../lib/errors.ts';
import { type KubeObject, type ObjectRef, refKey, refOf } from '../manifest/types.ts';
import { givenAway, isCanarys, originalOf, rememberOriginal } from './adoption.ts';
import { invalid } from './objects.ts';
import type { LiveObjects, RouteContext, Router, Supports } from './router.ts';

export interface PlannedRoute {
  /** What is to stand. */
  readonly object: KubeObject;
  /** What stands, and `object` was made from; undefined: to be created. */
  readonly over: KubeObject | undefined;
}

/**
 * The routing objects that must be written to get this split, those that already are as they should be left out.
 * `keep` repairs everything but the running weights; before there are any, all traffic goes to the primary.
 * `live` are the objects named by `router.refs(context)`. Throws AgentError CANARY_INVALID, but never where users go home that are
 * away: that must work whatever has become of the Canary meanwhile.
 */
export function planRoutes(
  router: Router,
  context: RouteContext,
  live: LiveObjects,
  split: TrafficSplit | 'keep',
): readonly PlannedRoute[] {
  const running = router.read(context, live);
  const wanted = split === 'keep' ? (running ?? { canaryWeight: 0, mirror: false }) : split;
  if (!Number.isInteger(wanted.canaryWeight) || wanted.canaryWeight < 0 || wanted.canaryWeight > 100) {
    throw new Error(`a canary weight of ${wanted.canaryWeight} is no percentage`);
  }
  const supports = supportsOf(router, context.spec);
  const possible = { ...wanted, mirror: wanted.mirror && supports.mirror };
  const objects = renderFor(router, context, possible, live, split !== 'keep' && running !== undefined);
  return remembering(router, context, live, { objects, isRouted: running !== undefined });
}

/** What must be written before pods are made, see `Router.beforePods`. Throws AgentError CANARY_INVALID. */
export function planBeforePods(router: Router, context: RouteContext, live: LiveObjects): readonly PlannedRoute[] {
  const objects = router.beforePods?.(context, live) ?? [];
  return remembering(router, context, live, { objects, isRouted: router.read(context, live) !== undefined });
}

/** What differs from what stands, and keeps what it was where users made it. */
function remembering(
  router: Router,
  context: RouteContext,
  live: LiveObjects,
  { objects, isRouted }: { readonly objects: readonly KubeObject[]; readonly isRouted: boolean },
): readonly PlannedRoute[] {
  const keys = router.refs(context).map(refKey);
  const isUsersOwn = router.isUsersOwn?.(context.spec) === true;
  const planned = objects.map((object) => {
    const over = live[keys.indexOf(refKey(refOf(object)))];
    const isMade = !over || router.isClusterScoped === true || isUsersOwn || isTarget(context, refOf(object));
    return { object: isMade ? object : rememberOriginal(object, over, isRouted), over };
  });
  return planned.filter(({ object, over }) => !sameJson(object, over));
}

/**
 * Everybody to the primary, and nothing else of what stands is changed: what the API server has taken once it takes again. Empty where
 * the router has no such way, or everybody is there.
 */
export function planHome(router: Router, context: RouteContext, live: LiveObjects): readonly PlannedRoute[] {
  return changed(router, context, live, router.home?.(context, live) ?? []);
}

function changed(
  router: Router,
  context: RouteContext,
  live: LiveObjects,
  objects: readonly KubeObject[],
): readonly PlannedRoute[] {
  const keys = router.refs(context).map(refKey);
  return objects
    .map((object) => ({ object, over: live[keys.indexOf(refKey(refOf(object)))] }))
    .filter(({ object, over }) => !sameJson(object, over));
}

function renderFor(
  router: Router,
  context: RouteContext,
  split: TrafficSplit,
  live: LiveObjects,
  isMove: boolean,
): readonly KubeObject[] {
  try {
    const impossible = strategyProblem(router, context.spec);
    if (impossible !== undefined) throw invalid(context.spec, impossible);
    return router.render(context, split, live);
  } catch (error) {
    const goesHome = isMove && split.canaryWeight === 0 && !split.mirror;
    if (!goesHome || !(error instanceof AgentError)) throw error;
    if (router.home) return router.home(context, live);
    return router.render({ ...context, spec: forEveryone(context.spec) }, split, live);
  }
}

/** What is released is never taken back to how it was: that would be another release. */
function isTarget({ spec }: RouteContext, ref: ObjectRef): boolean {
  return refKey(ref) === refKey(spec.target);
}

/** What users have and a router looks at is never written, so that there is nothing to be taken back. */
function isOnlyRead({ spec }: RouteContext, ref: ObjectRef): boolean {
  const { ingressRef, ingressRefs = [], routeRef, upstreamRef } = spec;
  if (ref.kind === 'Service') return true;
  return [ingressRef, ...ingressRefs, routeRef, upstreamRef].some(
    (own) => own?.kind === ref.kind && own.name === ref.name && own.namespace === ref.namespace,
  );
}

/**
 * What is left behind when the Canary goes: objects that stood before it as they were, and of its own the one by which users come in,
 * leading to the apex Service. Everything else goes with it. Throws AgentError CANARY_INVALID.
 */
export function planRestore(router: Router, context: RouteContext, live: LiveObjects): readonly PlannedRoute[] {
  if (router.isUsersOwn?.(context.spec)) {
    const left = router.leave?.(context, live);
    return changed(router, context, live, left ? [left] : []);
  }
  return router.refs(context).flatMap((ref, at) => {
    const over = live[at];
    if (!over || isOnlyRead(context, ref) || isTarget(context, ref)) return [];
    const isMade = isCanarys(over) || router.isClusterScoped === true;
    const isEntrance = isMade && ref.kind === router.entrance && ref.name === context.spec.service.name;
    const object = isEntrance ? handedOver(router, context, live, ref) : originalOf(over);
    return object && !sameJson(object, over) ? [{ object, over }] : [];
  });
}

function handedOver(
  router: Router,
  { cookies: _cookies, ...context }: RouteContext,
  live: LiveObjects,
  ref: ObjectRef,
): KubeObject | undefined {
  if (router.leave && !router.isUsersOwn) return router.leave(context, live);
  const everyone = { ...context, spec: forEveryone(context.spec) };
  const atRest = renderFor(router, everyone, { canaryWeight: 0, mirror: false }, live, true);
  const entrance = atRest.find((object) => refKey(refOf(object)) === refKey(ref));
  return entrance && givenAway(entrance, context);
}

/** The routing objects exist and differ from what they should be, apart from the weights, or some of them are gone. */
export function routeDrift(router: Router, context: RouteContext, live: LiveObjects): boolean {
  const isRouted = router.read(context, live) !== undefined;
  return planRoutes(router, context, live, 'keep').some(({ over }) => isRouted || over !== undefined);
}

/** Pods of the primary are not to be made yet: what they need when they are made is missing, or differs. */
export function lacksBeforePods(router: Router, context: RouteContext, live: LiveObjects): boolean {
  try {
    return planBeforePods(router, context, live).length > 0;
  } catch (error) {
    // Whoever writes them says what is wrong.
    if (error instanceof AgentError) return true;
    throw error;
  }
}

/** What this router can do for this Canary. */
export function supportsOf(router: Router, spec: CanarySpec): Supports {
  return router.supportsFor?.(spec) ?? router.supports;
}

/** Why a router cannot do what the analysis asks for; undefined where it can. */
export function strategyProblem(router: Router, spec: CanarySpec): string | undefined {
  const { weights, headers, affinity } = supportsOf(router, spec);
  // Without weights there are no routes, and the core makes it blue/green.
  if (!weights) return undefined;
  const { sessionAffinity } = spec.analysis;
  if (usersUnderTest(spec) && !headers) {
    // Flagger would send everybody to the canary.
    const what = `provider ${router.name} cannot tell users apart: spec.analysis.match is not possible with it`;
    const adopted = router.isUsersOwn?.(spec)
      ? ' while spec.service.routeRef leaves the route to its users'
      : undefined;
    return `${what}${adopted ?? router.usersHint ?? ''}`;
  }
  if (sessionAffinity !== undefined && !affinity) {
    const adopted = ` while spec.service.routeRef leaves the route to its users`;
    const how = router.isUsersOwn?.(spec) ? adopted : router.supports.affinity ? ' for TCP' : '';
    return `provider ${router.name} cannot keep users where they are${how}: spec.analysis.sessionAffinity is not possible with it`;
  }
  return undefined;
}

/** The Canary as this router can do it: mirroring is dropped where there is none, or the analysis would wait for it for ever. */
export function supportedSpec(router: Router, spec: CanarySpec): CanarySpec {
  if (supportsOf(router, spec).mirror || !spec.analysis.mirror) return spec;
  return { ...spec, analysis: { ...spec.analysis, mirror: false } };
}
