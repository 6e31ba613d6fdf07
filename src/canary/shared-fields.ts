import type { KubeObject } from '../manifest/types.ts';
import { targetKindOf, targets } from './targets/registry.ts';
import type { TargetShare } from './targets/target.ts';

export type { TargetShare } from './targets/target.ts';

/** What a Canary writes into its own target, and whoever applies that from Git leaves alone. */
export function sharedByCanary({ apiVersion, kind }: KubeObject): TargetShare {
  return targets[targetKindOf(kind, apiVersion)].shared;
}

/** A target from Git for this version of the live one, with what its Canary has written into a field that can only be sent as a whole. */
export function withShared(live: KubeObject, object: KubeObject): KubeObject {
  const { resourceVersion } = live.metadata;
  const versioned =
    resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } };
  return targets[targetKindOf(object.kind, object.apiVersion)].withShared?.(live, versioned) ?? versioned;
}

/** The field of such a kind, from the object's root: who owns it last says nothing. Undefined: it has none. */
export function wholeField({ apiVersion, kind }: KubeObject): readonly string[] | undefined {
  return targets[targetKindOf(kind, apiVersion)].wholeField;
}
