import type { Json } from './json.ts';
import { asObject } from './json.ts';
import type { Objects } from './objects.ts';
import type { Registry } from './registry.ts';
import type { Writer } from './writer.ts';

/** Gives each new namespace what a real one gets, and empties those that are being deleted. */
export function runNamespaces(objects: Objects, registry: Registry, writer: Writer): () => void {
  const manager = { manager: 'kube-controller-manager' };
  const create = (apiVersion: string, kind: string, namespace: string, body: Json): void => {
    const resource = registry.byKind(apiVersion, kind);
    const name = asObject(body.metadata).name;
    if (!resource || objects.get(resource.storage, namespace, String(name))) return;
    writer.create(resource, namespace, body, manager);
  };
  const inside = (namespace: string) =>
    registry
      .stored()
      .filter((resource) => resource.namespaced)
      .flatMap((resource) => objects.list(resource.storage, namespace).map((object) => ({ resource, object })));

  const finishWhenEmpty = (name: string): void => {
    const namespace = objects.get('/namespaces', undefined, name);
    if (namespace?.metadata.deletionTimestamp === undefined || inside(name).length > 0) return;
    const released = { ...namespace, spec: {} };
    if ((namespace.metadata.finalizers ?? []).length > 0) objects.put('/namespaces', released);
    else objects.drop('/namespaces', released);
  };
  const empty = (name: string): void => {
    for (const { resource, object } of inside(name)) {
      const still = objects.get(resource.storage, name, object.metadata.name);
      if (still && still.metadata.deletionTimestamp === undefined) {
        writer.remove(resource, name, object.metadata.name, {});
      }
    }
    finishWhenEmpty(name);
  };

  return objects.onEvent(({ type, object, previous }, storage) => {
    const { name, namespace, deletionTimestamp } = object.metadata;
    if (storage === '/namespaces') {
      if (type === 'ADDED') {
        create('v1', 'ServiceAccount', name, { metadata: { name: 'default' } });
        create('v1', 'ConfigMap', name, {
          metadata: {
            name: 'kube-root-ca.crt',
            annotations: {
              'kubernetes.io/description':
                'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
            },
          },
          data: { 'ca.crt': '' },
        });
      }
      if (deletionTimestamp !== undefined && previous?.metadata.deletionTimestamp === undefined) empty(name);
    } else if (type === 'DELETED' && namespace !== undefined) {
      finishWhenEmpty(namespace);
    }
  });
}
