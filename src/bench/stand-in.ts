import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Reflection } from '../cluster/cluster.ts';
import { type KubeObject, refOf } from '../manifest/types.ts';

export interface StandIn {
  readonly deployments: Reflection;
  /** Who makes Deployments ready here: nobody else, or the cluster's own controller as soon as their pods are. */
  readonly mode: 'deployments' | 'pods';
}

interface DeploymentLook {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly observedGeneration?: number; readonly availableReplicas?: number };
}

/** As long as small pods take to start. */
const startMs = 500;
const retryMs = 500;
const manager = 'serin-bench';

/**
 * Stands in for everything between a Deployment and its running pods: no container runs. On a cluster with a deployment controller
 * it marks the pods ready, which nothing schedules; on a bare API server the Deployments themselves.
 */
export async function startStandIn(cluster: Cluster, namespace: string, signal: AbortSignal): Promise<StandIn> {
  const deployments = cluster.reflect({ apiVersion: 'apps/v1', kind: 'Deployment' }, { namespace }, signal);
  await deployments.synced;
  const mode = (await hasController(cluster, namespace, signal)) ? 'pods' : 'deployments';
  const isDeployments = mode === 'deployments';
  const view = isDeployments ? deployments : cluster.reflect({ apiVersion: 'v1', kind: 'Pod' }, { namespace }, signal);
  const readyStatus = isDeployments ? deploymentStatus : podStatus;
  const starting = new Set<string>();

  const bring = async (name: string): Promise<void> => {
    for (let waitMs = startMs; ; waitMs = retryMs) {
      await sleep(waitMs, undefined, { signal });
      const object = view.get(namespace, name);
      const status = object && readyStatus(object);
      if (!object || !status) return;
      try {
        await cluster.mergePatch(refOf(object), { status }, { manager, subresource: 'status' }, signal);
        const slice = isDeployments ? undefined : sliceOf(object);
        if (slice) await cluster.apply(slice, { manager, force: true }, signal);
        return;
      } catch {
        // Gone or changed meanwhile: the view tells it next.
      }
    }
  };
  const look = (object: KubeObject): void => {
    const { name } = object.metadata;
    if (starting.has(name) || readyStatus(object) === undefined) return;
    starting.add(name);
    bring(name)
      .catch(() => undefined)
      .finally(() => {
        starting.delete(name);
        const now = view.get(namespace, name);
        // What came while it started; our own write may not be in the view yet, and is then sent once more.
        if (now && now !== object && !signal.aborted) look(now);
      });
  };
  view.onChange(({ kind, object }) => {
    if (kind !== 'deleted') look(object);
  });
  for (const object of view.list()) look(object);
  return { deployments, mode };
}

/** Undefined where it is ready already. */
function deploymentStatus(object: KubeObject): Readonly<Record<string, unknown>> | undefined {
  const { spec, status } = object as DeploymentLook;
  const { generation } = object.metadata as { generation?: number };
  const replicas = spec?.replicas ?? 1;
  if (status?.observedGeneration === generation && (status?.availableReplicas ?? 0) === replicas) return undefined;
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const condition = (type: string, reason: string): Readonly<Record<string, string>> => ({
    type,
    status: 'True',
    reason,
    message: 'The stand-in of the benchmark says so.',
    lastUpdateTime: at,
    lastTransitionTime: at,
  });
  return {
    observedGeneration: generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    unavailableReplicas: null,
    conditions: [
      condition('Available', 'MinimumReplicasAvailable'),
      condition('Progressing', 'NewReplicaSetAvailable'),
    ],
  };
}

function podStatus(object: KubeObject): Readonly<Record<string, unknown>> | undefined {
  const status = object['status'] as { phase?: string } | undefined;
  if (status?.phase === 'Running' || object.metadata.deletionTimestamp !== undefined) return undefined;
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const conditions = ['Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: at,
  }));
  return { phase: 'Running', startTime: at, conditions };
}

/**
 * What tells that a canary's Service has the pod. The cluster's own controller leaves out pods without a node, and a canary waits until each
 * of its pods is told. Undefined: the pod bears no label of an app.
 */
function sliceOf({ metadata }: KubeObject): KubeObject | undefined {
  const { app } = metadata.labels ?? {};
  if (app === undefined) return undefined;
  const service = `${app}-canary`;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${service}-stand-in`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        'kubernetes.io/service-name': service,
        'endpointslice.kubernetes.io/managed-by': manager,
      },
    },
    addressType: 'IPv4',
    // Of the range for benchmarks (RFC 2544), where nobody listens.
    endpoints: [
      { addresses: ['198.18.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', name: metadata.name } },
    ],
    ports: [],
  };
}

/** A Deployment of no pods is observed at once where there is somebody to do so. */
async function hasController(cluster: Cluster, namespace: string, signal: AbortSignal): Promise<boolean> {
  const labels = { app: 'probe' };
  const probe: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'probe', namespace },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'probe', image: 'probe' }] } },
    },
  };
  const { uid } = (await cluster.apply(probe, { manager, force: true }, signal)).metadata;
  try {
    for (let tries = 0; tries < 15; tries += 1) {
      await sleep(200, undefined, { signal });
      const live = (await cluster.get(refOf(probe), signal)) as DeploymentLook | undefined;
      if (live?.status?.observedGeneration !== undefined) return true;
    }
    return false;
  } finally {
    await cluster.remove(refOf(probe), uid === undefined ? {} : { uid }, signal);
  }
}
