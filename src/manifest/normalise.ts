import { isClusterScoped } from './kinds.ts';
import type { KubeObject, Manifest } from './types.ts';

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
  /** Kinds that definitions in the same tree declare cluster-scoped, as `group/Kind`. */
  readonly clusterScoped: ReadonlySet<string>;
}

/** The object as it is applied: in its namespace, without status and what only a server writes. */
export function normalised(manifest: Manifest, { defaultNamespace, clusterScoped }: Placing): Manifest {
  const { object } = manifest;
  const metadata: KubeObject['metadata'] = { ...object.metadata };
  for (const field of serverFields) delete metadata[field];
  if (metadata.annotations?.[lastApplied] !== undefined) {
    const { [lastApplied]: _lastApplied, ...annotations } = metadata.annotations;
    metadata.annotations = annotations;
  }
  if (isClusterScoped(object, clusterScoped)) delete metadata.namespace;
  else metadata.namespace ??= defaultNamespace;
  const { status: _status, ...rest } = object;
  return { ...manifest, object: { ...rest, metadata } };
}
