import { canaryRef } from '../../canary/owner.ts';
import { createInTurn } from '../../lib/in-turn.ts';
import { type AppKey, partsOf, shownKey } from '../../lib/key.ts';
import { renderAnnotation } from '../../release/annotation.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import type { OwnWrites } from '../../cluster/own-writes.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { releaseAnnotation } from '../../release/record.ts';
import type { ReleaseRecord } from '../../release/types.ts';
import type { Deps } from '../deps.ts';
import type { RecordStore } from './record-store.ts';

/** Field manager of the annotation that people read. */
export const noteManager = 'serin-release';
const writeTries = 4;
/** An annotation that somebody else writes again and again is put right so often. */
const repairMs = 600_000;

/** What is to be said `soon` waits so long for what replaces it. */
const soonMs = 2_000;

type Told = boolean | 'soon';
type Change = (now: ReleaseRecord | undefined) => ReleaseRecord | undefined;

/** The records of releases, by app; kept in the store and remembered here. */
export interface Records {
  /** Reads all of them. Gives whether annotations of an agent of before are still to be looked at. */
  load(): Promise<{ readonly isNew: boolean }>;
  get(key: AppKey): ReleaseRecord | undefined;
  keys(): readonly AppKey[];
  /**
   * Where somebody else wrote the annotation, another agent that runs by mistake may have written the record before it, so the store is
   * asked. The annotation itself says nothing. Gives whether there is another record now.
   */
  look(key: AppKey, canary: KubeObject): Promise<boolean>;
  /**
   * Writes what `change` makes of the present record; undefined leaves it. Changes of one key follow each other, so that the note of a
   * landed outcome and the beginning of the next release never undo each other. Rejects when the record cannot be written. `isTold`: the
   * annotation says so too; `soon`: unless it would say something else in a moment, as of an outcome that Git has within a second.
   */
  change(key: AppKey, change: Change, isTold: Told): Promise<void>;
  /** As `change`, but only here. */
  remember(key: AppKey, change: Change): void;
  /** What is known of it is not believed any more; the store has it until the next one is written. */
  distrust(key: AppKey): void;
  /** Takes it out of the store too. */
  remove(key: AppKey): Promise<void>;
}

export function createRecords(
  { cluster, clock, log, own }: Pick<Deps, 'cluster' | 'clock' | 'log'> & { readonly own: OwnWrites },
  store: RecordStore,
  /** Called where the record is what somebody else wrote. */
  onTaken: (key: AppKey) => void,
  signal: AbortSignal,
): Records {
  const known = new Map<AppKey, ReleaseRecord>();
  /** Versions of the objects that hold them. */
  const stored = new Map<AppKey, string>();
  /** The annotations as they were last written, or looked at. */
  const texts = new Map<AppKey, string>();
  const repairedAtMs = new Map<AppKey, number>();
  const untold = new Set<AppKey>();
  /** Ends the wait of what is to be told soon. */
  const soon = new Map<AppKey, () => void>();

  const take = (key: AppKey, record: ReleaseRecord | undefined, version: string | undefined): void => {
    if (record) known.set(key, record);
    else known.delete(key);
    if (version === undefined) stored.delete(key);
    else stored.set(key, version);
  };
  const refresh = async (key: AppKey): Promise<boolean> => {
    const found = await store.read(key, signal);
    if (found?.version !== undefined && found.version === stored.get(key)) return false;
    // Somebody deleted or spoiled it: what is known here goes on, and is written with the next change.
    if (!found?.record) {
      take(key, known.get(key), found?.version);
      return false;
    }
    take(key, found.record, found.version);
    onTaken(key);
    return true;
  };

  /** After what was asked for before of this key: what is read while it is written would be taken for newer than it is. */
  const inTurn = createInTurn();

  const write = async (key: AppKey, change: Change): Promise<ReleaseRecord | undefined> => {
    for (let tries = 1; ; tries += 1) {
      const record = change(known.get(key));
      if (!record) return undefined;
      try {
        const version = await store.write(key, record, stored.get(key), signal);
        take(key, record, version);
        return record;
      } catch (error) {
        const isConflict = error instanceof AgentError && error.code === 'CLUSTER_CONFLICT';
        if (!isConflict || tries >= writeTries) throw error;
        // Another agent that runs by mistake, or this one, whose answer got lost.
        await refresh(key);
      }
    }
  };

  /** People read it, and nothing depends on it. */
  const tell = async (key: AppKey, record: ReleaseRecord): Promise<void> => {
    const text = renderAnnotation(record);
    if (texts.get(key) === text) return;
    const ref = canaryRef(partsOf(key));
    const patch = { metadata: { annotations: { [releaseAnnotation]: text } } };
    try {
      const { metadata } = await cluster.mergePatch(ref, patch, { manager: noteManager }, signal);
      texts.set(key, text);
      if (metadata.resourceVersion !== undefined) own.noteVersion(ref, noteManager, metadata.resourceVersion);
      untold.delete(key);
    } catch (error) {
      const isGone = error instanceof AgentError && error.details['status'] === 404;
      if (signal.aborted || isGone || untold.has(key)) return;
      untold.add(key);
      log.warn(
        { canary: shownKey(key), reason: messageOf(error) },
        `the annotation ${releaseAnnotation} could not be written; the release goes on without it`,
      );
    }
  };

  const tellSoon = (key: AppKey): void => {
    soon.get(key)?.();
    const cancel = clock.after(soonMs, () => {
      soon.delete(key);
      void inTurn(key, async () => {
        const now = known.get(key);
        if (now && !signal.aborted) await tell(key, now);
      });
    });
    soon.set(key, cancel);
  };
  const noLongerSoon = (key: AppKey): void => {
    soon.get(key)?.();
    soon.delete(key);
  };
  signal.addEventListener('abort', () => {
    for (const key of soon.keys()) noLongerSoon(key);
  });

  return {
    async load() {
      const { records, isNew } = await store.all(signal);
      for (const [key, { record, version }] of records) if (!stored.has(key)) take(key, record, version);
      return { isNew };
    },
    get: (key) => known.get(key),
    keys: () => [...known.keys()],
    async look(key, { metadata }) {
      const text = metadata.annotations?.[releaseAnnotation] ?? '';
      const before = texts.get(key);
      if (text === before) return false;
      // A view that does not have our last write yet.
      if (own.isBehind(canaryRef(partsOf(key)), noteManager, metadata.resourceVersion)) return false;
      // The store was read after what stood there when the agent started.
      const isNews = before === undefined ? false : await inTurn(key, () => refresh(key));
      texts.set(key, text);
      const now = known.get(key);
      if (now && clock.now() - (repairedAtMs.get(key) ?? -repairMs) >= repairMs) {
        repairedAtMs.set(key, clock.now());
        await tell(key, now);
      }
      return isNews;
    },
    change: (key, change, isTold) =>
      inTurn(key, async () => {
        const record = await write(key, change);
        if (!record || !isTold) return;
        if (isTold === 'soon') return tellSoon(key);
        noLongerSoon(key);
        await tell(key, record);
      }),
    remember(key, change) {
      const record = change(known.get(key));
      if (record) known.set(key, record);
    },
    distrust: (key) => void known.delete(key),
    async remove(key) {
      const isStored = stored.has(key);
      noLongerSoon(key);
      for (const map of [known, stored, texts, repairedAtMs]) map.delete(key);
      own.forget(canaryRef(partsOf(key)), noteManager);
      untold.delete(key);
      if (isStored) await store.remove(key, signal);
    },
  };
}
