import { sha256Hex } from '../../../lib/hash.ts';
import type { Json } from '../json.ts';
import { isObject } from '../json.ts';
import type { Resource } from '../resource.ts';
import { apiVersionOf } from '../resource.ts';
import type { ApiStore } from '../store.ts';
import { apiVersions } from './discovery.ts';

const root = (apiVersion: string): string => (apiVersion === 'v1' ? 'api/v1' : `apis/${apiVersion}`);

/** `/openapi/v3`: where the document of each group and version lies. */
export function openApiIndex(store: ApiStore): Json {
  const paths = apiVersions(store.registry).map((apiVersion) => {
    const hash = sha256Hex(JSON.stringify(openApiDocument(store, root(apiVersion)) ?? {})).slice(0, 32);
    return [root(apiVersion), { serverRelativeURL: `/openapi/v3/${root(apiVersion)}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(paths) };
}

/** The document of `api/v1` or `apis/GROUP/VERSION`: enough for kubectl to validate, explain and merge. */
export function openApiDocument(store: ApiStore, path: string): Json | undefined {
  const resources = store.registry.all().filter((resource) => root(apiVersionOf(resource)) === path);
  if (resources.length === 0 && !/^apis\/auth(?:orization|entication)\.k8s\.io\/v1$/.test(path)) return undefined;
  const schemas: Record<string, Json> = {};
  for (const resource of resources) {
    const name = definitionName(store, resource);
    if (!resource.schema) continue;
    addReferenced(store, resource.schema, schemas);
    schemas[name] = { ...(published(resource.schema) as Json), 'x-kubernetes-group-version-kind': [kindOf(resource)] };
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.34.0' },
    paths: Object.assign({}, ...resources.map((resource) => pathsOf(store, resource, path))) as Json,
    components: { schemas },
  };
}

const kindOf = ({ group, version, kind }: Resource): Json => ({ group, version, kind });

function definitionName(store: ApiStore, resource: Resource): string {
  const builtin = store.schemas.kinds[`${apiVersionOf(resource)}/${resource.kind}`];
  return builtin ?? `${resource.group.split('.').reverse().join('.')}.${resource.version}.${resource.kind}`;
}

function addReferenced(store: ApiStore, schema: unknown, into: Record<string, Json>): void {
  if (Array.isArray(schema)) for (const item of schema) addReferenced(store, item, into);
  if (!isObject(schema)) return;
  const name = schema.$ref;
  if (typeof name === 'string' && into[name] === undefined) {
    const target = store.schemas.definitions[name];
    if (target) {
      into[name] = published(target) as Json;
      addReferenced(store, target, into);
    }
  }
  for (const member of Object.values(schema)) addReferenced(store, member, into);
}

/** References in OpenAPI's spelling; what stands beside one goes around it. */
function published(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(published);
  if (!isObject(schema)) return schema;
  const { $ref, 'x-omit-empty': _internal, ...rest } = schema;
  const members = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, published(value)]));
  if (typeof $ref !== 'string') return $ref === undefined ? members : { ...members, $ref: published($ref) };
  const reference = { $ref: `#/components/schemas/${$ref}` };
  return Object.keys(members).length === 0 ? reference : { ...members, allOf: [reference] };
}

function pathsOf(store: ApiStore, resource: Resource, base: string): Json {
  const inside = resource.namespaced ? '/namespaces/{namespace}' : '';
  const collection = `/${base}${inside}/${resource.plural}`;
  const reference = { $ref: `#/components/schemas/${definitionName(store, resource)}` };
  const content = { 'application/json': { schema: reference } };
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
    name,
    in: 'query',
    schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
  }));
  const operation = (action: string, extra: Json = {}): Json => ({
    responses: { 200: { description: 'OK', content } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindOf(resource),
    ...extra,
  });
  const writes = { parameters, requestBody: { content: { '*/*': { schema: reference } } } };
  return {
    [collection]: { get: operation('list'), post: operation('post', writes) },
    [`${collection}/{name}`]: {
      get: operation('get'),
      put: operation('put', writes),
      patch: operation('patch', writes),
      delete: operation('delete'),
    },
  };
}
