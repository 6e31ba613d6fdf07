import { groupOf, type KubeObject } from './types.ts';

/** Waves in which objects are applied; what stands in the same wave may go at once. Pruning takes them backwards. */
const waves: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition'],
  ['ServiceAccount', 'PriorityClass', 'StorageClass', 'IngressClass', 'GatewayClass', 'RuntimeClass', 'ResourceQuota', 'LimitRange'],
  ['Role', 'ClusterRole'],
  ['RoleBinding', 'ClusterRoleBinding'],
  ['ConfigMap', 'Secret', 'PersistentVolume', 'PersistentVolumeClaim', 'NetworkPolicy'],
  ['Service'],
  ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod', 'Job', 'CronJob', 'PodDisruptionBudget'],
];
/** Custom resources, autoscalers, routes, webhooks of the API server. */
const otherWave = waves.length;
const flaggerWaves: Readonly<Record<string, number>> = { MetricTemplate: otherWave + 1, AlertProvider: otherWave + 1, Canary: otherWave + 2 };

const waveByKind = new Map(waves.flatMap((kinds, wave) => kinds.map((kind) => [kind, wave] as const)));

export function waveOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): number {
  const group = groupOf(apiVersion);
  if (group === 'flagger.app') return flaggerWaves[kind] ?? otherWave;
  const isBuiltIn = !group.includes('.') || group.endsWith('.k8s.io');
  return isBuiltIn ? (waveByKind.get(kind) ?? otherWave) : otherWave;
}
