import type { StoredObject } from '../../types.ts';
import type { Json } from '../json.ts';
import type { PrinterColumn, Resource } from '../resource.ts';
import { ageOf } from './age.ts';
import type { Layout } from './columns.ts';
import { compileJsonPath } from './json-path.ts';
import { endpointSliceLayout, endpointsLayout, ingressClassLayout, ingressLayout, serviceLayout } from './network.ts';
import { podLayout } from './pods.ts';
import {
  bindingLayout,
  configMapLayout,
  createdLayout,
  eventLayout,
  leaseLayout,
  namespaceLayout,
  nodeLayout,
  plainLayout,
  secretLayout,
  serviceAccountLayout,
} from './simple.ts';
import {
  autoscalerLayout,
  budgetLayout,
  cronJobLayout,
  daemonSetLayout,
  deploymentLayout,
  jobLayout,
  replicaSetLayout,
  statefulSetLayout,
} from './workloads.ts';

const builtin: Readonly<Record<string, Layout>> = {
  '/pods': podLayout,
  '/services': serviceLayout,
  '/endpoints': endpointsLayout,
  '/configmaps': configMapLayout,
  '/secrets': secretLayout,
  '/serviceaccounts': serviceAccountLayout,
  '/namespaces': namespaceLayout,
  '/nodes': nodeLayout,
  '/events': eventLayout,
  'apps/deployments': deploymentLayout,
  'apps/replicasets': replicaSetLayout,
  'apps/daemonsets': daemonSetLayout,
  'apps/statefulsets': statefulSetLayout,
  'batch/jobs': jobLayout,
  'batch/cronjobs': cronJobLayout,
  'networking.k8s.io/ingresses': ingressLayout,
  'networking.k8s.io/ingressclasses': ingressClassLayout,
  'discovery.k8s.io/endpointslices': endpointSliceLayout,
  'coordination.k8s.io/leases': leaseLayout,
  'rbac.authorization.k8s.io/roles': createdLayout,
  'rbac.authorization.k8s.io/clusterroles': createdLayout,
  'rbac.authorization.k8s.io/rolebindings': bindingLayout,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingLayout,
  'autoscaling/horizontalpodautoscalers': autoscalerLayout,
  'policy/poddisruptionbudgets': budgetLayout,
  'apiextensions.k8s.io/customresourcedefinitions': createdLayout,
};

function layoutOf(resource: Resource): Layout {
  return resource.custom ? customLayout(resource.columns) : (builtin[resource.storage] ?? plainLayout);
}

function customLayout(columns: readonly PrinterColumn[]): Layout {
  const finders = columns.map((column) => ({ column, find: compileJsonPath(column.jsonPath) }));
  return {
    columns: [
      { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 },
      ...columns.map(({ name, type, format, description, priority }) => ({
        name,
        type,
        format: format ?? '',
        description: description ?? '',
        priority: priority ?? 0,
      })),
    ],
    cells: (object, nowMs) => [
      object.metadata.name,
      ...finders.map(({ column, find }) => customCell(column.type, find(object), nowMs)),
    ],
  };
}

function customCell(type: string, found: readonly unknown[], nowMs: number): unknown {
  const value = found[0];
  if (value === undefined) return null;
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return ageOf(value, nowMs);
    default:
      return found.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(',');
  }
}

export type IncludeObject = 'Metadata' | 'None' | 'Object';

/** Rows under their columns; `withColumns` is false for all but the first event of a watch. */
export function tableOf(
  resource: Resource,
  objects: readonly StoredObject[],
  metadata: Json,
  include: IncludeObject,
  nowMs: number,
  withColumns = true,
): Json {
  const layout = layoutOf(resource);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns ? layout.columns : null,
    rows: objects.map((object) => ({
      cells: layout.cells(object, nowMs),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partial(object) }),
    })),
  };
}

export function partial(object: StoredObject): Json {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
