import type { Registry } from '../registry.ts';
import type { Resource } from '../resource.ts';

/** What a path below /api/v1 or /apis points at. */
export interface Target {
  readonly resource: Resource;
  /** Undefined for cluster-scoped kinds and for lists across all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

export function findTarget(path: string, registry: Registry): Target | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const [root, ...below] = parts;
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'api' ? '' : (below.shift() ?? '');
  const version = below.shift() ?? '';
  let namespace: string | undefined;
  // `/namespaces/x` is the namespace itself, `/namespaces/x/pods` is inside of it.
  if (below[0] === 'namespaces' && below.length >= 3 && !['status', 'finalize'].includes(below[2] ?? '')) {
    namespace = below[1];
    below.splice(0, 2);
  }
  const [plural = '', name, ...rest] = below;
  const resource = registry.byPlural(group, version, plural);
  if (!resource || rest.length > 1 || (namespace !== undefined && !resource.namespaced)) return undefined;
  if (name !== undefined && resource.namespaced && namespace === undefined) return undefined;
  return {
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(rest[0] === undefined ? {} : { subresource: rest[0] }),
  };
}
