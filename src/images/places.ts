import { type Fields, fieldsOf, isFields, listOf } from '../manifest/checks/finding.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Where the image of a container stands in an object, as one text or as its parts. */
export interface ImagePlace {
  /** The container's name; of a HelmRelease `chart-image`, the key under which it stands, or an alias. */
  readonly container: string;
  /** The whole image, as it is written. */
  readonly image: string;
  /** Fields such as `spec.template.spec.containers[0].image`. */
  readonly fields: { readonly image: string } | { readonly name: string; readonly tag: string };
}

/** Fields that hold a pod's spec, by kind. */
const podSpecs: ReadonlyMap<string, string> = new Map([
  ['Pod', 'spec'],
  ['CronJob', 'spec.jobTemplate.spec.template.spec'],
  ...['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'ReplicationController', 'Job'].map(
    (kind) => [kind, 'spec.template.spec'] as const,
  ),
]);
const knativeService = /^serving\.knative\.dev\//;

/** The images of a workload's containers, those of a HelmRelease by the shapes that Flux knows; undefined: it is neither. */
export function placesOf(object: KubeObject): readonly ImagePlace[] | undefined {
  if (object.kind === 'HelmRelease') return placesInValues(fieldsOf(object['spec'], 'values'));
  const path = podSpecPath(object);
  if (path === undefined) return undefined;
  const spec = fieldsAt(object, path);
  return ['containers', 'initContainers'].flatMap((list) =>
    listOf(spec, list).flatMap((container, index) => {
      const { name, image } = isFields(container) ? container : {};
      if (typeof name !== 'string' || typeof image !== 'string') return [];
      return [{ container: name, image, fields: { image: `${path}.${list}[${index}].image` } }];
    }),
  );
}

const podSpecPath = ({ apiVersion, kind }: KubeObject): string | undefined =>
  knativeService.test(apiVersion) && kind === 'Service' ? 'spec.template.spec' : podSpecs.get(kind);

function fieldsAt(object: Fields, path: string): Fields {
  let fields = object;
  for (const name of path.split('.')) fields = fieldsOf(fields, name);
  return fields;
}

/** The spec of a workload's pods; empty where it has none. */
export function podSpecOf(object: KubeObject): Fields {
  const path = podSpecPath(object);
  return path === undefined ? {} : fieldsAt(object, path);
}

/** A field as its steps: `spec.containers[0].image`, `spec.values["a.b"]`. */
export const stepsOf = (field: string): readonly (string | number)[] =>
  [...field.matchAll(/\["([^"]*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, key, index, name]) =>
    index === undefined ? (key ?? name ?? '') : Number(index),
  );

const root = 'spec.values';

/** At the top of the values, and one level below; deeper ones need a mapping. */
function placesInValues(values: Fields): readonly ImagePlace[] {
  const top = placeIn(values, root, 'chart-image');
  const below = Object.entries(values).flatMap(([key, value]) => {
    const place = isFields(value) ? placeIn(value, `${root}${step(key)}`, key) : undefined;
    return place ? [place] : [];
  });
  return top ? [top, ...below] : below;
}

function placeIn(values: Fields, path: string, container: string): ImagePlace | undefined {
  const { image } = values;
  if (isFields(image)) {
    const { repository, registry, tag } = image;
    if (typeof repository !== 'string') return undefined;
    return inParts(container, { registry, name: repository, tag }, `${path}.image`, 'repository');
  }
  if (typeof image !== 'string') return undefined;
  const { registry, tag } = values;
  if (typeof tag !== 'string') {
    if (typeof registry === 'string') return undefined;
    return { container, image, fields: { image: `${path}.image` } };
  }
  return inParts(container, { registry, name: image, tag }, path, 'image');
}

function inParts(
  container: string,
  { registry, name, tag }: { readonly registry: unknown; readonly name: string; readonly tag: unknown },
  path: string,
  nameField: string,
): ImagePlace {
  const whole = `${typeof registry === 'string' && registry !== '' ? `${registry}/` : ''}${name}`;
  if (typeof tag !== 'string') return { container, image: whole, fields: { image: `${path}.${nameField}` } };
  return { container, image: `${whole}:${tag}`, fields: { name: `${path}.${nameField}`, tag: `${path}.tag` } };
}

/** Paths of values, as `repository.fluxcd.io/ALIAS` and its like name them. */
export interface Mapping {
  readonly repository: string;
  readonly registry?: string;
  readonly tag?: string;
}

/** An image that a mapping names, or what is wrong with the mapping. */
export function placeByMapping(
  object: KubeObject,
  alias: string,
  mapping: Mapping,
): ImagePlace | { readonly problem: string } {
  const values = fieldsOf(object['spec'], 'values');
  const valueAt = (path: string): unknown => {
    let value: unknown = values;
    for (const name of path.split('.')) value = isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return value;
  };
  const field = (path: string): string => `${root}${path.split('.').map(step).join('')}`;
  const { repository, registry, tag } = mapping;
  const parts = [repository, registry, tag].filter((path) => path !== undefined);
  const missing = parts.find((path) => typeof valueAt(path) !== 'string');
  if (missing !== undefined) return { problem: `there is no text at ${field(missing.slice(0, 200))}` };
  const name = String(valueAt(repository));
  const whole = registry === undefined ? name : `${String(valueAt(registry))}/${name}`;
  if (tag === undefined) return { container: alias, image: whole, fields: { image: field(repository) } };
  return {
    container: alias,
    image: `${whole}:${String(valueAt(tag))}`,
    fields: { name: field(repository), tag: field(tag) },
  };
}

/** Keys may have dots in them. */
const step = (key: string): string => (/^[\w-]+$/.test(key) ? `.${key}` : `["${key}"]`);
