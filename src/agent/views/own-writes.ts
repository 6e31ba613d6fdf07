import type { Change, Cluster } from '../../cluster/cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { type KubeObject, type ObjectRef, refKey, refOf } from '../../manifest/types.ts';
import { isAtLeast } from './resource-version.ts';

/**
 * What this process wrote itself, until the watches have it: a tick that does not know its own last step could take users for home that
 * are not, and end their pods.
 */
export interface OwnWrites {
  note(object: KubeObject): void;
  /** A watch has told of this change. Gives whether it is one that was written here and has not been told of before. */
  heard(change: Change): boolean;
  /** The newer of what the watch has told and what was written here. */
  newest(ref: ObjectRef, told: KubeObject | undefined): KubeObject | undefined;
}

/** Objects that somebody deleted behind a watch that is silent are believed in no longer than this. */
const believedMs = 120_000;
/** Values of these are not kept in memory; Canaries have a memory of their own. */
const unkept = new Set(['ConfigMap', 'Secret', 'Canary']);

export function createOwnWrites(clock: Clock): OwnWrites {
  const written = new Map<string, { readonly object: KubeObject; readonly untilMs: number }>();
  return {
    note(object) {
      if (!unkept.has(object.kind)) written.set(refKey(refOf(object)), { object, untilMs: clock.now() + believedMs });
    },
    heard({ kind, object }) {
      const key = refKey(refOf(object));
      const own = written.get(key);
      if (!own) return false;
      // A list that finds an object gone knows only an old version of it.
      const isGone = kind === 'deleted' && object.metadata.uid === own.object.metadata.uid;
      if (isGone || !isOlder(object, own.object)) written.delete(key);
      return kind !== 'deleted' && object.metadata.resourceVersion === own.object.metadata.resourceVersion;
    },
    newest(ref, told) {
      const key = refKey(ref);
      const own = written.get(key);
      if (!own) return told;
      if (clock.now() < own.untilMs && (told === undefined || isOlder(told, own.object))) return own.object;
      written.delete(key);
      return told;
    },
  };
}

function isOlder(a: KubeObject, b: KubeObject): boolean {
  const [version, other] = [a.metadata.resourceVersion, b.metadata.resourceVersion];
  return version !== undefined && other !== undefined && version !== other && isAtLeast(other, version);
}

/** The same cluster; whatever is written to it is noted. */
export function notingWrites(cluster: Cluster, note: (object: KubeObject) => void): Cluster {
  const noted = async (write: Promise<KubeObject>): Promise<KubeObject> => {
    const object = await write;
    note(object);
    return object;
  };
  return {
    ...cluster,
    create: (...args) => noted(cluster.create(...args)),
    jsonPatch: (...args) => noted(cluster.jsonPatch(...args)),
    // Nothing is known of what was written where the answer is not read.
    mergePatch: (...args) => (args[2].unread ? cluster.mergePatch(...args) : noted(cluster.mergePatch(...args))),
  };
}
