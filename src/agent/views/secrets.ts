import type { Cluster } from '../../cluster/cluster.ts';

/** The values of a Secret, as texts. Undefined where there is none. They are never kept. */
export async function readSecret(
  cluster: Cluster,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Record<string, string> | undefined> {
  const object = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name }, signal);
  if (!object) return undefined;
  const data = (object['data'] ?? {}) as Record<string, string>;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
