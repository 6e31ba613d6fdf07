import type { Rendering } from '../manifest/load.ts';
import type { KubeObject, Manifest, Origin } from '../manifest/types.ts';

type Texts = Readonly<Record<string, string>>;

/** What is rendered, and the namespace that is to be made with it. */
export interface InNamespace<Key> {
  readonly key: Key;
  readonly rendering: Rendering;
  readonly namespace: string;
  readonly labels?: Texts | undefined;
  readonly annotations?: Texts | undefined;
  /** Of the namespace. */
  readonly origin: Origin;
}

/** One for each rendering, so that what did not change is the same object. */
const known = new WeakMap<Rendering, { readonly key: string; readonly rendering: Rendering }>();

/** Renderings with the namespaces that nobody else brings, each in the first that asks for it. `objects`: all others that Git has. */
export function withNamespaces<Key>(
  asked: readonly InNamespace<Key>[],
  objects: Iterable<Manifest>,
): ReadonlyMap<Key, Rendering> {
  const there = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);
  for (const { object } of objects)
    if (object.kind === 'Namespace' && object.apiVersion === 'v1') there.add(object.metadata.name);
  const result = new Map<Key, Rendering>();
  for (const one of asked) {
    if (there.has(one.namespace)) continue;
    there.add(one.namespace);
    result.set(one.key, withNamespace(one));
  }
  return result;
}

function withNamespace({
  rendering,
  namespace,
  labels = {},
  annotations = {},
  origin,
}: InNamespace<unknown>): Rendering {
  const isBare = Object.keys(labels).length + Object.keys(annotations).length === 0;
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: namespace,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      annotations: {
        ...annotations,
        // It goes with nobody: others may live in it by then.
        'serin.dev/prune': 'disabled',
        ...(isBare ? { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' } : {}),
      },
    },
  };
  const key = JSON.stringify([object, origin]);
  const before = known.get(rendering);
  if (before?.key === key) return before.rendering;
  const { parsed } = rendering;
  const manifests = [{ object, origin }, ...parsed.manifests];
  const next = { ...rendering, placed: undefined, parsed: { ...parsed, manifests } };
  known.set(rendering, { key, rendering: next });
  return next;
}
