import type { CanarySpec, SessionCookies, TrafficSplit } from '../canary/types.ts';
import type { About } from '../lib/about.ts';
import type { KubeObject, ObjectRef, OwnerReference } from '../manifest/types.ts';

/** What a router may look at. */
export interface RouteContext {
  readonly spec: CanarySpec;
  /** Put on created routing objects so that they go with the Canary. */
  readonly owner: OwnerReference;
  readonly settings: RouterSettings;
  /** What users carry at the split that is rendered. Absent: the Canary asks for no session affinity. */
  readonly cookies?: SessionCookies;
  /** Labels by which the pods of both versions are selected. Absent: the target is not there, or others make its pods. */
  readonly pods?: PodLabels;
}

export interface PodLabels {
  readonly primary: Readonly<Record<string, string>>;
  readonly canary: Readonly<Record<string, string>>;
}

/** Settings of the agent that routers declare, by their names. One object for as long as the agent runs. */
export type RouterSettings = Readonly<Record<string, string>>;

/** A kind of object that a router reads and writes, so the agent needs rights for it. */
interface RouteKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** As rights and URLs name it, e.g. `httproutes`. */
  readonly plural: string;
}

/** An object by which users come in and which the Canary names, but nobody generates. */
export interface Entrance {
  readonly ref: ObjectRef;
  /** Where the Canary names it, e.g. `spec.service.gatewayRefs[0]`. */
  readonly field: string;
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

export interface RouteWarning {
  /** Of the Canary. */
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

/** The objects named by `refs`, in the same order; undefined where there is none. */
export type LiveObjects = readonly (KubeObject | undefined)[];

/**
 * One routing provider: objects in, objects out. It never talks to a cluster; the agent reads `refs`, writes what `render`
 * returns and retries conflicts.
 *
 * How to add one: write its file and add its line to `registry.ts` (and take its name and fields out of `later` there). The conformance suite and
 * the goldens then run on it. `npx vitest run test/arch --update` writes its rights and its line of the README; the same tests say what else is needed.
 */
export interface Router {
  /** The value of `spec.provider`. */
  readonly name: string;
  /** What people call it, and where its own documentation is. */
  readonly about: About;
  readonly supports: Supports;
  /** Said of every Canary that uses it: its makers have ended it. Absent: they have not. */
  readonly endOfLife?: string;
  /** Kinds of all objects that `refs` names for any Canary. */
  readonly kinds: readonly RouteKind[];
  /** Fields of a Canary that it looks at and not every router does, e.g. `spec.service.hosts`; where it is not used, they are warned of. */
  readonly fields?: readonly string[];
  /** Settings of the agent that it looks at, each with its default. */
  readonly settings?: RouterSettings;
  /** Kind of the object by which users come in: without it they would reach nobody when the Canary goes. Absent: there is none. */
  readonly entrance?: string;
  /** Its objects belong to the whole cluster, so no Canary can own them. Absent: they stand in the Canary's namespace and go with it. */
  readonly isClusterScoped?: boolean;
  /** Where it depends on the Canary. Absent: `supports`. */
  supportsFor?(spec: CanarySpec): Supports;
  /** What makes it possible where it cannot tell users apart; goes on from a sentence that says so. */
  readonly usersHint?: string;
  /** What users come in by, as the Canary names it; `validate` looks for it in Git. Absent: nothing. */
  entrances?(spec: CanarySpec): readonly Entrance[];
  /** What must be read before `render` and `read`. */
  refs(context: RouteContext): readonly ObjectRef[];
  /** The routing objects for a split. Fields of live objects that the router does not own stay. Throws AgentError CANARY_INVALID where the Canary lacks something. */
  render(context: RouteContext, split: TrafficSplit, live: LiveObjects): readonly KubeObject[];
  /**
   * Those of the routing objects that must stand before the first pod of the primary is made, because pods are made by them (a sidecar
   * that is told who it is). They lead nobody anywhere. Absent: none must.
   */
  beforePods?(context: RouteContext, live: LiveObjects): readonly KubeObject[];
  /** Everybody to the primary and nothing else changed: for a Canary that cannot be rendered any more. Absent: `render` can always do that. */
  home?(context: RouteContext, live: LiveObjects): readonly KubeObject[];
  /** Its objects stay their users' own, who go on writing them: only weights are written. Absent: none do. */
  isUsersOwn?(spec: CanarySpec): boolean;
  /** The entrance as it is left behind when the Canary goes: it leads to the apex service alone. Absent: `render` with the primary's name replaced. */
  leave?(context: RouteContext, live: LiveObjects): KubeObject | undefined;
  /** Inverse of `render`; undefined before the objects exist. */
  read(context: RouteContext, live: LiveObjects): TrafficSplit | undefined;
  /** What is possible with these objects but most likely not meant; told with what is wrong in Git. */
  warnings?(context: RouteContext, live: LiveObjects): readonly RouteWarning[];
  /** Why the objects have no effect yet; undefined when they have. */
  trouble?(context: RouteContext, live: LiveObjects): string | undefined;
}
