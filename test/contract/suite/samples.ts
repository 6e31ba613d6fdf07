import type { ClusterApi, Json, Seen } from '../cluster-api.ts';

export const configMaps = (namespace: string, name = ''): string =>
  `/api/v1/namespaces/${namespace}/configmaps${name === '' ? '' : `/${name}`}`;
export const deployments = (namespace: string, name = ''): string =>
  `/apis/apps/v1/namespaces/${namespace}/deployments${name === '' ? '' : `/${name}`}`;

export function configMap(name: string, data: Record<string, string> = {}, metadata: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

/** A Deployment that is never looked at by a scheduler unless it has replicas. */
export function deployment(name: string, image: string, spec: Json = {}): Json {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'app',
              image,
              ports: [{ name: 'http', containerPort: 9898 }],
              readinessProbe: { httpGet: { path: '/readyz', port: 9898 }, periodSeconds: 1 },
            },
          ],
        },
      },
      ...spec,
    },
  };
}

export async function createConfigMap(
  api: ClusterApi,
  namespace: string,
  name: string,
  data: Record<string, string> = {},
  metadata: Json = {},
): Promise<Seen> {
  return (await api.call('POST', configMaps(namespace), configMap(name, data, metadata))).body;
}

export const mergePatch = { contentType: 'application/merge-patch+json' };
export const jsonPatch = { contentType: 'application/json-patch+json' };
export const strategicPatch = { contentType: 'application/strategic-merge-patch+json' };
export const applyPatch = { contentType: 'application/apply-patch+yaml' };
