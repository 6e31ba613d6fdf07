import type { Json } from '../json.ts';
import { isObject } from '../json.ts';
import type { Resolve, Schema } from '../schema.ts';
import { memberSchema } from '../schema.ts';

/** How a value is owned and merged: as one thing, by its fields, by the keys of its items, or by its items' values. */
export type Shape =
  | { readonly kind: 'leaf' }
  | { readonly kind: 'map'; readonly value: Json }
  | { readonly kind: 'keyed'; readonly value: readonly Json[]; readonly keys: readonly string[] }
  | { readonly kind: 'set'; readonly value: readonly unknown[] };

const leaf: Shape = { kind: 'leaf' };

export function shapeOf(schema: Schema | undefined, value: unknown): Shape {
  if (isObject(value)) return schema?.['x-kubernetes-map-type'] === 'atomic' ? leaf : { kind: 'map', value };
  if (!Array.isArray(value)) return leaf;
  const list: readonly unknown[] = value;
  const keys = schema?.['x-kubernetes-list-map-keys'];
  const type = schema?.['x-kubernetes-list-type'];
  if (type === 'map' && keys && list.every(isObject)) return { kind: 'keyed', value: list as readonly Json[], keys };
  return type === 'set' ? { kind: 'set', value: list } : leaf;
}

/** The parts of a value by their path step, each with its schema; undefined for a leaf. Later duplicates are passed over. */
export function partsOf(
  schema: Schema | undefined,
  value: unknown,
  resolve: Resolve,
): ReadonlyMap<string, Part> | undefined {
  const shape = shapeOf(schema, value);
  const parts = new Map<string, Part>();
  switch (shape.kind) {
    case 'leaf':
      return undefined;
    case 'map':
      for (const [key, member] of Object.entries(shape.value)) {
        const declared = schema?.properties?.[key] !== undefined;
        parts.set(`f:${key}`, { value: member, schema: resolve(memberSchema(schema, key)), declared });
      }
      return parts;
    case 'keyed': {
      const items = resolve(schema?.items);
      for (const item of shape.value) {
        const step = `k:${JSON.stringify(identity(item, shape.keys, items, resolve))}`;
        if (!parts.has(step)) parts.set(step, { value: item, schema: items, declared: false });
      }
      return parts;
    }
    case 'set':
      for (const item of shape.value) {
        parts.set(`v:${JSON.stringify(item)}`, { value: item, schema: undefined, declared: false });
      }
      return parts;
  }
}

export interface Part {
  readonly value: unknown;
  readonly schema: Schema | undefined;
  /** A named field of a struct, in contrast to a key of a map or an item of a list. */
  readonly declared: boolean;
}

function identity(item: Json, keys: readonly string[], schema: Schema | undefined, resolve: Resolve): Json {
  const found: Json = {};
  for (const key of [...keys].sort()) {
    const value = item[key] ?? resolve(schema?.properties?.[key])?.default;
    if (value !== undefined) found[key] = value;
  }
  return found;
}
