import type { CanarySpec, SessionCookies, TrafficSplit } from '../canary/types.ts';
import type { KubeObject, ObjectRef, OwnerReference } from '../manifest/types.ts';

/** What a router may look at. */
export interface RouteContext {
  readonly spec: CanarySpec;
  /** Put on created routing objects so that they go with the Canary. */
  readonly owner: OwnerReference;
  readonly settings: RouterSettings;
  /** What users carry at the split that is rendered. Absent: the Canary asks for no session affinity. */
  readonly cookies?: SessionCookies;
}

interface RouterSettings {
  /** Default `nginx.ingress.kubernetes.io`. */
  readonly ingressAnnotationsPrefix: string;
  /** Class of generated HTTPProxies (Flagger's `-ingress-class`). Absent: none is written. */
  readonly ingressClass?: string;
}

/** What a router can do. */
export interface Supports {
  /** Any share between nobody and everybody. */
  readonly weights: boolean;
  /** A copy of the requests for the canary. */
  readonly mirror: boolean;
  /** Some users for the canary, told by headers or cookies. */
  readonly headers: boolean;
  /** Users who stay where they were first. */
  readonly affinity: boolean;
}

/** The objects named by `refs`, in the same order; undefined where there is none. */
export type LiveObjects = readonly (KubeObject | undefined)[];

/**
 * One routing provider: objects in, objects out. It never talks to a cluster; the agent reads `refs`, writes what `render`
 * returns and retries conflicts.
 *
 * How to add one: write the file, export the constant, add it to `registry.ts`. The conformance suite and the goldens then run on it.
 */
export interface Router {
  /** The value of `spec.provider`. */
  readonly name: string;
  readonly supports: Supports;
  /** Kind of the object by which users come in: without it they would reach nobody when the Canary goes. Absent: there is none. */
  readonly entrance?: string;
  /** Its objects belong to the whole cluster, so no Canary can own them. Absent: they stand in the Canary's namespace and go with it. */
  readonly isClusterScoped?: boolean;
  /** Where it depends on the Canary. Absent: `supports`. */
  supportsFor?(spec: CanarySpec): Supports;
  /** What must be read before `render` and `read`. */
  refs(context: RouteContext): readonly ObjectRef[];
  /** The routing objects for a split. Fields of live objects that the router does not own stay. Throws AgentError CANARY_INVALID where the Canary lacks something. */
  render(context: RouteContext, split: TrafficSplit, live: LiveObjects): readonly KubeObject[];
  /** Everybody to the primary and nothing else changed: for a Canary that cannot be rendered any more. Absent: `render` can always do that. */
  home?(context: RouteContext, live: LiveObjects): readonly KubeObject[];
  /** The entrance as it is left behind when the Canary goes: it leads to the apex service alone. Absent: `render` with the primary's name replaced. */
  leave?(context: RouteContext, live: LiveObjects): KubeObject | undefined;
  /** Inverse of `render`; undefined before the objects exist. */
  read(context: RouteContext, live: LiveObjects): TrafficSplit | undefined;
  /** Why the objects have no effect yet; undefined when they have. */
  trouble?(context: RouteContext, live: LiveObjects): string | undefined;
}
