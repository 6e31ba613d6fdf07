import type { Resource } from './resource.ts';
import type { BuiltinSchemas } from './schema.ts';

type Trait = 'cluster' | 'status' | 'scale' | 'all' | 'generation' | 'generation-all';

/** apiVersion, kind, plural, short names, traits. */
const table: readonly (readonly [string, string, string, string, ...Trait[]])[] = [
  ['v1', 'Namespace', 'namespaces', 'ns', 'cluster', 'status'],
  ['v1', 'Node', 'nodes', 'no', 'cluster', 'status'],
  ['v1', 'Pod', 'pods', 'po', 'status', 'all', 'generation'],
  ['v1', 'Service', 'services', 'svc', 'status', 'all'],
  ['v1', 'Endpoints', 'endpoints', 'ep'],
  ['v1', 'ConfigMap', 'configmaps', 'cm'],
  ['v1', 'Secret', 'secrets', ''],
  ['v1', 'Event', 'events', 'ev'],
  ['v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', 'pvc', 'status'],
  ['v1', 'ResourceQuota', 'resourcequotas', 'quota', 'status'],
  ['v1', 'LimitRange', 'limitranges', 'limits'],
  ['v1', 'ServiceAccount', 'serviceaccounts', 'sa'],
  ['v1', 'ResourceQuota', 'resourcequotas', 'quota', 'status'],
  ['apps/v1', 'Deployment', 'deployments', 'deploy', 'status', 'scale', 'all', 'generation'],
  ['apps/v1', 'ReplicaSet', 'replicasets', 'rs', 'status', 'scale', 'all', 'generation'],
  ['apps/v1', 'DaemonSet', 'daemonsets', 'ds', 'status', 'all', 'generation'],
  ['apps/v1', 'StatefulSet', 'statefulsets', 'sts', 'status', 'scale', 'all', 'generation'],
  ['batch/v1', 'Job', 'jobs', '', 'status', 'all', 'generation'],
  ['batch/v1', 'CronJob', 'cronjobs', 'cj', 'status', 'all', 'generation'],
  ['events.k8s.io/v1', 'Event', 'events', 'ev'],
  ['networking.k8s.io/v1', 'Ingress', 'ingresses', 'ing', 'status', 'generation'],
  ['networking.k8s.io/v1', 'IngressClass', 'ingressclasses', '', 'cluster', 'generation'],
  ['networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', 'netpol', 'generation'],
  ['scheduling.k8s.io/v1', 'PriorityClass', 'priorityclasses', 'pc', 'cluster', 'generation'],
  ['storage.k8s.io/v1', 'StorageClass', 'storageclasses', 'sc', 'cluster'],
  ['discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', '', 'generation-all'],
  ['coordination.k8s.io/v1', 'Lease', 'leases', ''],
  ['rbac.authorization.k8s.io/v1', 'Role', 'roles', ''],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', ''],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', '', 'cluster'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', '', 'cluster'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', 'hpa', 'status', 'all'],
  ['policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', 'pdb', 'status', 'generation'],
  [
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    'crd,crds',
    'cluster',
    'status',
    'generation',
  ],
];

const workloadScale = {
  specReplicasPath: '.spec.replicas',
  statusReplicasPath: '.status.replicas',
  labelSelectorPath: '.spec.selector',
};

export function builtinResources(schemas: BuiltinSchemas): readonly Resource[] {
  return table.map(([apiVersion, kind, plural, shortNames, ...traits]) => {
    const slash = apiVersion.indexOf('/');
    const group = slash < 0 ? '' : apiVersion.slice(0, slash);
    const schema = schemas.definitions[schemas.kinds[`${apiVersion}/${kind}`] ?? ''];
    return {
      group,
      version: apiVersion.slice(slash + 1),
      kind,
      plural,
      singular: kind.toLowerCase(),
      listKind: `${kind}List`,
      shortNames: shortNames === '' ? [] : shortNames.split(','),
      categories: traits.includes('all') ? ['all'] : [],
      namespaced: !traits.includes('cluster'),
      // Both event APIs show the same objects.
      storage: kind === 'Event' ? '/events' : `${group}/${plural}`,
      status: traits.includes('status'),
      ...(traits.includes('scale') ? { scale: workloadScale } : {}),
      generation: traits.includes('generation') ? 'spec' : traits.includes('generation-all') ? 'all' : 'none',
      ...(schema ? { schema } : {}),
      custom: false,
      columns: [],
    };
  });
}
