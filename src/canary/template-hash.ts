import { canonicalJson, shortHash } from '../lib/hash.ts';
import { perObject } from '../lib/memo.ts';

/** Goes up whenever equal templates would hash differently; hashes of other versions are never compared. */
const version = 'v1';

/** Names the content of a pod template as the API server stores it, e.g. `v1-6ff7d4d4c`. */
export function templateHash(template: unknown): string {
  return typeof template === 'object' && template !== null ? hashOf(template) : hashed(template);
}

const hashOf = perObject<object, string>(hashed);

function hashed(template: unknown): string {
  return `${version}-${shortHash(canonicalJson(hasNull(template) ? withoutNulls(template) : template))}`;
}

/** False for hashes of Flagger and of other releases: they say nothing about today's template. */
export function isComparableHash(hash: string): boolean {
  return hash.startsWith(`${version}-`);
}

/** Old API servers store `creationTimestamp: null`; it means the same as nothing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}

function hasNull(value: unknown): boolean {
  if (typeof value !== 'object') return false;
  return value === null || Object.values(value).some(hasNull);
}
