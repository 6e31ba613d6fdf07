import { nearest } from '../../lib/nearest.ts';
import type { KubeObject } from '../types.ts';
import { groupOf } from '../types.ts';
import type { Finding } from './finding.ts';

/** Versions that Kubernetes serves, newest first, by kind. */
const current: Readonly<Record<string, readonly string[]>> = {
  ConfigMap: ['v1'],
  CronJob: ['batch/v1'],
  CustomResourceDefinition: ['apiextensions.k8s.io/v1'],
  DaemonSet: ['apps/v1'],
  Deployment: ['apps/v1'],
  HorizontalPodAutoscaler: ['autoscaling/v2', 'autoscaling/v1'],
  Ingress: ['networking.k8s.io/v1'],
  IngressClass: ['networking.k8s.io/v1'],
  Job: ['batch/v1'],
  LimitRange: ['v1'],
  Namespace: ['v1'],
  NetworkPolicy: ['networking.k8s.io/v1'],
  PersistentVolume: ['v1'],
  PersistentVolumeClaim: ['v1'],
  Pod: ['v1'],
  PodDisruptionBudget: ['policy/v1'],
  ReplicaSet: ['apps/v1'],
  ResourceQuota: ['v1'],
  Role: ['rbac.authorization.k8s.io/v1'],
  RoleBinding: ['rbac.authorization.k8s.io/v1'],
  ClusterRole: ['rbac.authorization.k8s.io/v1'],
  ClusterRoleBinding: ['rbac.authorization.k8s.io/v1'],
  Secret: ['v1'],
  Service: ['v1'],
  ServiceAccount: ['v1'],
  StatefulSet: ['apps/v1'],
  Canary: ['flagger.app/v1beta1'],
  MetricTemplate: ['flagger.app/v1beta1'],
  AlertProvider: ['flagger.app/v1beta1'],
};

/** Groups that other kinds of the same name live in are not ours to judge. */
const judgedGroups = new Set(
  [...Object.values(current).flat().map(groupOf), 'extensions'].filter((group) => group !== 'networking.istio.io'),
);

/** Known kinds in versions that no cluster serves (any more). */
export function checkApiVersion({ apiVersion, kind }: KubeObject): readonly Finding[] {
  if (!judgedGroups.has(groupOf(apiVersion))) return [];
  const known = current[kind];
  if (known) {
    const [best = ''] = known;
    if (known.includes(apiVersion)) return [];
    return [
      { field: 'apiVersion', message: `no present Kubernetes serves ${kind} as ${apiVersion}`, hint: `write ${best}` },
    ];
  }
  const meant = nearest(kind, Object.keys(current));
  if (meant === undefined || !current[meant]?.includes(apiVersion)) return [];
  return [
    {
      field: 'kind',
      message: `${apiVersion} has no kind ${kind} that we know`,
      hint: `is ${meant} meant?`,
      severity: 'warning',
    },
  ];
}
