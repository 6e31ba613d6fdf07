import type { StoredObject } from '../types.ts';
import { compare, fieldSetOf } from './fields/compare.ts';
import type { FieldSet } from './fields/field-set.ts';
import { difference, emptySet, intersection, isEmpty, pathsOf, union } from './fields/field-set.ts';
import { mergeApplied, withoutAbandoned } from './fields/merge.ts';
import { Failure, badRequest } from './failure.ts';
import type { Json } from './json.ts';
import { asObject, asString } from './json.ts';
import type { Around, Ownership } from './managed.ts';
import { firstOwners, ownable, readOwners, withOwners, writeOwners } from './managed.ts';
import { prune } from './prune.ts';
import type { Resource } from './resource.ts';
import { apiVersionOf } from './resource.ts';
import { timestamp } from './time.ts';
import { validate } from './validate.ts';

export interface ApplyRequest {
  readonly manager: string;
  readonly force: boolean;
  readonly subresource?: 'status' | 'scale';
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Server-side apply: what the object becomes, with managedFields, or a conflict. `live` is absent when it is created. */
export function applyTo(
  resource: Resource,
  live: StoredObject | undefined,
  config: Json,
  request: ApplyRequest,
  { resolve, clock }: Around,
): Json {
  if (asObject(config.metadata).managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const { schema } = resource;
  const unknown: string[] = [];
  const known = prune(schema, config, { resolve, custom: resource.custom, unknown, keepEmpty: true }) as Json;
  if (unknown.length > 0) throw undeclared(resource, config, unknown);
  // Items that cannot be told apart have no owner.
  const twice = validate(schema, known, resolve).find(({ reason }) => reason === 'FieldValueDuplicate');
  if (twice) throw notTyped(resource, config, `.${twice.field ?? ''}: duplicate entries for key`);
  const tracked = readOwners(live?.metadata.managedFields);
  const owners = live && tracked.length === 0 ? firstOwners(resource, live, { resolve, clock }) : tracked;
  const isMine = (owner: Ownership): boolean =>
    owner.operation === 'Apply' && owner.manager === request.manager && owner.subresource === request.subresource;
  const previous = owners.find(isMine);
  const others = owners.filter((owner) => owner !== previous);
  const fields = ownable(resource, fieldSetOf(schema, known, resolve), request.subresource);
  const keep = others.reduce((all, owner) => union(all, owner.fields), fields);
  const base: Json = live ? { ...live, metadata: withoutManaged(live.metadata) } : bare(known);
  const merged = mergeApplied(schema, base, known, resolve);
  const pruned = previous ? withoutAbandoned(schema, merged, previous.fields, keep, resolve) : merged;
  const { added, modified, removed } = compare(schema, live ? base : {}, pruned, resolve);
  const taken = ownable(resource, union(added, modified), request.subresource);
  const conflicts = live ? conflictsOf(others, taken) : [];
  if (conflicts.length > 0 && !request.force && !mayMigrate(request, live, conflicts, resource, resolve)) {
    throw conflictFailure(conflicts);
  }
  const left = live
    ? others.map((owner) => ({ ...owner, fields: difference(owner.fields, union(taken, removed)) }))
    : others;
  const same = isEmpty(taken) && isEmpty(removed) && previous && isEmpty(difference(fields, previous.fields));
  const mine: Ownership = {
    manager: request.manager,
    operation: 'Apply',
    apiVersion: apiVersionOf(resource),
    ...(request.subresource === undefined ? {} : { subresource: request.subresource }),
    time: same ? (previous.time ?? timestamp(clock)) : timestamp(clock),
    fields,
  };
  return withOwners(syncLastApplied(pruned as Json, known, request), writeOwners([...left, mine]));
}

function undeclared(resource: Resource, config: Json, unknown: readonly string[]): Failure {
  const fields = unknown.map((path) => `.${path}: field not declared in schema`);
  const text = fields.length === 1 ? fields[0] : `errors:\n${fields.map((field) => `  ${field}`).join('\n')}`;
  return notTyped(resource, config, text ?? '');
}

function notTyped(resource: Resource, config: Json, text: string): Failure {
  const { namespace, name } = asObject(config.metadata);
  const which = `${asString(namespace)}/${asString(name)}; ${apiVersionOf(resource)}, Kind=${resource.kind}`;
  return new Failure(500, '', `failed to create typed patch object (${which}): ${text}`);
}

function withoutManaged(metadata: StoredObject['metadata']): Json {
  const { managedFields: _owners, ...rest } = metadata;
  return rest;
}

const bare = (config: Json): Json => ({ apiVersion: config.apiVersion, kind: config.kind });

interface Conflict {
  readonly owner: Ownership;
  readonly fields: FieldSet;
}

function conflictsOf(others: readonly Ownership[], taken: FieldSet): readonly Conflict[] {
  return others
    .map((owner) => ({ owner, fields: intersection(owner.fields, taken) }))
    .filter(({ fields }) => !isEmpty(fields));
}

/** Fields that kubectl itself has once applied from the client go over to its server-side apply without a conflict. */
function mayMigrate(
  request: ApplyRequest,
  live: StoredObject | undefined,
  conflicts: readonly Conflict[],
  resource: Resource,
  resolve: Around['resolve'],
): boolean {
  const text = live?.metadata.annotations?.[lastApplied];
  if (request.manager !== 'kubectl' || !text) return false;
  const applied = fieldSetOf(resource.schema, JSON.parse(text), resolve);
  const all = conflicts.reduce((set, conflict) => union(set, conflict.fields), emptySet);
  return isEmpty(
    difference(
      all,
      union(applied, fieldSetOf(undefined, { metadata: { annotations: { [lastApplied]: '' } } }, resolve)),
    ),
  );
}

function syncLastApplied(object: Json, config: Json, request: ApplyRequest): Json {
  const metadata = asObject(object.metadata);
  const annotations = asObject(metadata.annotations);
  if (request.manager !== 'kubectl' || asString(annotations[lastApplied]) === '') return object;
  const { [lastApplied]: _old, ...rest } = asObject(asObject(config.metadata).annotations);
  const stated = { ...config, metadata: { ...asObject(config.metadata), annotations: rest } };
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...annotations, [lastApplied]: `${JSON.stringify(stated)}\n` } },
  };
}

function conflictFailure(conflicts: readonly Conflict[]): Failure {
  const named = ({ manager, operation, apiVersion, subresource }: Ownership): string =>
    `${JSON.stringify(manager)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
  const found = conflicts.flatMap(({ owner, fields }) => pathsOf(fields).map((path) => ({ who: named(owner), path })));
  const first = found[0];
  const byOwner = [...new Set(found.map(({ who }) => who))].sort();
  const text =
    found.length === 1 && first
      ? `Apply failed with 1 conflict: conflict with ${first.who}: ${first.path}`
      : `Apply failed with ${found.length} conflicts: ${byOwner
          .flatMap((who) => [
            `conflicts with ${who}:`,
            ...found.filter((one) => one.who === who).map((one) => `- ${one.path}`),
          ])
          .join('\n')}`;
  return new Failure(409, 'Conflict', text, {
    causes: found.map(({ who, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${who}`,
      field: path,
    })),
  });
}
