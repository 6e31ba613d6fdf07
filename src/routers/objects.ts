import { jsonOf } from '../lib/json.ts';
import { canaryName as nameOfCanary, primaryName as nameOfPrimary } from '../canary/names.ts';
import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import { type AgentError, fieldError } from '../lib/errors.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../manifest/types.ts';
import type { RouteContext } from './router.ts';

/** Tell Flux to leave generated objects alone. */
export const TOOLKIT_ANNOTATIONS: Readonly<Record<string, string>> = {
  'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
  'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
};

/** What `kubectl apply` leaves on an object; it says nothing of a copy. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export type Json = Readonly<Record<string, unknown>>;

export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(jsonOf) : [];
}

export function primaryName(spec: CanarySpec): string {
  return nameOfPrimary(spec.service.name);
}

export function canaryName(spec: CanarySpec): string {
  return nameOfCanary(spec.service.name);
}

/** The service that meshes split: the first host, or the apex service. */
export function apexService(spec: CanarySpec): string {
  const hosts = spec.service.raw['hosts'];
  const first: unknown = Array.isArray(hosts) ? hosts[0] : undefined;
  return typeof first === 'string' && first !== '' ? first : spec.service.name;
}

/** `field` is what it is about. Absent: no single field. */
export function invalid(spec: CanarySpec, message: string, field?: string): AgentError {
  const what = field === undefined ? message : `${field}: ${message}`;
  const text = `Canary ${spec.name}.${spec.namespace}: ${what}`;
  return fieldError('CANARY_INVALID', text, { field: field ?? 'spec', message });
}

/** What stands stays, what we own is set, and the object goes when the Canary goes. */
export function metadataOf(
  { spec, owner }: RouteContext,
  name: string,
  live: KubeObject | undefined,
  own: { readonly labels: Readonly<Record<string, string>>; readonly annotations: Readonly<Record<string, string>> },
): ObjectMeta {
  const labels = { ...live?.metadata.labels, ...own.labels };
  const annotations = { ...live?.metadata.annotations, ...own.annotations };
  const owners = withOwner(live, owner);
  return {
    ...live?.metadata,
    name,
    namespace: spec.namespace,
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(owners.length > 0 ? { ownerReferences: owners } : {}),
  };
}

/** `spec.service.apex` and the toolkit's annotations: what routing objects named after the apex service carry. */
export function apexMetadata({ spec }: RouteContext): Parameters<typeof metadataOf>[3] {
  const { labels, annotations } = spec.service.apex;
  return { labels, annotations: { ...annotations, ...TOOLKIT_ANNOTATIONS } };
}

/** Adds the owner to new objects. A live reference to a Canary of this name that no longer exists would delete the object: it is renewed. */
function withOwner(live: KubeObject | undefined, owner: OwnerReference): OwnerReference[] {
  if (!live) return [owner];
  return (live.metadata.ownerReferences ?? []).map((reference) =>
    reference.kind === owner.kind && reference.name === owner.name && reference.uid !== owner.uid ? owner : reference,
  );
}

/** From two weights of any scale. Undefined where nobody gets traffic. */
export function splitOf(primary: number, canary: number, mirror = false): TrafficSplit | undefined {
  const total = primary + canary;
  return total > 0 ? { canaryWeight: Math.round((100 * canary) / total), mirror } : undefined;
}

/** Sum of the weights of the entries called `name`; `missing` stands for a weight that is not written. */
export function weightOf(entries: readonly Json[], key: string, name: string, missing: number): number {
  return entries
    .filter((entry) => entry[key] === name)
    .reduce((sum, entry) => sum + Math.max(0, toNumber(entry['weight'] ?? missing)), 0);
}

function toNumber(value: unknown): number {
  const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : 0;
}
