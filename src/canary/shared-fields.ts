import type { KubeObject } from '../manifest/types.ts';
import { targetKindOf, targets } from './targets/registry.ts';
import { isRoute, servicesSplitIn, withLiveSplits } from './shared-route.ts';
import type { TargetShare } from './targets/target.ts';

/** What Canaries write into an object of their users: the weights of a route, or what a kind of target has. */
export type CanaryShare = TargetShare | 'weights';

/** What a Canary writes into its own target or the route of its users, and whoever applies that from Git leaves alone. */
export function sharedByCanary({ apiVersion, kind }: KubeObject): CanaryShare {
  if (isRoute({ apiVersion, kind })) return 'weights';
  return targets[targetKindOf(kind, apiVersion)].shared;
}

/** An object from Git for this version of the live one, with what its Canary has written into a field that can only be sent as a whole. */
export function withShared(live: KubeObject, object: KubeObject): KubeObject {
  const { resourceVersion } = live.metadata;
  const versioned =
    resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } };
  if (isRoute(object)) return withLiveSplits(live, versioned);
  return targets[targetKindOf(object.kind, object.apiVersion)].withShared?.(live, versioned) ?? versioned;
}

/** The field of such a kind, from the object's root: who owns it last says nothing. Undefined: it has none. */
export function wholeField(object: KubeObject): readonly string[] | undefined {
  const { apiVersion, kind } = object;
  if (isRoute(object)) return servicesSplitIn(object).length > 0 ? ['spec', 'rules'] : undefined;
  return targets[targetKindOf(kind, apiVersion)].wholeField;
}
