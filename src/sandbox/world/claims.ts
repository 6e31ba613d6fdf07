import type { StoredObject } from '../types.ts';
import type { Kinds, LabelSelector } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { controllerOf, type Objects, selects } from './objects.ts';

interface Store {
  readonly objects: Objects;
  readonly lookup: Lookup;
}

interface Owner extends StoredObject {
  spec: { selector: LabelSelector };
}

/** The objects that belong to an owner. Takes in orphans that match its selector, lets go of those that match no more. */
export function claim<K extends 'Pod' | 'ReplicaSet'>(
  { objects, lookup }: Store,
  kind: K,
  owner: Owner,
): readonly Kinds[K][] {
  const { uid, name, namespace } = owner.metadata;
  const mine: Kinds[K][] = [];
  for (const object of [...lookup.owned(kind, uid), ...lookup.orphans(kind, namespace)]) {
    const controller = controllerOf(object);
    const matches = selects(owner.spec.selector, object.metadata.labels);
    if (controller?.uid === uid) {
      if (matches) mine.push(object);
      else release(objects, object, uid);
    } else if (!controller && matches && !object.metadata.deletionTimestamp && !owner.metadata.deletionTimestamp) {
      const adopted = objects.change(object, (draft) => {
        const reference = { apiVersion: owner.apiVersion, kind: owner.kind, name, uid };
        draft.metadata.ownerReferences = [
          ...(draft.metadata.ownerReferences ?? []),
          { ...reference, controller: true, blockOwnerDeletion: true },
        ];
      });
      if (adopted) mine.push(adopted);
    }
  }
  return mine;
}

function release<K extends keyof Kinds>(objects: Objects, object: Kinds[K], uid: string): void {
  objects.change(object, (draft) => {
    draft.metadata.ownerReferences = (draft.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
  });
}
