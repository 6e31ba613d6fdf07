import type { Cluster } from '../../cluster/cluster.ts';
import { secretValues } from '../../manifest/secret-values.ts';

/** The values of a Secret, as texts. Undefined where there is none. They are never kept. */
export async function readSecret(
  cluster: Cluster,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Record<string, string> | undefined> {
  const object = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name }, signal);
  return object && secretValues(object);
}
