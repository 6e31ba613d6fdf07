import type { Json } from './json.ts';
import { clone, isObject } from './json.ts';
import type { Resolve, Schema } from './schema.ts';
import { memberSchema } from './schema.ts';

export interface PruneContext {
  readonly resolve: Resolve;
  /** Custom resources: an object without described members has none. Built-in kinds: it is free. */
  readonly custom: boolean;
  /** Paths of what was taken away. */
  readonly unknown: string[];
  /** Keeps empty values of built-in kinds: an applier owns them though they are not stored. */
  readonly keepEmpty?: boolean;
}

/** The value without fields that its schema does not know. Nulls of built-in kinds are absent fields. */
export function prune(schema: Schema | undefined, value: unknown, context: PruneContext, path = ''): unknown {
  const known = context.resolve(schema);
  if (!known) return clone(value);
  // Only built-in schemas have references, so a custom resource's metadata is treated like any metadata.
  if (schema?.$ref !== undefined && context.custom) return prune(known, value, { ...context, custom: false }, path);
  if (Array.isArray(value)) {
    if (!known.items) return clone(value);
    return value.map((item, index) => prune(known.items, item, context, `${path}[${index}]`));
  }
  return isObject(value) ? pruneObject(known, value, context, path) : value;
}

function pruneObject(schema: Schema, value: Json, context: PruneContext, path: string): Json {
  const keeps = schema['x-kubernetes-preserve-unknown-fields'] === true || isFree(schema, context.custom);
  const pruned: Json = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined || (member === null && !context.custom && !keeps)) continue;
    const child = memberSchema(schema, key);
    const where = path === '' ? key : `${path}.${key}`;
    if (child) {
      if (child['x-omit-empty'] !== true || context.keepEmpty || !isEmpty(member))
        pruned[key] = prune(child, member, context, where);
    } else if (keeps || schema.additionalProperties === true) pruned[key] = clone(member);
    else if (schema['x-kubernetes-embedded-resource'] && ['apiVersion', 'kind', 'metadata'].includes(key)) {
      pruned[key] = clone(member);
    } else context.unknown.push(where);
  }
  return pruned;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) ? Object.keys(value).length === 0 : value === '' || value === 0 || value === false;
}

function isFree(schema: Schema, custom: boolean): boolean {
  if (schema.properties !== undefined || schema.additionalProperties !== undefined) return false;
  return schema.type === undefined ? true : !custom;
}

/** Fills in the defaults of a schema, also in objects that are themselves a default. Works on the value it is given. */
export function fillDefaults(schema: Schema | undefined, value: unknown, resolve: Resolve): void {
  const known = resolve(schema);
  if (!known) return;
  if (Array.isArray(value)) {
    for (const item of value) fillDefaults(known.items, item, resolve);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(known.properties ?? {})) {
    const child = resolve(property);
    if (value[key] === null && child?.nullable !== true) delete value[key];
    if (value[key] === undefined && child?.default !== undefined) value[key] = clone(child.default);
  }
  for (const [key, member] of Object.entries(value)) fillDefaults(memberSchema(known, key), member, resolve);
}

/** Writes out the fields that a built-in kind always shows. Works on the value it is given. */
export function fillZeros(schema: Schema | undefined, value: unknown, resolve: Resolve): void {
  const known = resolve(schema);
  if (!known) return;
  if (Array.isArray(value)) {
    for (const item of value) fillZeros(known.items, item, resolve);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(known.properties ?? {})) {
    const zero = property['x-zero'];
    if (zero !== undefined && value[key] === undefined) value[key] = clone(zero);
  }
  for (const [key, member] of Object.entries(value)) fillZeros(memberSchema(known, key), member, resolve);
}
