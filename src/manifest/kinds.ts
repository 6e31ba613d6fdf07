import { groupOf, type KubeObject } from './types.ts';

/** Cluster-scoped kinds that need no cluster to be told from namespaced ones, by group. */
const clusterScoped = new Map<string, readonly string[]>(
  Object.entries({
    '': ['Namespace', 'Node', 'PersistentVolume', 'ComponentStatus'],
    'admissionregistration.k8s.io': [
      'MutatingAdmissionPolicy',
      'MutatingAdmissionPolicyBinding',
      'MutatingWebhookConfiguration',
      'ValidatingWebhookConfiguration',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ],
    'apiextensions.k8s.io': ['CustomResourceDefinition'],
    'apiregistration.k8s.io': ['APIService'],
    'certificates.k8s.io': ['CertificateSigningRequest', 'ClusterTrustBundle'],
    'cert-manager.io': ['ClusterIssuer'],
    'flowcontrol.apiserver.k8s.io': ['FlowSchema', 'PriorityLevelConfiguration'],
    'gateway.networking.k8s.io': ['GatewayClass'],
    'kuma.io': ['Mesh', 'TrafficRoute'],
    'networking.k8s.io': ['IngressClass', 'IPAddress', 'ServiceCIDR'],
    'node.k8s.io': ['RuntimeClass'],
    'rbac.authorization.k8s.io': ['ClusterRole', 'ClusterRoleBinding'],
    'resource.k8s.io': ['DeviceClass', 'DeviceTaintRule', 'ResourceSlice'],
    'scheduling.k8s.io': ['PriorityClass'],
    'storage.k8s.io': ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass'],
    'storagemigration.k8s.io': ['StorageVersionMigration'],
  }),
);

/**
 * Kinds that definitions in the same tree declare cluster-scoped, as `group/Kind`. That is what they ask for: only of a kind that the cluster
 * does not serve yet it is all that is known, and built-in kinds have no definition.
 */
export function definedClusterScoped(objects: Iterable<KubeObject>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const spec = object['spec'] as { scope?: string; group?: string; names?: { kind?: string } } | undefined;
    const { scope, group = '', names } = spec ?? {};
    if (scope === 'Cluster' && String(group).includes('.')) found.add(`${group}/${names?.kind ?? ''}`);
  }
  return found;
}

/** Whether a kind is known to be cluster-scoped, whatever the cluster serves. */
export function isClusterScoped({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean {
  return clusterScoped.get(groupOf(apiVersion))?.includes(kind) ?? false;
}
