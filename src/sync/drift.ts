import { canonicalJson, shortHash } from '../lib/hash.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Field manager of everything that comes from Git. */
export const syncManager = 'serin';

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: unknown;
}

/**
 * Hash of the fields that our server-side apply owns. It changes when somebody else sets or removes one of them, and never by defaults,
 * other spellings of a quantity or foreign fields: values are not compared. Undefined: we own nothing of it.
 */
export function ownedFields(object: KubeObject): string | undefined {
  const entries = (object.metadata['managedFields'] ?? []) as readonly ManagedFields[];
  const ours = entries.find(
    ({ manager, operation, subresource }) =>
      manager === syncManager && operation === 'Apply' && (subresource ?? '') === '',
  );
  return ours && shortHash(canonicalJson(ours.fieldsV1));
}

/** Keeps of a watched object only what drift is told by. */
export function projectOwned(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  const owned = ownedFields(object);
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, ...(owned === undefined ? {} : { owned }) };
}

/** Two writers that correct each other are worse than a drift: after so many corrections in the window we stop and say so. */
export const fightLimit = 5;
export const fightWindowMs = 600_000;

/** Times of the corrections that still count, the new one included. */
export function corrections(previous: readonly number[], nowMs: number): readonly number[] {
  return [...previous.filter((atMs) => nowMs - atMs < fightWindowMs), nowMs];
}
