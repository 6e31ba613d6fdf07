import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { nameOf } from '../manifest/identity.ts';
import type { LineFinder } from '../manifest/locate.ts';
import { type KubeObject, type Manifest, type Problem, refOf } from '../manifest/types.ts';
import { isObject, type Json } from '../sandbox/api/json.ts';
import { fillDefaults, prune } from '../sandbox/api/prune.ts';
import type { Resolve, Schema } from '../sandbox/api/schema.ts';
import { validate } from '../sandbox/api/validate.ts';

/** What our own definitions, and those in Git, refuse of the objects that they describe: as an API server would. */
export function checkCustomResources(
  manifests: readonly Manifest[],
  told: readonly Problem[],
  lineOf: LineFinder,
): readonly Problem[] {
  const schemas = new Map<string, Schema>();
  for (const definition of [
    ...ownDefinitions(),
    ...manifests.filter(({ object }) => object.kind === 'CustomResourceDefinition').map(({ object }) => object),
  ])
    for (const [key, schema] of schemasOf(definition)) schemas.set(key, schema);
  const resolve: Resolve = (schema) => schema;
  const fields = fieldsOf(told);
  return manifests.flatMap((manifest) => {
    const { object, origin } = manifest;
    const schema = schemas.get(`${object.apiVersion}/${object.kind}`);
    if (!schema) return [];
    const draft = prune(schema, object, { resolve, custom: true, unknown: [] }) as Json;
    fillDefaults(schema, draft, resolve);
    return validate(schema, draft, resolve)
      .slice(0, 20)
      .flatMap(({ field = '', message }): readonly Problem[] => {
        const place = field === '<nil>' ? '' : field;
        const problem: Problem = {
          severity: 'error',
          path: origin.path,
          line: lineOf(origin, place) ?? origin.line,
          message: `${nameOf(refOf(object))} ${place}: its definition refuses it: ${shortened(message)}`,
        };
        return isTold(place, fields.get(nameOf(refOf(object))) ?? []) ? [] : [problem];
      });
  });
}

/** Fields that errors speak of, by the name of their object. */
function fieldsOf(problems: readonly Problem[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { severity, place } of problems) {
    if (severity !== 'error' || place === undefined) continue;
    const fields = found.get(place.object);
    if (fields) fields.push(place.field);
    else found.set(place.object, [place.field]);
  }
  return found;
}

/** What we say in our own words need not be said again: of the field, of a part of it, or of what it is a part of. */
function isTold(place: string, fields: readonly string[]): boolean {
  return fields.some(
    (field) =>
      field === place ||
      field.startsWith(`${place}.`) ||
      place.startsWith(`${field}.`) ||
      field.startsWith(`${place}[`) ||
      place.startsWith(`${field}[`),
  );
}

const shortened = (message: string): string => (message.length > 300 ? `${message.slice(0, 300)}…` : message);

function* schemasOf(definition: KubeObject): Generator<readonly [string, Schema]> {
  const { group, names, versions } = (isObject(definition['spec']) ? definition['spec'] : {}) as {
    group?: unknown;
    names?: { kind?: unknown } | null;
    versions?: unknown;
  };
  if (typeof group !== 'string' || !Array.isArray(versions)) return;
  for (const version of versions as readonly unknown[]) {
    if (!isObject(version) || !isObject(version.schema) || !isObject(version.schema.openAPIV3Schema)) continue;
    yield [`${group}/${String(version.name)}/${String(names?.kind)}`, version.schema.openAPIV3Schema as Schema];
  }
}

function ownDefinitions(): readonly KubeObject[] {
  const folder = new URL('../../manifests/crds/', import.meta.url);
  return readdirSync(folder).map((name) => parse(readFileSync(new URL(name, folder), 'utf8')) as KubeObject);
}
