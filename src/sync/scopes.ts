import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { identityKey } from '../manifest/identity.ts';
import { definedClusterScoped } from '../manifest/kinds.ts';
import { groupOf, type KubeObject, type Manifest, refOf } from '../manifest/types.ts';
import type { Inventory } from './inventory.ts';

/**
 * Takes the namespace from objects of cluster-scoped kinds, as the cluster tells: without one only the common ones are known. What a
 * definition in Git says counts only for a kind that is not served yet. Of a group that cannot be asked at the moment, what was applied
 * before tells. The same manifest gives the same result again.
 */
export function createScopes(
  cluster: Cluster,
): (manifests: readonly Manifest[], inventory: Inventory, signal: AbortSignal) => Promise<readonly Manifest[]> {
  const corrected = new WeakMap<KubeObject, Manifest>();
  const without = (manifest: Manifest): Manifest => {
    const { namespace: _namespace, ...metadata } = manifest.object.metadata;
    const known = corrected.get(manifest.object) ?? { ...manifest, object: { ...manifest.object, metadata } };
    corrected.set(manifest.object, known);
    return known;
  };
  return async (manifests, { entries }, signal) => {
    /** Whether a kind has namespaces; undefined where the cluster does not say. */
    const scopes = new Map<string, boolean | undefined>();
    for (const { object } of manifests) {
      const { apiVersion, kind, metadata } = object;
      // Built-in kinds are in the table.
      if (metadata.namespace === undefined || !apiVersion.includes('.')) continue;
      const key = `${apiVersion}/${kind}`;
      if (!scopes.has(key)) scopes.set(key, await askedOf(cluster, { apiVersion, kind }, signal));
    }
    if ([...scopes.values()].every((isNamespaced) => isNamespaced === true)) return manifests;
    const defined = definedClusterScoped(manifests.map(({ object }) => object));
    return manifests.map((manifest) => {
      const { apiVersion, kind, metadata } = manifest.object;
      const key = `${apiVersion}/${kind}`;
      if (metadata.namespace === undefined || !scopes.has(key)) return manifest;
      const { namespace: _namespace, ...ref } = { namespace: undefined, ...refOf(manifest.object) };
      const isNamespaced =
        scopes.get(key) ?? !(defined.has(`${groupOf(apiVersion)}/${kind}`) || entries.has(identityKey(ref)));
      return isNamespaced ? manifest : without(manifest);
    });
  };
}

/** A group whose server is out of order costs its own objects: they are refused when they are applied. */
async function askedOf(
  cluster: Cluster,
  kind: { readonly apiVersion: string; readonly kind: string },
  signal: AbortSignal,
): Promise<boolean | undefined> {
  try {
    return (await cluster.resource(kind, signal))?.namespaced;
  } catch (error) {
    if (signal.aborted || !(error instanceof AgentError) || error.details['status'] === undefined) throw error;
    return undefined;
  }
}
