import { definedClusterScoped, isClusterScoped } from './kinds.ts';
import { groupOf, type KubeObject, type Manifest } from './types.ts';

/** Written by the server or by kubectl; in Git they are left-overs of an export. */
const serverFields = [
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
];
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export interface Placing {
  /** For objects that name no namespace. */
  readonly defaultNamespace: string;
}

/**
 * The object as it is applied: in its namespace, without status and what only a server writes. Custom kinds count as namespaced here: see
 * `scopedAsDefined`, and sync/scopes.ts.
 */
export function normalised(manifest: Manifest, { defaultNamespace }: Placing): Manifest {
  const { object } = manifest;
  const metadata: KubeObject['metadata'] = { ...object.metadata };
  for (const field of serverFields) delete metadata[field];
  if (metadata.annotations?.[lastApplied] !== undefined) {
    const { [lastApplied]: _lastApplied, ...annotations } = metadata.annotations;
    metadata.annotations = annotations;
  }
  if (isClusterScoped(object)) delete metadata.namespace;
  else metadata.namespace ??= defaultNamespace;
  const { status: _status, ...rest } = object;
  return { ...manifest, object: { ...rest, metadata } };
}

/** Where no cluster can be asked: the manifests, those of kinds that definitions among them declare cluster-scoped without a namespace. */
export function scopedAsDefined(manifests: readonly Manifest[]): readonly Manifest[] {
  const defined = definedClusterScoped(manifests.map(({ object }) => object));
  if (defined.size === 0) return manifests;
  return manifests.map((manifest) => {
    const { apiVersion, kind, metadata } = manifest.object;
    if (metadata.namespace === undefined || !defined.has(`${groupOf(apiVersion)}/${kind}`)) return manifest;
    const { namespace: _namespace, ...rest } = metadata;
    return { ...manifest, object: { ...manifest.object, metadata: rest } };
  });
}
