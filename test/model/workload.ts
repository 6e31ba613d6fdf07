import type { Json } from '../../src/lib/json.ts';
import { scaleToZeroKey } from '../../src/canary/targets/daemonset.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

/** A Deployment or DaemonSet as its controller has it. Never changed: a new state is a new one. */
export interface Workload {
  /** Without `status`. */
  readonly object: KubeObject;
  readonly changedAtMs: number;
  /** The same by the clock that may jump. */
  readonly changedAt: string;
  /** Pods of the version before that still answer while the new ones come up. */
  readonly stillServing: number;
  /** With `status`, as it was last shown. */
  shown?: { readonly key: number; readonly object: KubeObject };
}

/** How its pods are. */
export interface Health {
  readonly nowMs: number;
  readonly down: boolean;
  /** Pods of this version never answer. */
  readonly brokenVersion: number | undefined;
}

export const settleMs = 1_000;
const nodes = 2;
const deadlineMs = 60_000;

/** Pod templates by version. */
const templates: readonly Json[] = Array.from({ length: 8 }, (_, version) => ({
  metadata: { labels: { app: 'app' } },
  spec: {
    containers: [
      {
        name: 'app',
        image: `app:${version}`,
        env: [{ name: 'TEXT', valueFrom: { configMapKeyRef: { name: 'app-config', key: 'text' } } }],
      },
    ],
  },
}));

interface WorkloadSpec {
  readonly replicas?: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly { readonly image: string }[];
      readonly nodeSelector?: Readonly<Record<string, string>>;
    };
  };
}

function specOf({ object }: Pick<Workload, 'object'>): WorkloadSpec {
  return object['spec'] as WorkloadSpec;
}

export function templateOf(version: number): Json {
  return templates[version] ?? {};
}

export function versionOf(object: KubeObject): number {
  const { containers } = specOf({ object }).template.spec;
  return Number((containers[0]?.image ?? '').slice(4));
}

export function wantedOf(workload: Pick<Workload, 'object'>): number {
  if (workload.object.kind === 'DaemonSet')
    return specOf(workload).template.spec.nodeSelector?.[scaleToZeroKey] === undefined ? nodes : 0;
  return specOf(workload).replicas ?? 1;
}

export function servingOf(workload: Workload | undefined, health: Health): number {
  if (!workload || health.down) return 0;
  const wanted = wantedOf(workload);
  return isUp(workload, health) ? wanted : Math.min(workload.stillServing, wanted);
}

function isUp(workload: Workload, { nowMs, brokenVersion }: Health): boolean {
  return nowMs - workload.changedAtMs >= settleMs && versionOf(workload.object) !== brokenVersion;
}

/** As the API server shows it now; the very same object while nothing of it has changed. */
export function show(workload: Workload | undefined, health: Health): KubeObject | undefined {
  if (!workload) return undefined;
  const serving = servingOf(workload, health);
  const isNew = isUp(workload, health);
  const isLate = !isNew && wantedOf(workload) > 0 && health.nowMs - workload.changedAtMs > deadlineMs;
  const key = serving * 4 + (isNew ? 2 : 0) + (isLate ? 1 : 0);
  if (workload.shown?.key !== key) {
    const status = workload.object.kind === 'DaemonSet' ? daemonsetStatus : deploymentStatus;
    const { metadata } = workload.object;
    // A DaemonSet has no conditions: when it last moved is in the server's record of writers.
    const managedFields = [{ subresource: 'status', time: workload.changedAt }];
    workload.shown = {
      key,
      object: {
        ...workload.object,
        metadata: workload.object.kind === 'DaemonSet' ? { ...metadata, managedFields } : metadata,
        status: status(workload, serving, isNew, isLate),
      },
    };
  }
  return workload.shown.object;
}

function deploymentStatus(workload: Workload, serving: number, isNew: boolean, isLate: boolean): Json {
  const wanted = wantedOf(workload);
  const old = isNew ? 0 : Math.min(workload.stillServing, wanted);
  const isShort = serving < wanted;
  return {
    observedGeneration: workload.object.metadata.generation,
    replicas: wanted + old,
    updatedReplicas: wanted,
    availableReplicas: serving,
    conditions: [
      {
        type: 'Progressing',
        status: isLate ? 'False' : 'True',
        reason: isLate ? 'ProgressDeadlineExceeded' : 'NewReplicaSetAvailable',
      },
      {
        type: 'Available',
        status: isShort ? 'False' : 'True',
        reason: isShort ? 'MinimumReplicasUnavailable' : 'MinimumReplicasAvailable',
        lastUpdateTime: workload.changedAt,
      },
    ],
  };
}

function daemonsetStatus(workload: Workload, serving: number, isNew: boolean): Json {
  const wanted = wantedOf(workload);
  return {
    observedGeneration: workload.object.metadata.generation,
    desiredNumberScheduled: wanted,
    updatedNumberScheduled: isNew || workload.stillServing === 0 ? wanted : 0,
    numberAvailable: serving,
  };
}
