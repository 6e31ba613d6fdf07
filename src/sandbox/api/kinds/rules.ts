import type { Resource } from '../resource.ts';
import { cronJobRules, jobRules } from './batch.ts';
import { configRules, namespaceRules, secretRules } from './config.ts';
import type { KindRules } from './contract.ts';
import { definitionRules } from './definition.ts';
import { autoscalerRules, bindingRules, ingressRules, leaseRules } from './others.ts';
import { podRules } from './pod.ts';
import { serviceRules } from './service.ts';
import { daemonSetRules, deploymentRules, replicaSetRules, statefulSetRules } from './workload.ts';

const byStorage: Readonly<Record<string, KindRules>> = {
  '/namespaces': namespaceRules,
  '/configmaps': configRules,
  '/secrets': secretRules,
  '/pods': podRules,
  '/services': serviceRules,
  'apps/deployments': deploymentRules,
  'apps/replicasets': replicaSetRules,
  'apps/daemonsets': daemonSetRules,
  'apps/statefulsets': statefulSetRules,
  'batch/jobs': jobRules,
  'batch/cronjobs': cronJobRules,
  'networking.k8s.io/ingresses': ingressRules,
  'coordination.k8s.io/leases': leaseRules,
  'autoscaling/horizontalpodautoscalers': autoscalerRules,
  'rbac.authorization.k8s.io/rolebindings': bindingRules,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingRules,
  'apiextensions.k8s.io/customresourcedefinitions': definitionRules,
};

const none: KindRules = {};

export function kindRules(resource: Resource): KindRules {
  return byStorage[resource.storage] ?? none;
}
