import type { Clock } from '../../lib/clock.ts';
import type { SandboxStore, StoredObject } from '../types.ts';
import { createAdmission } from './admit.ts';
import { builtinResources } from './builtins.ts';
import { serveDefinitions } from './definitions.ts';
import { Failure, badRequest, noSuchPage } from './failure.ts';
import { collectGarbage } from './garbage.ts';
import { asObject, asString, clone } from './json.ts';
import { runNamespaces } from './namespaces.ts';
import type { Objects } from './objects.ts';
import { createObjects } from './objects.ts';
import type { Registry } from './registry.ts';
import { createRegistry } from './registry.ts';
import type { Resource } from './resource.ts';
import type { BuiltinSchemas, Resolve } from './schema.ts';
import { readBuiltinSchemas, resolver } from './schema.ts';
import { shown } from './view.ts';
import type { Writer } from './writer.ts';
import { createWriter } from './writer.ts';

/** Everything behind the HTTP server. */
export interface ApiStore extends SandboxStore {
  readonly objects: Objects;
  readonly registry: Registry;
  readonly schemas: BuiltinSchemas;
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly writer: Writer;
}

export function createStore(clock: Clock): ApiStore {
  const schemas = readBuiltinSchemas();
  const registry = createRegistry(builtinResources(schemas));
  // Starts far above any earlier life of a sandbox, so that an old version is never taken for one of ours.
  const objects = createObjects(Date.now() * 1_000);
  const resolve = resolver(schemas.definitions);
  const writer = createWriter(objects, createAdmission(objects, resolve, clock), clock);
  serveDefinitions(objects, registry);
  collectGarbage(objects, registry, writer);
  runNamespaces(objects, registry, writer);
  return { objects, registry, schemas, resolve, clock, writer, ...storeOn(objects, registry, writer) };
}

function storeOn(objects: Objects, registry: Registry, writer: Writer): SandboxStore {
  const resourceOf = (apiVersion: string, kind: string): Resource => {
    const resource = registry.byKind(apiVersion, kind);
    if (!resource) throw noSuchPage();
    return resource;
  };
  const context = { manager: 'kube-controller-manager' };
  return {
    get: (apiVersion, kind, namespace, name) => {
      const resource = resourceOf(apiVersion, kind);
      const object = objects.get(resource.storage, namespace, name);
      return object && shown(resource, object);
    },
    list: (apiVersion, kind, namespace) => {
      const resource = registry.byKind(apiVersion, kind);
      return resource ? objects.list(resource.storage, namespace).map((object) => shown(resource, object)) : [];
    },
    create: (object) => {
      const resource = resourceOf(asString(object.apiVersion), asString(object.kind));
      const namespace = asString(asObject(object.metadata).namespace);
      if (resource.namespaced && namespace === '') throw badRequest('metadata.namespace is required');
      return writer.create(resource, resource.namespaced ? namespace : undefined, object, context);
    },
    update: (apiVersion, kind, namespace, name, change, subresource) =>
      orAbsent(() =>
        writer.update(
          resourceOf(apiVersion, kind),
          namespace,
          name,
          (live) => {
            const draft = clone<StoredObject>(live);
            change(draft);
            return draft;
          },
          subresource ? { ...context, subresource } : context,
        ),
      ),
    remove: (apiVersion, kind, namespace, name, options = {}) => {
      orAbsent(() => writer.remove(resourceOf(apiVersion, kind), namespace, name, options));
    },
    onEvent: (listener) => objects.onEvent((event) => listener(event)),
  };
}

function orAbsent<T>(write: () => T): T | undefined {
  try {
    return write();
  } catch (error) {
    if (error instanceof Failure && error.code === 404) return undefined;
    throw error;
  }
}
