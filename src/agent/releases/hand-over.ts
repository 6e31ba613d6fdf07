import { isUnderAnalysis } from '../../canary/phase.ts';
import { parseStatus } from '../../canary/status.ts';
import type { Evidence } from '../../canary/types.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, partsOf, shownKey } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { list } from '../../release/outbox.ts';
import { formerRecord } from '../../release/record.ts';
import type { Outcome, ReleaseRecord } from '../../release/types.ts';
import type { Deps } from '../deps.ts';
import { createFirstRead } from './first-read.ts';
import { outcomeOf } from './judged-state.ts';
import type { KnownApps } from './known-apps.ts';
import type { Prove, Unproven } from './proof.ts';
import type { RecordStore } from './record-store.ts';
import type { Records } from './records.ts';

/** Reads the records of before the start, believes what Git proves of them, and hands outcomes that Git does not tell yet to the writer. */
export interface HandOver {
  /** Why the records are not read; undefined while nothing is in the way. */
  readonly trouble: string | undefined;
  /** Reads them, once; see `Releases.load`. */
  load(canaries: readonly KubeObject[]): Promise<void>;
  /** Resolves when they were read, or could not be for a minute. */
  readonly loaded: Promise<void>;
  /** See `Releases.prove`. */
  prove(prove: Prove, isUnread?: (key: AppKey) => boolean): Promise<void>;
  /** Somebody else wrote this record. */
  taken(key: AppKey): void;
  /** Throws CLUSTER_UNREACHABLE while the records are not read: what ended would be noted in none. */
  mustBeRead(): void;
  /** What is recorded of it was not held against Git yet. */
  isUnproven(key: AppKey): boolean;
  /** Hands over all outcomes that are not in Git yet, once Git was looked at. */
  send(key: AppKey, record: ReleaseRecord): void;
  /** The writer is done with this outcome. */
  settled(outcome: Pick<Outcome, 'releaseId'>): void;
}

export interface HandOverOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly records: Records;
  readonly store: Pick<RecordStore, 'begin'>;
  readonly known: KnownApps;
  /** Looks of releases under way; those of the time before their record was read come after those in it. */
  readonly evidence: Map<AppKey, Evidence[]>;
  readonly isWriting: boolean;
  readonly isProving: boolean;
  readonly onTold: ((key: AppKey, message: string) => void) | undefined;
  readonly submit: (outcome: Outcome) => void;
  readonly signal: AbortSignal;
}

export function createHandOver(options: HandOverOptions): HandOver {
  const { records, store, known, evidence, isWriting, isProving, onTold, submit, signal } = options;
  const { clock, log } = options.deps;
  /** Records that were read and not held against Git yet. */
  const unproven = new Map<AppKey, Unproven>();
  const submitted = new Set<string>();
  let isNew = false;
  let isLoaded: Promise<void> | undefined;
  let whenLoaded: () => void = () => undefined;
  const loaded = new Promise<void>((resolve) => (whenLoaded = resolve));
  const firstRead = createFirstRead({ clock, log, read: () => records.load() }, signal);

  /** An outcome that comes before Git was looked at: people are told why it is not written yet. */
  const waitForGit = (key: AppKey, { outcome }: ReleaseRecord): void => {
    if (!outcome || outcome.written !== undefined || outcome.blocked !== undefined) return;
    const reason = 'Git was not reached since the agent was started';
    const what = { promoted: 'Promotion', 'rolled-back': 'Rollback', withdrawn: 'Withdrawal' }[outcome.verdict];
    onTold?.(key, `${what} of ${shownKey(key)} cannot be written to Git: ${reason}`);
    log.warn({ canary: shownKey(key), verdict: outcome.verdict }, `The outcome is not in Git yet: ${reason}`);
    const change = (now: ReleaseRecord | undefined): ReleaseRecord | undefined =>
      now?.outcome && now.outcome.blocked === undefined
        ? { ...now, outcome: { ...now.outcome, blocked: reason } }
        : undefined;
    records.change(key, change, true).catch((error: unknown) => {
      log.warn({ canary: shownKey(key), reason: messageOf(error) }, 'the pending outcome could not be noted');
    });
  };
  const send = (key: AppKey, record: ReleaseRecord): void => {
    // What another agent wrote, or this one, whose answer got lost, waits for the next look at Git only.
    if (unproven.has(key)) return known.isReady ? undefined : waitForGit(key, record);
    const app = partsOf(key);
    for (const release of list(record)) {
      const outcome = outcomeOf(app, release);
      if (!outcome || submitted.has(release.id)) continue;
      submitted.add(release.id);
      submit(outcome);
    }
  };
  /** What was read is believed: what it promoted is stable, and what Git does not tell yet is handed over. */
  const begun = (key: AppKey): void => {
    const record = unproven.has(key) ? undefined : records.get(key);
    if (!record) return;
    known.believe(key, record);
    if (isWriting) send(key, record);
  };

  const proveOne = async (key: AppKey, what: Unproven, prove: Prove): Promise<void> => {
    const before = records.get(key);
    const { record, reasons } = before ? await prove(key, before, what) : { record: undefined, reasons: [] };
    // A tick went on with it meanwhile.
    if (records.get(key) !== before) return;
    if (what.former && record) {
      records.remember(key, () => record);
      await records.change(key, (now) => now, true);
    } else if (record) records.remember(key, () => record);
    else records.distrust(key);
    unproven.delete(key);
    for (const reason of reasons) {
      const message = `What is recorded of a release of ${shownKey(key)} is not believed: ${reason}`;
      log.error({ canary: shownKey(key) }, message);
      onTold?.(key, message);
    }
    begun(key);
  };

  /** An agent that lacks the right to read records is no reason to leave users with what fails. */
  const goOnUnread = (canaries: readonly KubeObject[], why: string): void => {
    whenLoaded();
    for (const canary of canaries) {
      const key = keyOf(canary.metadata);
      if (isUnderAnalysis(parseStatus(canary).phase))
        onTold?.(key, `The release of ${shownKey(key)} is judged, but can neither be promoted nor told to Git: ${why}`);
    }
  };
  const load = async (canaries: readonly KubeObject[]): Promise<void> => {
    ({ isNew } = await firstRead.run((why) => goOnUnread(canaries, why)));
    // Looks of the time before they were read come after those that were noted.
    for (const [key, looks] of evidence) evidence.set(key, [...(records.get(key)?.evidence ?? []), ...looks]);
    if (isNew && isProving)
      for (const canary of canaries) {
        const [key, former] = [keyOf(canary.metadata), formerRecord(canary)];
        if (!former || records.get(key)) continue;
        records.remember(key, () => former);
        unproven.set(key, { former: parseStatus(canary) });
      }
    for (const key of records.keys()) {
      if (isProving && !unproven.has(key)) unproven.set(key, {});
      begun(key);
    }
  };

  return {
    get trouble() {
      return firstRead.trouble;
    },
    loaded,
    load(canaries) {
      isLoaded ??= load(canaries).then(whenLoaded);
      return isLoaded;
    },
    async prove(prove, isUnread = () => false) {
      const left = (): readonly (readonly [AppKey, Unproven])[] => [...unproven].filter(([key]) => !isUnread(key));
      for (let all = left(); all.length > 0; all = left()) {
        for (const [key, what] of all) await proveOne(key, what, prove);
      }
      // Until all is proven a restart begins with what there was before.
      if (unproven.size > 0) return;
      if (isNew) await store.begin(signal);
      isNew = false;
    },
    taken(key) {
      evidence.delete(key);
      if (isProving) unproven.set(key, {});
      else begun(key);
    },
    mustBeRead() {
      const { trouble } = firstRead;
      if (trouble !== undefined) throw new AgentError('CLUSTER_UNREACHABLE', `a release cannot end: ${trouble}`);
    },
    isUnproven: (key) => unproven.has(key),
    send,
    settled: ({ releaseId }) => void submitted.delete(releaseId),
  };
}
