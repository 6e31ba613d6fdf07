import { readFileSync } from 'node:fs';
import { isObject } from './json.ts';

/** OpenAPI v3 as Kubernetes uses it, for built-in kinds and for custom resources alike. `$ref` is a bare definition name. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly uniqueItems?: boolean;
  readonly nullable?: boolean;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  /** Built-in kinds: an empty value is an absent one (Go's omitempty on a field without a pointer). */
  readonly 'x-omit-empty'?: boolean;
  /** Built-in kinds: what an absent field is shown as (Go writes it out). */
  readonly 'x-zero'?: unknown;
}

/** The schemas of the built-in kinds, as a Kubernetes 1.34 publishes them, without texts. */
export interface BuiltinSchemas {
  /** `apps/v1/Deployment` to the name of its definition. */
  readonly kinds: Readonly<Record<string, string>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

export function readBuiltinSchemas(): BuiltinSchemas {
  const file = new URL('../../../fixtures/kubernetes/schemas.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as BuiltinSchemas;
}

/** Follows references. What stands beside a reference (a default, a list type) goes before what it refers to. */
export type Resolve = (schema: Schema | undefined) => Schema | undefined;

export function resolver(definitions: Readonly<Record<string, Schema>>): Resolve {
  const cache = new Map<Schema, Schema | undefined>();
  return (schema) => {
    if (schema?.$ref === undefined) return schema;
    if (cache.has(schema)) return cache.get(schema);
    const { $ref, ...beside } = schema;
    const target = definitions[$ref];
    const resolved = Object.keys(beside).length === 0 ? target : { ...target, ...beside };
    cache.set(schema, resolved);
    return resolved;
  };
}

/** The schema of a member: a property, or what additionalProperties says of all others. Undefined: not described. */
export function memberSchema(schema: Schema | undefined, key: string): Schema | undefined {
  const property = schema?.properties?.[key];
  if (property) return property;
  return isObject(schema?.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
}
