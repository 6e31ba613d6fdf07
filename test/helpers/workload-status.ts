import type { KubeObject } from '../../src/manifest/types.ts';

/** What a controller sees of the pods of one workload. */
export interface PodCounts {
  readonly wanted: number;
  /** Of the template before, in addition to the wanted ones. */
  readonly old: number;
  readonly available: number;
  /** When pods were last asked for. */
  readonly sinceMs: number;
  /** The new ones are past the deadline. */
  readonly isLate: boolean;
}

/** A Deployment with what its controller says of it. */
export function deploymentWithStatus(deployment: KubeObject, pods: PodCounts): KubeObject {
  const { wanted, old, available, sinceMs, isLate } = pods;
  return {
    ...deployment,
    status: {
      observedGeneration: deployment.metadata.generation,
      replicas: wanted + old,
      updatedReplicas: wanted,
      availableReplicas: available,
      conditions: [
        {
          type: 'Progressing',
          status: isLate ? 'False' : 'True',
          reason: isLate ? 'ProgressDeadlineExceeded' : 'NewReplicaSetAvailable',
        },
        {
          type: 'Available',
          status: available >= wanted ? 'True' : 'False',
          reason: available >= wanted ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
          lastUpdateTime: new Date(sinceMs).toISOString(),
        },
      ],
    },
  };
}

/** A DaemonSet with what its controller says of it; since when stands in the managed fields only. */
export function daemonSetWithStatus(
  daemonSet: KubeObject,
  { wanted, old, available, sinceMs }: Omit<PodCounts, 'isLate'>,
): KubeObject {
  const { metadata } = daemonSet;
  const time = new Date(sinceMs).toISOString();
  return {
    ...daemonSet,
    metadata: { ...metadata, managedFields: [{ manager: 'test', time, fieldsV1: { 'f:spec': {} } }] },
    status: {
      observedGeneration: metadata.generation,
      desiredNumberScheduled: wanted,
      updatedNumberScheduled: wanted - old,
      numberAvailable: available,
    },
  };
}
