import { groupOf, type KubeObject } from './types.ts';

/** Cluster-scoped kinds that need no cluster to be told from namespaced ones, by group. */
const clusterScoped: Readonly<Record<string, readonly string[]>> = {
  '': ['Namespace', 'Node', 'PersistentVolume', 'ComponentStatus'],
  'admissionregistration.k8s.io': [
    'MutatingWebhookConfiguration',
    'ValidatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
  ],
  'apiextensions.k8s.io': ['CustomResourceDefinition'],
  'apiregistration.k8s.io': ['APIService'],
  'certificates.k8s.io': ['CertificateSigningRequest'],
  'cert-manager.io': ['ClusterIssuer'],
  'flowcontrol.apiserver.k8s.io': ['FlowSchema', 'PriorityLevelConfiguration'],
  'gateway.networking.k8s.io': ['GatewayClass'],
  'kuma.io': ['Mesh', 'TrafficRoute'],
  'networking.k8s.io': ['IngressClass'],
  'node.k8s.io': ['RuntimeClass'],
  'rbac.authorization.k8s.io': ['ClusterRole', 'ClusterRoleBinding'],
  'scheduling.k8s.io': ['PriorityClass'],
  'storage.k8s.io': ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment'],
};

/** Kinds that definitions in the same tree declare cluster-scoped, as `group/Kind`. */
export function definedClusterScoped(objects: readonly KubeObject[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const spec = object['spec'] as { scope?: string; group?: string; names?: { kind?: string } } | undefined;
    if (spec?.scope === 'Cluster') found.add(`${spec.group ?? ''}/${spec.names?.kind ?? ''}`);
  }
  return found;
}

export function isClusterScoped(
  object: Pick<KubeObject, 'apiVersion' | 'kind'>,
  defined: ReadonlySet<string> = new Set(),
): boolean {
  const group = groupOf(object.apiVersion);
  return (clusterScoped[group]?.includes(object.kind) ?? false) || defined.has(`${group}/${object.kind}`);
}
