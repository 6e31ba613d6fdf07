import type { ClusterClient } from '../cluster/client.ts';

const collections = [
  'apis/flagger.app/v1beta1/namespaces/NS/canaries',
  'apis/traefik.io/v1alpha1/namespaces/NS/traefikservices',
  'apis/apps/v1/namespaces/NS/deployments',
  'apis/apps/v1/namespaces/NS/replicasets',
  'api/v1/namespaces/NS/pods',
  'api/v1/namespaces/NS/services',
  'api/v1/namespaces/NS/configmaps',
  'api/v1/namespaces/NS/serviceaccounts',
  'api/v1/namespaces/NS/events',
];

/** By hand, because a bare API server collects no garbage; there, nobody else finishes a namespace either. */
export async function removeNamespace(
  cluster: ClusterClient,
  name: string,
  isBare: boolean,
  signal: AbortSignal,
): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
  for (const path of collections) await cluster.raw('DELETE', `/${path.replace('NS', name)}`, body, signal);
  const ref = { apiVersion: 'v1', kind: 'Namespace', name };
  await cluster.remove(ref, {}, signal);
  const left = isBare ? await cluster.get(ref, signal) : undefined;
  if (left) await cluster.raw('PUT', `/api/v1/namespaces/${name}/finalize`, { ...left, spec: {} }, signal);
}
