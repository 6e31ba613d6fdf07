import type { StoredObject } from '../types.ts';
import type { Json } from './json.ts';
import { asArray, asObject, asString, isObject, objectsIn } from './json.ts';
import type { Objects } from './objects.ts';
import type { Registry } from './registry.ts';
import type { PrinterColumn, Resource } from './resource.ts';
import type { Schema } from './schema.ts';

const place = 'apiextensions.k8s.io/customresourcedefinitions';
const metadataSchema: Schema = { $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** Serves what CustomResourceDefinitions define, for as long as they stand; with one go its objects. */
export function serveDefinitions(objects: Objects, registry: Registry): () => void {
  return objects.onEvent(({ type, object }, storage) => {
    if (storage !== place) return;
    const versions = resourcesOf(object);
    const home = versions[0]?.storage ?? homeOf(object);
    if (type === 'DELETED') {
      for (const orphan of objects.list(home)) objects.drop(home, orphan);
      registry.setCustom(home, []);
    } else registry.setCustom(home, versions);
  });
}

function homeOf(definition: StoredObject): string {
  const spec = asObject(definition.spec);
  return `${asString(spec.group)}/${asString(asObject(spec.names).plural)}`;
}

function resourcesOf(definition: StoredObject): readonly Resource[] {
  const spec = asObject(definition.spec);
  const names = asObject(spec.names);
  const texts = (value: unknown): readonly string[] => asArray(value).map(String);
  return objectsIn(spec.versions)
    .filter((version) => version.served === true)
    .map((version) => {
      const subresources = asObject(version.subresources);
      const status = isObject(subresources.status);
      const columns = objectsIn(version.additionalPrinterColumns) as unknown as readonly PrinterColumn[];
      return {
        group: asString(spec.group),
        version: asString(version.name),
        kind: asString(names.kind),
        plural: asString(names.plural),
        singular: asString(names.singular),
        listKind: asString(names.listKind),
        shortNames: texts(names.shortNames),
        categories: texts(names.categories),
        namespaced: spec.scope === 'Namespaced',
        storage: homeOf(definition),
        status,
        ...(isObject(subresources.scale)
          ? { scale: subresources.scale as unknown as NonNullable<Resource['scale']> }
          : {}),
        generation: 'all',
        schema: withMetadata(asObject(asObject(version.schema).openAPIV3Schema)),
        custom: true,
        columns: columns.length > 0 ? columns : [age],
      };
    });
}

function withMetadata(schema: Json): Schema {
  const described = schema as Schema;
  return {
    ...described,
    properties: {
      ...described.properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: metadataSchema,
    },
  };
}
