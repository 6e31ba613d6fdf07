import type { StoredObject } from '../types.ts';
import type { Objects } from './objects.ts';
import type { Registry } from './registry.ts';
import type { Writer } from './writer.ts';

interface Place {
  readonly storage: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

const blocking = 'foregroundDeletion';
const orphaning = 'orphan';

/** Deletes what has lost all its owners, and lets owners go whose deletion waits for their dependents. */
export function collectGarbage(objects: Objects, registry: Registry, writer: Writer): () => void {
  const dependents = new Map<string, Map<string, Place>>();
  const present = new Set<string>();

  const placeOf = (storage: string, object: StoredObject): Place => ({
    storage,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
  });
  const reindex = (storage: string, now: StoredObject | undefined, before: StoredObject | undefined): void => {
    for (const owner of before?.metadata.ownerReferences ?? []) {
      if (before) dependents.get(owner.uid)?.delete(before.metadata.uid);
    }
    for (const owner of now?.metadata.ownerReferences ?? []) {
      const known = dependents.get(owner.uid) ?? new Map<string, Place>();
      dependents.set(owner.uid, known);
      if (now) known.set(now.metadata.uid, placeOf(storage, now));
    }
  };
  const resourceAt = (storage: string) => registry.stored().find((resource) => resource.storage === storage);
  const dependentsOf = (uid: string): readonly Place[] => [...(dependents.get(uid)?.values() ?? [])];
  const liveOf = (place: Place): StoredObject | undefined => objects.get(place.storage, place.namespace, place.name);

  const drop = (place: Place, propagation?: 'Foreground'): void => {
    const resource = resourceAt(place.storage);
    if (!resource || !liveOf(place)) return;
    writer.remove(resource, place.namespace, place.name, propagation ? { propagation } : {});
  };
  const change = (place: Place, edit: (metadata: StoredObject['metadata']) => StoredObject['metadata']): void => {
    const resource = resourceAt(place.storage);
    if (!resource || !liveOf(place)) return;
    const context = { manager: 'kube-controller-manager' };
    writer.update(
      resource,
      place.namespace,
      place.name,
      (live) => ({ ...live, metadata: edit(live.metadata) }),
      context,
    );
  };
  const withoutFinalizer = (place: Place, finalizer: string): void =>
    change(place, (metadata) => ({
      ...metadata,
      finalizers: (metadata.finalizers ?? []).filter((other) => other !== finalizer),
    }));

  const loseOwner = (place: Place, uid: string): void => {
    const owners = liveOf(place)?.metadata.ownerReferences ?? [];
    if (owners.some((owner) => owner.uid !== uid && present.has(owner.uid))) {
      change(place, (metadata) => ({
        ...metadata,
        ownerReferences: (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
      }));
    } else {
      drop(place);
    }
  };
  const orphan = (place: Place, uid: string): void =>
    change(place, (metadata) => ({
      ...metadata,
      ownerReferences: (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
    }));

  const releaseWhenAlone = (owner: Place, uid: string): void => {
    const holds = dependentsOf(uid).some((place) =>
      liveOf(place)?.metadata.ownerReferences?.some((ref) => ref.uid === uid && ref.blockOwnerDeletion === true),
    );
    if (!holds) withoutFinalizer(owner, blocking);
  };
  const ownersOf = (object: StoredObject): readonly { place: Place; object: StoredObject }[] =>
    (object.metadata.ownerReferences ?? []).flatMap((ref) => {
      const resource = registry.byKind(ref.apiVersion, ref.kind);
      if (!resource) return [];
      const namespace = resource.namespaced ? object.metadata.namespace : undefined;
      const place = { storage: resource.storage, namespace, name: ref.name };
      const owner = liveOf(place);
      return owner?.metadata.uid === ref.uid ? [{ place, object: owner }] : [];
    });

  const terminating = (place: Place, object: StoredObject): void => {
    const { uid, finalizers } = object.metadata;
    if (finalizers?.includes(orphaning)) {
      for (const dependent of dependentsOf(uid)) orphan(dependent, uid);
      withoutFinalizer(place, orphaning);
    } else if (finalizers?.includes(blocking)) {
      for (const dependent of dependentsOf(uid)) drop(dependent, 'Foreground');
      releaseWhenAlone(place, uid);
    }
  };

  return objects.onEvent(({ type, object, previous }, storage) => {
    const place = placeOf(storage, object);
    const { uid } = object.metadata;
    if (type === 'DELETED') {
      present.delete(uid);
      reindex(storage, undefined, previous ?? object);
      for (const dependent of dependentsOf(uid)) loseOwner(dependent, uid);
      dependents.delete(uid);
      for (const owner of ownersOf(object)) {
        if (owner.object.metadata.finalizers?.includes(blocking))
          releaseWhenAlone(owner.place, owner.object.metadata.uid);
      }
      return;
    }
    present.add(uid);
    reindex(storage, object, previous);
    if (object.metadata.deletionTimestamp !== undefined) terminating(place, object);
    const owners = object.metadata.ownerReferences ?? [];
    // Like the real collector: an owner that never was counts as one that is gone.
    if (type === 'ADDED' && owners.length > 0 && !owners.some((owner) => present.has(owner.uid))) {
      setImmediate(() => {
        const lost = liveOf(place)?.metadata;
        if (lost?.uid === uid && !(lost.ownerReferences ?? []).some((owner) => present.has(owner.uid))) drop(place);
      });
    }
  });
}
