import type { KubeObject } from '../../src/manifest/types.ts';
import { readRecordObject, recordRef } from '../../src/release/record-object.ts';
import type { StoredObject } from '../../src/sandbox/types.ts';
import type { Stage } from './stage.ts';
import { keyOf } from '../../src/lib/key.ts';

/** What a scenario wants to know of the cluster; read from its store, which is what the API shows. */
export interface AppName {
  readonly namespace?: string;
  readonly name?: string;
}

export interface CanaryState {
  readonly phase: string;
  readonly weight: number;
  readonly failedChecks: number;
}

export function object(
  { sandbox }: Stage,
  kind: string,
  name: string,
  namespace: string | undefined = 'test',
): StoredObject | undefined {
  return sandbox.store.get(apiVersions[kind] ?? 'v1', kind, namespace, name);
}

const apiVersions: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  DaemonSet: 'apps/v1',
  Canary: 'flagger.app/v1beta1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
  TraefikService: 'traefik.io/v1alpha1',
  IngressRoute: 'traefik.io/v1alpha1',
  VirtualService: 'networking.istio.io/v1beta1',
  DestinationRule: 'networking.istio.io/v1beta1',
  TrafficSplit: 'split.smi-spec.io/v1alpha2',
  Ingress: 'networking.k8s.io/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
};

export function canary(stage: Stage, { namespace = 'test', name = 'podinfo' }: AppName = {}): CanaryState {
  const status = object(stage, 'Canary', name, namespace)?.['status'] as
    | { phase?: string; canaryWeight?: number; failedChecks?: number }
    | undefined;
  return {
    phase: status?.phase ?? '',
    weight: status?.canaryWeight ?? 0,
    failedChecks: status?.failedChecks ?? 0,
  };
}

/** The release as the agent keeps it in its own namespace. */
export function record(stage: Stage, { namespace = 'test', name = 'podinfo' }: AppName = {}) {
  const ref = recordRef(keyOf({ namespace, name }), 'serin');
  const stored = object(stage, ref.kind, ref.name, 'serin');
  return stored && readRecordObject(stored as unknown as KubeObject)?.record;
}

interface PodTemplate {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

export function image(stage: Stage, deployment: string, namespace = 'test'): string {
  const spec = object(stage, 'Deployment', deployment, namespace)?.['spec'] as { template: PodTemplate } | undefined;
  return spec?.template.spec.containers[0]?.image.replace(/^.*\//, '') ?? '';
}

export function replicas(stage: Stage, deployment: string, namespace = 'test'): number {
  return (
    (object(stage, 'Deployment', deployment, namespace)?.['spec'] as { replicas: number } | undefined)?.replicas ?? 0
  );
}

export function readyReplicas(stage: Stage, deployment: string, namespace = 'test'): number {
  const status = object(stage, 'Deployment', deployment, namespace)?.['status'] as
    | { readyReplicas?: number }
    | undefined;
  return status?.readyReplicas ?? 0;
}

/** Weights of the primary and the canary as the HTTPRoute says. */
export function weights(stage: Stage, { namespace = 'test', name = 'podinfo' }: AppName = {}): readonly number[] {
  const spec = object(stage, 'HTTPRoute', name, namespace)?.['spec'] as
    | { rules?: { backendRefs?: { name: string; weight?: number }[] }[] }
    | undefined;
  const refs = spec?.rules?.[0]?.backendRefs ?? [];
  return [`${name}-primary`, `${name}-canary`].map((wanted) => refs.find((ref) => ref.name === wanted)?.weight ?? 0);
}

/** Somebody changes an object in the namespace `test` by hand, as `kubectl edit` does. */
export async function editByHand(
  { sandbox }: Stage,
  kind: string,
  name: string,
  patch: unknown,
  { type = 'application/merge-patch+json' } = {},
): Promise<void> {
  const group = apiVersions[kind];
  const path = `${group === undefined ? '/api/v1' : `/apis/${group}`}/namespaces/test/${kind.toLowerCase().replace(/y$/, 'ie')}s/${name}`;
  const response = await fetch(`${sandbox.apiUrl}${path}?fieldManager=kubectl-edit`, {
    method: 'PATCH',
    headers: { 'content-type': type },
    body: JSON.stringify(patch),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${path}: ${answer}`);
}
