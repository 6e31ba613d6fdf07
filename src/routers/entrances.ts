import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import { perObject } from '../lib/memo.ts';
import { type KubeObject, refKey, refOf } from '../manifest/types.ts';
import type { LiveObjects, RouteContext, Router, Supports } from './router.ts';

/** The same Canary once for each of its entrances, as if it had only that one. */
const oncePerEntrance = perObject((spec: CanarySpec): readonly CanarySpec[] => {
  const { ingressRefs = [], ...rest } = spec;
  return ingressRefs.map((ref) =>
    ref.kind === 'ApisixRoute' ? { ...rest, routeRef: ref } : { ...rest, ingressRef: ref },
  );
});

/**
 * A router of an app that has several entrances (`spec.ingressRefs`): what it does for one is done for each, with the same weight. Where one
 * of them cannot be rendered, none is; going home goes by all of them.
 */
export function perEntrance(router: Router): Router {
  const hasOne = ({ ingressRefs }: CanarySpec): boolean => (ingressRefs?.length ?? 0) === 0;
  const each = (context: RouteContext): readonly RouteContext[] =>
    hasOne(context.spec) ? [context] : oncePerEntrance(context.spec).map((spec) => ({ ...context, spec }));
  const refs: Router['refs'] = (context) => {
    if (hasOne(context.spec)) return router.refs(context);
    return [...new Map(each(context).flatMap((one) => router.refs(one).map((ref) => [refKey(ref), ref]))).values()];
  };
  /** Of each entrance with the objects that are its own. */
  const all = <Value>(
    context: RouteContext,
    live: LiveObjects,
    ask: (one: RouteContext, own: LiveObjects) => Value,
  ): readonly Value[] => {
    if (hasOne(context.spec)) return [ask(context, live)];
    const at = new Map(refs(context).map((ref, index) => [refKey(ref), live[index]]));
    return each(context).map((one) =>
      ask(
        one,
        router.refs(one).map((ref) => at.get(refKey(ref))),
      ),
    );
  };
  const together = (objects: readonly (readonly KubeObject[])[]): readonly KubeObject[] => [
    ...new Map(objects.flat().map((object) => [refKey(refOf(object)), object])).values(),
  ];
  return {
    ...router,
    refs,
    render: (context, split, live) => together(all(context, live, (one, own) => router.render(one, split, own))),
    read: (context, live) => leastOf(all(context, live, (one, own) => router.read(one, own))),
    ...('home' in router
      ? { home: (context, live) => together(all(context, live, (one, own) => router.home?.(one, own) ?? [])) }
      : {}),
    ...('trouble' in router
      ? {
          trouble: (context, live) =>
            all(context, live, (one, own) => router.trouble?.(one, own)).find((text) => text !== undefined),
        }
      : {}),
    ...('supportsFor' in router
      ? {
          supportsFor(spec) {
            const found = (hasOne(spec) ? [spec] : oncePerEntrance(spec)).map(
              (one) => router.supportsFor?.(one) ?? router.supports,
            );
            const can = (what: keyof Supports): boolean => found.every((one) => one[what]);
            return {
              weights: can('weights'),
              mirror: can('mirror'),
              headers: can('headers'),
              affinity: can('affinity'),
            };
          },
        }
      : {}),
  };
}

/** Where somebody has changed one of them, the others follow the one that gives the canary least. Undefined: none is split yet. */
function leastOf(splits: readonly (TrafficSplit | undefined)[]): TrafficSplit | undefined {
  const found = splits.filter((split) => split !== undefined);
  return found.reduce<TrafficSplit | undefined>(
    (least, split) => (least === undefined || split.canaryWeight < least.canaryWeight ? split : least),
    undefined,
  );
}
