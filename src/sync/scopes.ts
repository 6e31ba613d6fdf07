import type { Cluster } from '../cluster/cluster.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';

/**
 * Takes the namespace from objects of kinds that the cluster knows to be cluster-scoped: without a cluster only the common ones are
 * known. The same manifest gives the same result again.
 */
export function createScopes(
  cluster: Cluster,
): (manifests: readonly Manifest[], signal: AbortSignal) => Promise<readonly Manifest[]> {
  const corrected = new WeakMap<KubeObject, Manifest>();
  return async (manifests, signal) => {
    const scopes = new Map<string, boolean>();
    for (const { object } of manifests) {
      const { apiVersion, kind, metadata } = object;
      // Built-in kinds are in the table; the rest comes from definitions.
      if (metadata.namespace === undefined || !apiVersion.includes('.')) continue;
      const key = `${apiVersion}/${kind}`;
      if (scopes.has(key)) continue;
      scopes.set(key, (await cluster.resource({ apiVersion, kind }, signal))?.namespaced ?? true);
    }
    if (![...scopes.values()].includes(false)) return manifests;
    return manifests.map((manifest) => {
      const { object } = manifest;
      if (scopes.get(`${object.apiVersion}/${object.kind}`) !== false) return manifest;
      const { namespace: _namespace, ...metadata } = object.metadata;
      const known = corrected.get(object) ?? { ...manifest, object: { ...object, metadata } };
      corrected.set(object, known);
      return known;
    });
  };
}
