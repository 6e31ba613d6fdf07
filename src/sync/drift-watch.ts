import type { Change, Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { identityKey, nameOf } from '../manifest/identity.ts';
import { type KubeObject, type ObjectRef, refOf } from '../manifest/types.ts';
import type { LiveView } from './live-view.ts';
import type { Shared } from './render.ts';
import { corrections, fightLimit, ownedFields, stillCounting } from './drift.ts';

export interface DriftWatch {
  /** Runs a write of ours: what the view tells of the object meanwhile is not taken for drift. Remembers what we own afterwards. */
  write(ref: ObjectRef, sent: Sent, work: () => Promise<KubeObject>): Promise<KubeObject>;
  /** How an object was applied last; undefined where that was not in this process. */
  lastSent(key: string): (Sent & { readonly uid: string }) | undefined;
  /** No longer ours. */
  forget(ref: ObjectRef): void;
  /** The uid of an object that we applied. */
  uidOf(key: string): string | undefined;
  /** Hash of the Jobs and Pods that have run, or go by themselves when they have, by identityKey. */
  ran(): ReadonlyMap<string, string>;
  /** Hash of what is not corrected any more for now, by identityKey. */
  fought(): ReadonlyMap<string, string>;
  onDrift(listener: (ref: ObjectRef) => void): void;
}

/** What of an object we applied. */
interface Sent {
  readonly hash: string;
  /** What was left to its Canary. */
  readonly shared: Shared;
  /** It goes when it has done its work. */
  readonly goesByItself?: boolean;
}

interface Owned extends Sent {
  readonly ref: ObjectRef;
  readonly uid: string;
  readonly fields: string | undefined;
}

/** What the view last told of an object while we wrote it. */
type Meanwhile = { readonly uid: string; readonly fields: string | undefined } | 'deleted' | undefined;

/**
 * Notices that somebody else changed or removed what we applied, by the fields that we own: values are never compared, so defaults and
 * other spellings cannot cause fights. A suspicion is looked at once more before it is told, because views may lag.
 */
export function createDriftWatch({
  cluster,
  clock,
  log,
  live,
  stop,
}: {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly live: LiveView;
  readonly stop: AbortSignal;
}): DriftWatch {
  const owned = new Map<string, Owned>();
  const writing = new Map<string, Meanwhile>();
  const checking = new Set<string>();
  const fights = new Map<string, { readonly hash: string; readonly atMs: readonly number[] }>();
  const listeners = new Set<(ref: ObjectRef) => void>();
  const ran = new Map<string, string>();

  const recent = (key: string): readonly number[] => stillCounting(fights.get(key)?.atMs ?? [], clock.now());

  const drifted = ({ ref, hash }: Owned, why: string): void => {
    const key = identityKey(ref);
    const before = fights.get(key)?.hash === hash ? recent(key) : [];
    fights.set(key, { hash, atMs: corrections(before, clock.now()) });
    const fields = { kind: ref.kind, namespace: ref.namespace, name: ref.name, why };
    if (before.length === fightLimit) {
      log.error(fields, `${nameOf(ref)}: somebody else keeps changing what Git says; it is left alone for a while`);
    } else if (before.length < fightLimit) log.info(fields, `${nameOf(ref)} drifted: ${why}`);
    for (const listener of listeners) listener(ref);
  };

  const wentAfterItsRun = ({ ref }: Owned): void => {
    owned.delete(identityKey(ref));
    const { kind, namespace, name } = ref;
    log.info({ kind, namespace, name }, `${nameOf(ref)} has run and is gone: it is made again when Git changes it`);
  };

  const verify = async (key: string): Promise<void> => {
    const suspect = owned.get(key);
    if (!suspect || checking.has(key)) return;
    checking.add(key);
    try {
      const object = await cluster.get(suspect.ref, stop);
      // Written or forgotten meanwhile: that write's own watch goes on from here.
      if (owned.get(key) !== suspect || writing.has(key)) return;
      if (object === undefined) {
        if (ran.get(key) === suspect.hash) wentAfterItsRun(suspect);
        else drifted(suspect, 'it was deleted');
      } else if (object.metadata.deletionTimestamp !== undefined) return;
      else if (object.metadata.uid !== suspect.uid) drifted(suspect, 'it was created anew');
      else if (ownedFields(object) !== suspect.fields) drifted(suspect, 'somebody changed or removed fields of it');
    } catch (error) {
      if (!stop.aborted) log.warn({ ...suspect.ref, reason: messageOf(error) }, 'a drift could not be looked at');
    } finally {
      checking.delete(key);
    }
  };
  const suspect = (key: string): void => void verify(key);

  live.onChange((change: Change) => {
    const key = identityKey(refOf(change.object));
    const known = owned.get(key);
    if (known && change.object['finished'] === true && change.object.metadata.uid === known.uid)
      ran.set(key, known.hash);
    const now: Meanwhile =
      change.kind === 'deleted'
        ? 'deleted'
        : { uid: change.object.metadata.uid ?? '', fields: change.object['owned'] as string | undefined };
    if (writing.has(key)) writing.set(key, now);
    else if (known && differs(known, now)) suspect(key);
  });

  return {
    lastSent: (key) => owned.get(key),
    async write(ref, sent, work) {
      const key = identityKey(ref);
      writing.set(key, undefined);
      let meanwhile: Meanwhile;
      try {
        const object = await work();
        owned.set(key, { ref, ...sent, uid: object.metadata.uid ?? '', fields: ownedFields(object) });
        if (sent.goesByItself === true) ran.set(key, sent.hash);
        else if (ran.get(key) !== sent.hash) ran.delete(key);
        return object;
      } finally {
        meanwhile = writing.get(key);
        writing.delete(key);
        const known = owned.get(key);
        if (known && meanwhile !== undefined && differs(known, meanwhile)) suspect(key);
      }
    },
    forget(ref) {
      const key = identityKey(ref);
      owned.delete(key);
      fights.delete(key);
      ran.delete(key);
    },
    ran: () => ran,
    uidOf: (key) => owned.get(key)?.uid,
    fought() {
      const keys = [...fights.keys()].filter((key) => recent(key).length > fightLimit);
      return new Map(keys.map((key) => [key, fights.get(key)?.hash ?? '']));
    },
    onDrift(listener) {
      listeners.add(listener);
    },
  };
}

function differs(known: Owned, now: Exclude<Meanwhile, undefined>): boolean {
  return now === 'deleted' || now.uid !== known.uid || now.fields !== known.fields;
}
