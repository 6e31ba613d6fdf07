import { wholeField } from '../canary/shared-fields.ts';
import { canonicalJson, shortHash } from '../lib/hash.ts';
import type { KubeObject, OwnerReference } from '../manifest/types.ts';
import { controlAnnotations } from './annotations.ts';
import type { Shared } from './render.ts';
import { isFinished } from './runs.ts';

/** Field manager of everything that comes from Git. */
export const syncManager = 'serin';
/** Field managers of the canaries' own writes begin so: they are never overruled. */
export const canaryManager = 'serin-canary';

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Fields;
}
type Fields = Readonly<Record<string, unknown>>;

function ourEntry(object: KubeObject): ManagedFields | undefined {
  const entries = (object.metadata['managedFields'] ?? []) as readonly ManagedFields[];
  return entries.find(
    ({ manager, operation, subresource }) =>
      manager === syncManager && operation === 'Apply' && (subresource ?? '') === '',
  );
}

/**
 * Hash of the fields that our server-side apply owns. It changes when somebody else sets or removes one of them, and never by defaults,
 * other spellings of a quantity or foreign fields: values are not compared. Undefined: we own nothing of it.
 */
export function ownedFields(object: KubeObject): string | undefined {
  const ours = ourEntry(object);
  if (!ours) return undefined;
  // One field as a whole, into which canaries write: who owns it last says nothing.
  const path = wholeField(object)?.map((name) => `f:${name}`);
  return shortHash(canonicalJson(path ? withoutField(ours.fieldsV1, path) : ours.fieldsV1));
}

function withoutField(fields: Fields | undefined, [name, ...rest]: readonly string[]): unknown {
  return Object.fromEntries(
    Object.entries(fields ?? {}).flatMap(([key, member]) => {
      if (key !== name) return [[key, member]];
      return rest.length === 0 ? [] : [[key, withoutField(member as Fields, rest)]];
    }),
  );
}

export function controllerOf({ metadata }: Pick<KubeObject, 'metadata'>): OwnerReference | undefined {
  return (metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
}

/** Keeps of a watched object only what sync looks at: whose it is, what people ordered, `owned`, and `finished` of a Job or Pod. */
export function projectOwned(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences } = object.metadata;
  const annotations = controlAnnotations(object);
  const owned = ownedFields(object);
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(owned === undefined ? {} : { owned }),
    ...(isFinished(object) ? { finished: true } : {}),
  };
}

const handoverManagers: Readonly<Record<Exclude<Shared, 'nothing'>, string>> = {
  replicas: 'serin-scale',
  service: 'serin-service',
  traffic: 'serin-service',
  nodes: 'serin-scale',
  weights: 'serin-service',
};

export interface Handover {
  readonly manager: string;
  /** To be applied under that manager before the object is applied without the fields. */
  readonly object: KubeObject;
}

/**
 * Fields that we owned alone and do not send any more would be removed, and defaulted: a target of five pods would fall to one at the
 * moment it gets a Canary. So another manager takes their live values first. Undefined where there is nothing to hand over.
 */
export function handoverOf(live: KubeObject, shared: Shared, fields: readonly string[]): Handover | undefined {
  if (shared === 'nothing') return undefined;
  const ours = ourEntry(live)?.fieldsV1?.['f:spec'] as Readonly<Record<string, unknown>> | undefined;
  const spec = (live['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  const kept = fields.filter((field) => ours?.[`f:${field}`] !== undefined && spec[field] !== undefined);
  if (kept.length === 0) return undefined;
  const { name, namespace } = live.metadata;
  const object: KubeObject = {
    apiVersion: live.apiVersion,
    kind: live.kind,
    metadata: namespace === undefined ? { name } : { name, namespace },
    spec: Object.fromEntries(kept.map((field) => [field, spec[field]])),
  };
  return { manager: handoverManagers[shared], object };
}

/** Two writers that correct each other are worse than a drift: after so many corrections in the window we stop and say so. */
export const fightLimit = 5;
export const fightWindowMs = 600_000;

/** Times of the corrections that still count, the new one included. */
export function corrections(previous: readonly number[], nowMs: number): readonly number[] {
  return [...stillCounting(previous, nowMs), nowMs];
}

export function stillCounting(times: readonly number[], nowMs: number): readonly number[] {
  return times.filter((atMs) => nowMs - atMs < fightWindowMs);
}
