import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ClusterClient } from '../cluster/client.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Name of all that the benchmark makes outside its namespaces; also the name under which the API server counts the agent. */
export const accessName = 'serin-bench-agent';
const manager = 'serin-bench';

/**
 * Gives the agent a service account of its own, with a flow schema that puts it where any service account is, so that the API server
 * itself counts what the agent sends and treats it like any other. Returns its kubeconfig.
 */
export async function grantAccess(
  cluster: ClusterClient,
  namespace: string,
  kubeconfigPath: string,
  signal: AbortSignal,
): Promise<string> {
  const subject = { kind: 'ServiceAccount', name: accessName, namespace };
  const account: KubeObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: accessName, namespace } };
  for (const object of [account, ...wideObjects(subject)])
    await cluster.apply(object, { manager, force: true }, signal);
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${accessName}/token`;
  const answer = (await cluster.raw(
    'POST',
    path,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 14_400 } },
    signal,
  )) as { status?: { token?: string } };
  return kubeconfigWith(await readFile(kubeconfigPath, 'utf8'), dirname(kubeconfigPath), answer.status?.token ?? '');
}

/** The agent's kubeconfig, for a relay in front of the same server. */
export function throughRelay(kubeconfig: string, url: string): string {
  const given = parse(kubeconfig) as Kubeconfig;
  const clusters = given.clusters?.map(({ name }) => ({ name, cluster: { server: url } }));
  return stringify({ ...given, clusters });
}

/** Who vouches for the server of this kubeconfig of the agent; undefined: it does not say. */
export async function authorityOf(kubeconfig: string): Promise<string | undefined> {
  const cluster = (parse(kubeconfig) as Kubeconfig).clusters?.[0]?.cluster ?? {};
  const { 'certificate-authority': path, 'certificate-authority-data': data } = cluster;
  if (typeof data === 'string') return Buffer.from(data, 'base64').toString();
  return typeof path === 'string' ? readFile(path, 'utf8') : undefined;
}

export async function revokeAccess(cluster: ClusterClient, signal: AbortSignal): Promise<void> {
  for (const { apiVersion, kind, metadata } of wideObjects({}))
    await cluster.remove({ apiVersion, kind, name: metadata.name }, {}, signal);
}

function wideObjects(subject: Readonly<Record<string, string>>): readonly KubeObject[] {
  const { kind, ...serviceAccount } = subject;
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: accessName },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [subject],
    },
    {
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name: accessName },
      spec: {
        priorityLevelConfiguration: { name: 'workload-low' },
        matchingPrecedence: 8_999,
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [{ kind, serviceAccount }],
            resourceRules: [
              { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
            ],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    },
  ];
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly { readonly name: string; readonly context: { readonly cluster: string } }[];
  readonly clusters?: readonly { readonly name: string; readonly cluster: Readonly<Record<string, unknown>> }[];
}

/** The same cluster with another user. Throws where the kubeconfig has no current context. */
export function kubeconfigWith(text: string, folder: string, token: string): string {
  const given = parse(text) as Kubeconfig;
  const context = given.contexts?.find(({ name }) => name === given['current-context'])?.context;
  const cluster = given.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  if (cluster === undefined) throw new Error('the kubeconfig names no current cluster; set a current-context');
  const authority = cluster['certificate-authority'];
  const kept = typeof authority === 'string' ? { 'certificate-authority': resolve(folder, authority) } : {};
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    clusters: [{ name: 'bench', cluster: { ...cluster, ...kept } }],
    users: [{ name: 'bench', user: { token } }],
  });
}
