import { own } from '../lib/own.ts';
import { hookMoment } from './hints.ts';
import { groupOf, type KubeObject } from './types.ts';

/** Waves in which objects are applied; what stands in the same wave may go at once. Pruning takes them backwards. */
const before: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition'],
  [
    'ServiceAccount',
    'PriorityClass',
    'StorageClass',
    'IngressClass',
    'GatewayClass',
    'RuntimeClass',
    'ResourceQuota',
    'LimitRange',
  ],
  ['Role', 'ClusterRole'],
  ['RoleBinding', 'ClusterRoleBinding'],
  ['ConfigMap', 'Secret', 'PersistentVolume', 'PersistentVolumeClaim', 'NetworkPolicy'],
  ['Service'],
  ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod', 'Job', 'CronJob', 'PodDisruptionBudget'],
];
/** The last wave of what others need to be written at all: namespaces, definitions, accounts and their rights. */
export const lastOfRights = 4;
/** Custom resources, and the API server's own webhooks and services, which need running workloads. */
const others = before.length;
const autoscalers = others + 1;
const routing = others + 2;
const analysis = others + 3;
const canaries = others + 4;

/** Heavier hooks are not told apart. */
const mostWeight = 1_000;

const builtInWaves = new Map(before.flatMap((kinds, wave) => kinds.map((kind) => [kind, wave] as const)));

/** Kinds whose names alone would not tell, as `group/Kind`; `group/*` is the whole group. */
const special: Readonly<Record<string, number>> = {
  'autoscaling/HorizontalPodAutoscaler': autoscalers,
  'keda.sh/ScaledObject': autoscalers,
  'networking.k8s.io/Ingress': routing,
  'gateway.networking.k8s.io/*': routing,
  'networking.istio.io/*': routing,
  'split.smi-spec.io/*': routing,
  'specs.smi-spec.io/*': routing,
  'policy.linkerd.io/*': routing,
  'traefik.io/*': routing,
  'traefik.containo.us/*': routing,
  'projectcontour.io/*': routing,
  'gateway.solo.io/*': routing,
  'kuma.io/*': routing,
  'apisix.apache.org/*': routing,
  'appmesh.k8s.aws/*': routing,
  'flagger.app/MetricTemplate': analysis,
  'flagger.app/AlertProvider': analysis,
  'flagger.app/Canary': canaries,
};

/** A reference tells no hook: what it names goes with others of its kind. */
export function waveOf(
  object: Pick<KubeObject, 'apiVersion' | 'kind'> & Partial<Pick<KubeObject, 'metadata'>>,
): number {
  const wave = waveOfKind(object);
  const moment = object.metadata && hookMoment({ metadata: object.metadata });
  if (!moment || wave <= lastOfRights) return wave;
  // Between two waves, the lighter first.
  const between = Math.max(-mostWeight, Math.min(mostWeight, moment.weight)) / (mostWeight * 10);
  return between + (moment.when === 'before' ? lastOfRights + 0.5 : canaries + 1);
}

function waveOfKind({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): number {
  const group = groupOf(apiVersion);
  const isBuiltIn = !group.includes('.') || group.endsWith('.k8s.io');
  const builtIn = isBuiltIn ? builtInWaves.get(kind) : undefined;
  return builtIn ?? own(special, `${group}/${kind}`) ?? own(special, `${group}/*`) ?? others;
}
