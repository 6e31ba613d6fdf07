import type { Steps } from '../lib/turns.ts';
import { identityOf } from '../manifest/identity.ts';
import type { Manifest } from '../manifest/types.ts';

/** The objects of a tree, by what they are looked up by. */
export interface ObjectIndex {
  readonly byIdentity: ReadonlyMap<string, Manifest>;
  readonly byName: ReadonlyMap<unknown, readonly Manifest[]>;
  /** By the path of the origin. */
  readonly byPath: ReadonlyMap<string, readonly Manifest[]>;
}

const indexes = new WeakMap<readonly Manifest[], ObjectIndex>();

/** Made once for the manifests of a tree; yields again and again, because there may be many. */
export function* indexed({ manifests }: { readonly manifests: readonly Manifest[] }): Steps<ObjectIndex> {
  const known = indexes.get(manifests);
  if (known) return known;
  const byIdentity = new Map<string, Manifest>();
  const byName = new Map<unknown, Manifest[]>();
  const byPath = new Map<string, Manifest[]>();
  for (const [at, manifest] of manifests.entries()) {
    byIdentity.set(identityOf(manifest.object), manifest);
    append(byName, manifest.object.metadata.name, manifest);
    append(byPath, manifest.origin.path, manifest);
    if (at % 512 === 0) yield;
  }
  const index = { byIdentity, byName, byPath };
  indexes.set(manifests, index);
  return index;
}

function append<K, T>(map: Map<K, T[]>, key: K, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
