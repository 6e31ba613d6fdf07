import { AgentError } from '../lib/errors.ts';
import { sameJson } from '../lib/same-json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { routeDrift } from './reconcile.ts';
import type { LiveObjects, RouteContext, Router } from './router.ts';

interface Found {
  readonly router: Router;
  readonly context: RouteContext;
  readonly live: LiveObjects;
  readonly hasDrifted: boolean;
}

/** By the first of the routing objects. */
const lastFound = new WeakMap<KubeObject, Found>();

/**
 * Whether somebody has changed the routing objects. A router that cannot render (say, the Ingress is missing) has drifted; the effect
 * that renders reports why. Most looks find Canary and routes as the one before did: then its answer stands.
 */
export function hasDrifted(router: Router, context: RouteContext, live: LiveObjects): boolean {
  const [first] = live;
  const before = first && lastFound.get(first);
  if (before && isSame(before, router, context, live)) return before.hasDrifted;
  const found = look(router, context, live);
  // Cookies come and go by themselves.
  if (first && !context.cookies) lastFound.set(first, { router, context, live, hasDrifted: found });
  return found;
}

function isSame(
  before: Found,
  router: Router,
  { spec, owner, settings, cookies, pods }: RouteContext,
  live: LiveObjects,
): boolean {
  const { context } = before;
  return (
    !cookies &&
    before.router === router &&
    context.spec === spec &&
    context.owner.uid === owner.uid &&
    context.settings === settings &&
    sameJson(context.pods, pods) &&
    before.live.length === live.length &&
    before.live.every((object, at) => object === live[at])
  );
}

function look(router: Router, context: RouteContext, live: LiveObjects): boolean {
  try {
    return routeDrift(router, context, live);
  } catch (error) {
    if (error instanceof AgentError) return true;
    throw error;
  }
}
