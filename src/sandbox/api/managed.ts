import type { Clock } from '../../lib/clock.ts';
import type { StoredObject } from '../types.ts';
import { compare } from './fields/compare.ts';
import type { FieldSet } from './fields/field-set.ts';
import { decodeSet, difference, emptySet, encodeSet, isEmpty, setOf, union, without } from './fields/field-set.ts';
import type { Json } from './json.ts';
import { asArray, asObject, asString, objectsIn } from './json.ts';
import { fillZeros } from './prune.ts';
import type { Resource } from './resource.ts';
import { apiVersionOf } from './resource.ts';
import type { Resolve } from './schema.ts';
import { timestamp } from './time.ts';
import type { WriteContext } from './write-context.ts';

/** Who owns which fields: one entry of metadata.managedFields. */
export interface Ownership {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fields: FieldSet;
}

export function readOwners(managedFields: unknown): readonly Ownership[] {
  return objectsIn(managedFields)
    .filter((entry) => entry.manager !== undefined || entry.fieldsV1 !== undefined)
    .map((entry) => ({
      manager: asString(entry.manager),
      operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
      apiVersion: asString(entry.apiVersion),
      ...(entry.subresource === undefined ? {} : { subresource: asString(entry.subresource) }),
      ...(entry.time === undefined ? {} : { time: asString(entry.time) }),
      fields: decodeSet(entry.fieldsV1),
    }));
}

export function writeOwners(owners: readonly Ownership[]): Json[] {
  const order = (owner: Ownership): string =>
    [owner.operation, owner.time ?? '', owner.manager, owner.apiVersion, owner.subresource ?? ''].join('\0');
  return owners
    .filter((owner) => !isEmpty(owner.fields))
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .map(({ manager, operation, apiVersion, subresource, time, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: encodeSet(fields),
      ...(subresource === undefined ? {} : { subresource }),
    }));
}

const identity = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
];
const unowned = [...identity.map((field) => ['f:metadata', `f:${field}`]), ['f:apiVersion'], ['f:kind']];

/** Without what nobody can own: identity, and what this endpoint sets back. */
export function ownable(resource: Resource, fields: FieldSet, subresource: string | undefined): FieldSet {
  const { children } = without(fields, ...unowned);
  const metadata = children.get('f:metadata');
  // The metadata itself is nobody's, only what stands in it.
  const top = [...children].map(
    ([key, child]) => [key, key === 'f:metadata' && metadata ? { ...child, self: false } : child] as const,
  );
  const set = setOf(false, top);
  if (subresource === 'status') return setOf(false, [['f:status', set.children.get('f:status') ?? emptySet]]);
  return resource.status ? without(set, ['f:status']) : set;
}

const isSame = (owner: Ownership, context: WriteContext, apiVersion: string): boolean =>
  owner.manager === context.manager &&
  owner.operation === 'Update' &&
  owner.apiVersion === apiVersion &&
  owner.subresource === context.subresource;

/** What a built-in kind has before anything is set: to fill its structs is no addition of their own path. */
function emptyOf(resource: Resource, resolve: Resolve): Json {
  const empty: Json = { metadata: {} };
  if (!resource.custom) fillZeros(resource.schema, empty, resolve);
  return empty;
}

export interface Around {
  readonly resolve: Resolve;
  readonly clock: Clock;
}

/** Who owns what stood there before anybody applied and was not tracked. */
export function firstOwners(resource: Resource, live: StoredObject, { resolve, clock }: Around): readonly Ownership[] {
  const { managedFields: _none, ...metadata } = live.metadata;
  const { added, modified } = compare(
    resource.schema,
    emptyOf(resource, resolve),
    strip({ ...live, metadata }),
    resolve,
  );
  const apiVersion = apiVersionOf(resource);
  const fields = ownable(resource, union(added, modified), undefined);
  return [{ manager: 'before-first-apply', operation: 'Update', apiVersion, time: timestamp(clock), fields }];
}

/** The object with managedFields brought up to date after a create or an update. */
export function noteManager(
  resource: Resource,
  object: Json,
  live: StoredObject | undefined,
  context: WriteContext,
  { resolve, clock }: Around,
): Json {
  const metadata = asObject(object.metadata);
  const given = metadata.managedFields;
  const isReset = Array.isArray(given) && given.every((entry) => Object.keys(asObject(entry)).length === 0);
  const told = context.subresource === 'status' ? [] : readOwners(given);
  const owners = isReset ? [] : told.length > 0 ? told : readOwners(live?.metadata.managedFields);
  if (live && owners.length === 0) return withOwners(object, []);
  const before = live ?? emptyOf(resource, resolve);
  const { added, modified, removed } = compare(resource.schema, strip(before), strip(object), resolve);
  const gained = ownable(resource, union(added, modified), context.subresource);
  const lost = union(union(added, modified), removed);
  const apiVersion = apiVersionOf(resource);
  const previous = owners.find((owner) => isSame(owner, context, apiVersion));
  const others = owners
    .filter((owner) => owner !== previous)
    .map((owner) => ({ ...owner, fields: difference(owner.fields, lost) }));
  const changed = !isEmpty(gained) || !isEmpty(removed);
  const mine: Ownership = {
    manager: context.manager,
    operation: 'Update',
    apiVersion,
    ...(context.subresource === undefined ? {} : { subresource: context.subresource }),
    time: changed || previous?.time === undefined ? timestamp(clock) : previous.time,
    fields: union(difference(previous?.fields ?? emptySet, removed), gained),
  };
  return withOwners(object, writeOwners([...others, mine]));
}

const strip = (object: Json): Json => ({ ...object, apiVersion: undefined, kind: undefined });

export function withOwners(object: Json, entries: readonly Json[]): Json {
  const { managedFields: _before, ...metadata } = asObject(object.metadata);
  return { ...object, metadata: asArray(entries).length === 0 ? metadata : { ...metadata, managedFields: entries } };
}
