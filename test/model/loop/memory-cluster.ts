import jsonPatch from 'fast-json-patch';
import type { Change, Cluster, KindRef, Reflection, ReflectOptions } from '../../../src/cluster/cluster.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { sameJson } from '../../../src/lib/same-json.ts';
import type { KubeObject, ObjectRef } from '../../../src/manifest/types.ts';
import { mergePatch } from '../../../src/sandbox/api/patch.ts';

/** One write; `after` is undefined where the object goes. */
export interface Written {
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
  readonly manager: string;
}

/** The part of an API server that canaries notice, without a network: versions, generations, owners, finalizers, watches. */
export interface MemoryCluster extends Cluster {
  /** Creates or replaces, as somebody else. */
  put(object: KubeObject, manager?: string): KubeObject;
  /** Deletes, as somebody else. */
  drop(ref: ObjectRef): void;
  /** Undefined where it is not there. */
  peek(kind: string, name: string, namespace?: string): KubeObject | undefined;
  /** Watches say nothing until thawed. */
  freeze(isFrozen: boolean): void;
  /** Asked before each write of the agent's; throws what the server would answer. */
  onRequest: (ref: ObjectRef, manager: string) => void;
  /** Told of each write. */
  onWritten: (written: Written) => void;
}

const conflict = (ref: ObjectRef): AgentError =>
  new AgentError('CLUSTER_CONFLICT', `${ref.kind} ${ref.name} changed meanwhile`, {
    details: { status: 409, reason: 'Conflict' },
  });
const missing = (ref: ObjectRef): AgentError =>
  new AgentError('CLUSTER_REFUSED', `${ref.kind} ${ref.name} not found`, {
    details: { status: 404, reason: 'NotFound' },
  });

interface View {
  readonly kind: string;
  readonly options: ReflectOptions;
  readonly objects: Map<string, KubeObject>;
  readonly listeners: Set<(change: Change) => void>;
}

const placeOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
const kindOf = ({ apiVersion, kind }: KindRef): string => `${apiVersion}/${kind}`;

export function createMemoryCluster(nowMs: () => number): MemoryCluster {
  const kinds = new Map<string, Map<string, KubeObject>>();
  const views = new Set<View>();
  const held: (() => void)[] = [];
  let isFrozen = false;
  let version = 0;

  const ofKind = (kind: KindRef): Map<string, KubeObject> => {
    const known = kinds.get(kindOf(kind)) ?? new Map<string, KubeObject>();
    kinds.set(kindOf(kind), known);
    return known;
  };
  const find = (ref: ObjectRef): KubeObject | undefined => ofKind(ref).get(placeOf(ref.namespace, ref.name));

  const projected = ({ options }: View, object: KubeObject): KubeObject => {
    const { managedFields: _managed, ...metadata } = object.metadata;
    const kept = options.keepManagedFields ? object : { ...object, metadata };
    return options.project ? options.project(kept) : kept;
  };
  const tell = (view: View, { before, after }: Pick<Written, 'before' | 'after'>): void => {
    const object = after ?? before;
    if (!object) return;
    const place = placeOf(object.metadata.namespace, object.metadata.name);
    const previous = view.objects.get(place);
    const shown = projected(view, object);
    if (after) view.objects.set(place, shown);
    else view.objects.delete(place);
    const change: Change = after
      ? { kind: previous ? 'modified' : 'added', object: shown, ...(previous ? { previous } : {}) }
      : { kind: 'deleted', object: shown };
    for (const listener of view.listeners) listener(change);
  };
  const spread = (written: Written): void => {
    cluster.onWritten(written);
    const object = written.after ?? written.before;
    if (!object) return;
    for (const view of views) {
      if (view.kind !== kindOf(object)) continue;
      if (isFrozen) held.push(() => tell(view, written));
      else tell(view, written);
    }
  };

  /** Who set the number of pods last; nothing else of managed fields is looked at. */
  const managedFields = (object: KubeObject, before: KubeObject | undefined, manager: string): readonly unknown[] => {
    const replicas = (one: KubeObject | undefined): unknown =>
      (one?.['spec'] as { replicas?: unknown } | undefined)?.replicas;
    if (replicas(object) === undefined) return [];
    if (before && replicas(before) === replicas(object))
      return (before.metadata['managedFields'] as readonly unknown[] | undefined) ?? [];
    return [{ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
  };

  const store = (object: KubeObject, manager: string, isStatus = false): KubeObject => {
    const place = placeOf(object.metadata.namespace, object.metadata.name);
    const all = ofKind(object);
    const before = all.get(place);
    const isSpecNew = !before || (!isStatus && !sameJson(before['spec'], object['spec']));
    const isGoing = before !== undefined && object.metadata.deletionTimestamp !== undefined;
    version += 1;
    const stored: KubeObject = {
      ...object,
      ...(before && !isStatus && before['status'] !== undefined ? { status: before['status'] } : {}),
      metadata: {
        ...object.metadata,
        uid: before?.metadata.uid ?? `uid-${version}`,
        creationTimestamp: before?.metadata.creationTimestamp ?? new Date(nowMs()).toISOString(),
        resourceVersion: String(version),
        generation: isSpecNew ? (before?.metadata.generation ?? 0) + 1 : (before?.metadata.generation ?? 1),
        ...(object.kind === 'Deployment' ? { managedFields: managedFields(object, before, manager) } : {}),
      },
    };
    if (isGoing && (stored.metadata.finalizers ?? []).length === 0) {
      erase(stored, manager);
      return stored;
    }
    all.set(place, stored);
    spread({ before, after: stored, manager });
    return stored;
  };
  const erase = (object: KubeObject, manager: string): void => {
    ofKind(object).delete(placeOf(object.metadata.namespace, object.metadata.name));
    spread({ before: object, after: undefined, manager });
    for (const all of kinds.values())
      for (const owned of all.values()) {
        const owners = owned.metadata.ownerReferences ?? [];
        if (owners.length > 0 && owners.every(({ uid }) => uid === object.metadata.uid))
          erase(owned, 'garbage-collector');
      }
  };
  const remove = (object: KubeObject, manager: string): void => {
    if ((object.metadata.finalizers ?? []).length === 0) return erase(object, manager);
    if (object.metadata.deletionTimestamp !== undefined) return;
    const deletionTimestamp = new Date(nowMs()).toISOString();
    store({ ...object, metadata: { ...object.metadata, deletionTimestamp } }, manager);
  };
  const change = (
    ref: ObjectRef,
    manager: string,
    expected: string | undefined,
    make: (live: KubeObject) => unknown,
    isStatus = false,
  ): KubeObject => {
    cluster.onRequest(ref, manager);
    const live = find(ref);
    if (!live) throw missing(ref);
    if (expected !== undefined && live.metadata.resourceVersion !== expected) throw conflict(ref);
    const made = make(live) as KubeObject;
    if (isStatus) return store({ ...live, status: made['status'] } as KubeObject, manager, true);
    return sameJson(made, live) ? live : store(made, manager);
  };

  const cluster: MemoryCluster = {
    onRequest: () => undefined,
    onWritten: () => undefined,
    put: (object, manager = 'somebody') => store(object, manager, manager === 'deployment-controller'),
    drop(ref) {
      const live = find(ref);
      if (live) remove(live, 'somebody');
    },
    peek(kind, name, namespace = 'demo') {
      for (const [key, all] of kinds)
        if (key.endsWith(`/${kind}`)) {
          const found = all.get(placeOf(namespace, name));
          if (found) return found;
        }
      return undefined;
    },
    freeze(frozen) {
      isFrozen = frozen;
      if (!frozen) for (const deliver of held.splice(0)) deliver();
    },
    get: async (ref) => find(ref),
    list: async (kind) => [...ofKind(kind).values()],
    async create(object, { manager }) {
      cluster.onRequest(object as unknown as ObjectRef, manager);
      // Nobody looks at events again.
      if (object.kind === 'Event') return object;
      const { apiVersion, kind, metadata } = object;
      const ref = { apiVersion, kind, name: metadata.name, namespace: metadata.namespace ?? '' };
      if (find(ref))
        throw new AgentError('CLUSTER_REFUSED', `${kind} ${metadata.name} already exists`, {
          details: { status: 409, reason: 'AlreadyExists' },
        });
      return store(object, manager);
    },
    apply: () => Promise.reject(new Error('only syncs apply, and here they put')),
    async jsonPatch(ref, operations, { manager, resourceVersion }) {
      return change(
        ref,
        manager,
        resourceVersion,
        (live) => jsonPatch.applyPatch(live, operations, false, false).newDocument,
      );
    },
    async mergePatch(ref, patch, { manager, subresource }) {
      // Nobody looks at events again.
      if (ref.kind === 'Event') return { ...ref, metadata: { name: ref.name } };
      const { resourceVersion: expected, ...metadata } = (patch['metadata'] ?? {}) as { resourceVersion?: string };
      const all = patch['metadata'] === undefined ? patch : { ...patch, metadata };
      return change(ref, manager, expected, (live) => mergePatch(live, all), subresource === 'status');
    },
    async remove(ref, { uid }) {
      cluster.onRequest(ref, 'remove');
      const live = find(ref);
      if (!live) return;
      if (uid !== undefined && live.metadata.uid !== uid) throw conflict(ref);
      remove(live, 'remove');
    },
    podLog: async () => undefined,
    externalMetric: async () => undefined,
    resource: async (kind) => ({ ...kind, plural: `${kind.kind.toLowerCase()}s`, namespaced: true, verbs: [] }),
    reflect(kind, options, signal): Reflection {
      const view: View = { kind: kindOf(kind), options, objects: new Map(), listeners: new Set() };
      for (const [place, object] of ofKind(kind)) view.objects.set(place, projected(view, object));
      views.add(view);
      // What stands already is told of too, once whoever asked is listening.
      queueMicrotask(() => {
        for (const object of view.objects.values())
          for (const listener of view.listeners) listener({ kind: 'added', object });
      });
      signal.addEventListener('abort', () => views.delete(view), { once: true });
      return {
        synced: Promise.resolve(),
        isSynced: true,
        lastContactMs: nowMs(),
        trouble: undefined,
        isForbidden: false,
        get: (namespace, name) => view.objects.get(placeOf(namespace, name)),
        list: () => [...view.objects.values()],
        onChange(listener) {
          view.listeners.add(listener);
          return () => view.listeners.delete(listener);
        },
      };
    },
    late: () => () => undefined,
    version: async () => 'v1.34.0',
    as: () => cluster,
  };
  return cluster;
}
