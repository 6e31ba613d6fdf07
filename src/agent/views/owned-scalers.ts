import { isCanaryRef } from '../../canary/owner.ts';
import { scalers } from '../../canary/scalers/registry.ts';
import type { Change } from '../../cluster/cluster.ts';
import type { KubeObject } from '../../manifest/types.ts';

/** Which autoscalers were made for a Canary, whatever it refers to now. */
export interface OwnedScalers {
  heard(change: Change): void;
  /** By the Canary's uid, as far as these kinds are looked at. */
  of(uid: string): readonly KubeObject[];
}

const isScaler = ({ kind }: KubeObject): boolean => Object.hasOwn(scalers, kind);

export function createOwnedScalers(): OwnedScalers {
  const byUid = new Map<string, Map<string, KubeObject>>();
  const uidByPlace = new Map<string, string>();
  return {
    heard({ kind: change, object }) {
      if (!isScaler(object)) return;
      const place = `${object.metadata.namespace ?? ''}/${object.kind}/${object.metadata.name}`;
      const before = uidByPlace.get(place);
      const uid = change === 'deleted' ? undefined : makerOf(object);
      if (before !== undefined) {
        const owned = byUid.get(before);
        owned?.delete(place);
        if (owned?.size === 0) byUid.delete(before);
        uidByPlace.delete(place);
      }
      if (uid === undefined) return;
      uidByPlace.set(place, uid);
      byUid.set(uid, (byUid.get(uid) ?? new Map<string, KubeObject>()).set(place, object));
    },
    of: (uid) => [...(byUid.get(uid)?.values() ?? [])],
  };
}

/** The uid of the Canary that alone owns an object. */
export function makerOf({ metadata }: KubeObject): string | undefined {
  const [owner, ...others] = metadata.ownerReferences ?? [];
  return owner && others.length === 0 && owner.controller === true && isCanaryRef(owner) ? owner.uid : undefined;
}
