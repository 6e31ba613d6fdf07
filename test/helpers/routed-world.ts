import { cookiesAt } from '../../src/canary/affinity.ts';
import { defaultSelectorLabels, podLabels, selectorLabelOf } from '../../src/canary/labels.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus } from '../../src/canary/status.ts';
import { forEveryone, isForEveryone } from '../../src/canary/strategy.ts';
import type { CanarySpec, Effect } from '../../src/canary/types.ts';
import { perObject } from '../../src/lib/memo.ts';
import { type KubeObject, refKey, refOf } from '../../src/manifest/types.ts';
import {
  lacksBeforePods,
  planBeforePods,
  planRestore,
  planRoutes,
  type PlannedRoute,
  routeDrift,
} from '../../src/routers/reconcile.ts';
import { routerFor } from '../../src/routers/registry.ts';
import type { LiveObjects, RouteContext } from '../../src/routers/router.ts';
import { aRouteContext } from './a-route-context.ts';
import { createModelCluster, type ModelCluster } from './model-cluster.ts';

export interface RoutedWorld {
  readonly world: ModelCluster;
  readonly routes: Map<string, KubeObject>;
  /** The Canary and what belongs to it, gone as the garbage collector would have it. */
  readonly collect: () => void;
}

export interface RoutedOptions {
  readonly canarySpec: Readonly<Record<string, unknown>>;
  /** Of the Canary and its target. Absent: app. */
  readonly name?: string;
  /** What stands before the Canary; the target is among it. */
  readonly objects: readonly KubeObject[];
  /** Told of every object that is written, after it was. */
  readonly onWrite?: (object: KubeObject, over: KubeObject | undefined) => void;
}

/** The model of a cluster with the real routers in it: splits are read from objects, and written to them. */
export function createRoutedWorld({ canarySpec, name = 'app', objects, onWrite }: RoutedOptions): RoutedWorld {
  const world = createModelCluster({ canarySpec, name });
  const routes = new Map<string, KubeObject>();
  for (const object of objects) {
    if (object.kind === 'Deployment' || object.kind === 'DaemonSet')
      world.apply({ kind: 'write', object, over: world.objects.get(`${object.kind}/${object.metadata.name}`) });
    else routes.set(refKey(refOf(object)), object);
  }
  const see = world.see.bind(world);
  const apply = world.apply.bind(world);
  const parsed = perObject((canary: KubeObject) => parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 }));
  const specOf = (): CanarySpec => parsed(world.canary);
  const liveOf = (context: RouteContext): LiveObjects =>
    routerFor(context.spec.provider)
      .refs(context)
      .map(
        (ref) =>
          routes.get(refKey(ref)) ?? (ref.kind === 'Service' ? world.objects.get(`Service/${ref.name}`) : undefined),
      );
  const contextOf = (spec: CanarySpec): RouteContext => {
    const status = parseStatus(world.canary);
    const plain = aRouteContext(isForEveryone({ spec, status }) ? forEveryone(spec) : spec);
    const weight = routerFor(spec.provider).read(plain, liveOf(plain))?.canaryWeight ?? 0;
    const cookies = cookiesAt({ spec, status, uid: plain.owner.uid }, weight);
    const target = world.objects.get(`${spec.target.kind}/${spec.target.name}`);
    const selector = target && selectorLabelOf(target, defaultSelectorLabels);
    const pods = selector && {
      primary: podLabels({ selector, leadsTo: 'primary', primary: undefined, service: undefined }),
      canary: podLabels({ selector, leadsTo: 'canary', primary: undefined, service: undefined }),
    };
    return { ...plain, ...(cookies ? { cookies } : {}), ...(pods ? { pods } : {}) };
  };
  const write = (planned: readonly PlannedRoute[]): void => {
    for (const { object, over } of planned) {
      routes.set(refKey(refOf(object)), object);
      onWrite?.(object, over);
    }
  };

  world.see = () => {
    const context = contextOf(specOf());
    const router = routerFor(context.spec.provider);
    const live = liveOf(context);
    return {
      ...see(),
      split: router.read(context, live),
      routeDrift: routeDrift(router, context, live),
      ...(lacksBeforePods(router, context, live) ? { lacksBeforePods: true } : {}),
    };
  };
  world.apply = (effect: Effect) => {
    const context = contextOf(specOf());
    const router = routerFor(context.spec.provider);
    switch (effect.kind) {
      case 'set-route': {
        const { split, cookies, everyone } = effect;
        const spec = everyone ? forEveryone(specOf()) : specOf();
        return write(planRoutes(router, { ...context, spec, ...(cookies ? { cookies } : {}) }, liveOf(context), split));
      }
      case 'prepare-route':
        return write(planBeforePods(router, context, liveOf(context)));
      case 'reconcile-route':
        return write(planRoutes(router, context, liveOf(context), 'keep'));
      case 'restore-route':
        return write(planRestore(router, context, liveOf(context)));
      default:
        return apply(effect);
    }
  };
  return {
    world,
    routes,
    collect() {
      const isOwned = ({ metadata }: KubeObject): boolean =>
        metadata.ownerReferences?.some(({ kind }) => kind === 'Canary') ?? false;
      for (const held of [world.objects, routes])
        for (const [key, object] of held) if (isOwned(object)) held.delete(key);
    },
  };
}
