import type { Clock } from '../lib/clock.ts';
import { type KubeObject, type ObjectRef, refKey, refOf } from '../manifest/types.ts';
import type { Change, Cluster } from './cluster.ts';

/**
 * What this process wrote itself, until its watches have it: a tick that does not know its own last step could take users for home that
 * are not, and end their pods. The one place that knows whether a watch has seen a write; versions are compared nowhere else.
 */
export interface OwnWrites {
  /** A whole object, as a write has made it: `newest` gives that until the watch has it, or something later. */
  note(object: KubeObject): void;
  /** A watch has told of this change. Gives whether it is one that was written here and has not been told of before. */
  heard(change: Change): boolean;
  /** The newer of what the watch has told and what was written here. */
  newest(ref: ObjectRef, told: KubeObject | undefined): KubeObject | undefined;

  /**
   * Of an object whose fields have several writers here, as a Canary's: the version that the last write of this field manager made; undefined:
   * it is not known.
   */
  noteVersion(ref: ObjectRef, manager: string, version: string | undefined): void;
  /** What stands there is not what was last read: somebody else was faster. What is known to be written stays. */
  doubt(ref: ObjectRef, manager: string): void;
  /** That version; undefined: none is known. */
  versionOf(ref: ObjectRef, manager: string): string | undefined;
  /** Whether an object that was read in this version lacks the last write of this manager. */
  isBehind(ref: ObjectRef, manager: string, read: string | undefined): boolean;
  /** The same; what has been seen is forgotten, so that it is news once. */
  isStillBehind(ref: ObjectRef, manager: string, read: string | undefined): boolean;
  /** Whether that is the very version which this manager made, and which was not seen before. */
  isOwn(ref: ObjectRef, manager: string, read: string | undefined): boolean;
  forget(ref: ObjectRef, manager: string): void;
}

/** Objects that somebody deleted behind a watch that is silent are believed in no longer than this. */
const believedMs = 120_000;
/** Values of these are not kept in memory; of Canaries versions are. */
const unkept = new Set(['ConfigMap', 'Secret', 'Canary']);
/** A version that no object ever has. */
const unknown = 'unknown';

export function createOwnWrites(clock: Clock): OwnWrites {
  const written = new Map<string, { readonly object: KubeObject; readonly untilMs: number }>();
  const versions = new Map<string, string>();
  const placeOf = (ref: ObjectRef, manager: string): string => `${manager} ${refKey(ref)}`;
  const isBehind = (place: string, read: string | undefined): boolean => {
    const version = versions.get(place);
    return version !== undefined && !hasReached(read, version);
  };
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
    noteVersion(ref, manager, version) {
      if (version === undefined) versions.delete(placeOf(ref, manager));
      else versions.set(placeOf(ref, manager), version);
    },
    doubt(ref, manager) {
      const place = placeOf(ref, manager);
      if (!versions.has(place)) versions.set(place, unknown);
    },
    versionOf: (ref, manager) => versions.get(placeOf(ref, manager)),
    isBehind: (ref, manager, read) => isBehind(placeOf(ref, manager), read),
    isStillBehind(ref, manager, read) {
      const place = placeOf(ref, manager);
      if (isBehind(place, read)) return true;
      versions.delete(place);
      return false;
    },
    isOwn(ref, manager, read) {
      const version = versions.get(placeOf(ref, manager));
      return version !== undefined && version === read;
    },
    forget: (ref, manager) => void versions.delete(placeOf(ref, manager)),
  };
}

function isOlder(a: KubeObject, b: KubeObject): boolean {
  const [version, other] = [a.metadata.resourceVersion, b.metadata.resourceVersion];
  return version !== undefined && other !== undefined && version !== other && hasReached(other, version);
}

/**
 * Whether one resourceVersion of an object is another or later. Those of Kubernetes are decimal numbers that grow; of any others only
 * equality is known.
 */
export function hasReached(version: string | undefined, other: string): boolean {
  if (version === undefined || version === other) return version === other;
  const areNumbers = /^[1-9]\d*$/.test(version) && /^[1-9]\d*$/.test(other);
  return areNumbers && (version.length === other.length ? version > other : version.length > other.length);
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
