import type { App } from '../canary/app.ts';
import { lastFailedCheckOf } from '../canary/evidence.ts';
import type { Evidence, FailedCheck, Phase } from '../canary/types.ts';
import { asRevision, type Revision } from '../git/repo.ts';
import { messageOf } from '../lib/errors.ts';
import type { KubeObject } from '../manifest/types.ts';
import { readRecord, releaseAnnotation, renderRecord } from '../release/record.ts';
import { releaseId } from '../release/release-id.ts';
import type { AppState, Outcome, ReleaseRecord } from '../release/types.ts';
import type { Deps } from './deps.ts';
import { type AppTrack, overlayOf, type StableState, trackApp } from './tracker.ts';

/** Field manager of the annotation that keeps a release. */
const manager = 'serin-release';
const evidenceLimit = 2_000;

export interface EndedRelease {
  readonly verdict: 'promoted' | 'rolled-back';
  readonly failedCheck: FailedCheck | undefined;
  readonly templateHash: string;
  readonly configs: Readonly<Record<string, string>>;
}

/** What is known of the apps' releases: tracks along the commits, the stable states, the records on the Canaries. */
export interface Releases {
  /** Takes over a newly fetched revision. Called before anything of it is applied. */
  advance(tip: Revision, apps: readonly App[]): void;
  /** Revision that this app's documents are to be taken from; undefined: the tip. */
  overlay(key: string, phase: Phase | undefined): Revision | undefined;
  begin(canary: KubeObject): Promise<void>;
  note(key: string, evidence: Evidence): void;
  /** The last check of the release under way that did not pass; undefined where none is known. */
  lastFailedCheck(key: string): FailedCheck | undefined;
  end(canary: KubeObject, ended: EndedRelease): Promise<void>;
  /** An app at rest without a ledger entry: its present state becomes its stable state. */
  adopt(canary: KubeObject, templateHash: string, configs: Readonly<Record<string, string>>): void;
  /** Looks at the Canary's annotation: an outcome that was not written before a restart is submitted again. */
  resume(canary: KubeObject): void;
  written(outcome: Outcome, revision: Revision): Promise<void>;
  blocked(outcome: Outcome, reason: string): Promise<void>;
  stableOf(key: string): StableState | undefined;
  /** What a person is told when a version that failed before is tried again. */
  failedBefore(key: string): string | undefined;
}

export interface ReleasesOptions {
  readonly deps: Pick<Deps, 'cluster' | 'clock' | 'log'>;
  readonly submit: (outcome: Outcome) => void;
  /** Stable states and quarantined contents (with the reason) as the ledgers tell them. */
  readonly ledger: (
    key: string,
  ) => { readonly stable: StableState | undefined; readonly quarantined: ReadonlyMap<string, string> } | undefined;
  readonly signal: AbortSignal;
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

export function createReleases({ deps, submit, ledger, signal }: ReleasesOptions): Releases {
  const { cluster, clock, log } = deps;
  const tracks = new Map<string, AppTrack>();
  const apps = new Map<string, App>();
  /** Stable states that are known here before their ledger entry has landed. */
  const stables = new Map<string, StableState>();
  const records = new Map<string, ReleaseRecord>();
  const evidence = new Map<string, Evidence[]>();
  const submitted = new Set<string>();

  const stableOf = (key: string): StableState | undefined => stables.get(key) ?? ledger(key)?.stable;

  const save = async (key: string, record: ReleaseRecord): Promise<void> => {
    const [namespace = '', name = ''] = key.split('/');
    const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace, name };
    await cluster.mergePatch(
      ref,
      { metadata: { annotations: { [releaseAnnotation]: renderRecord(record) } } },
      { manager },
      signal,
    );
    records.set(key, record);
  };
  const recordOf = (canary: KubeObject): ReleaseRecord | undefined => records.get(keyOf(canary)) ?? readRecord(canary);
  const send = (key: string, record: ReleaseRecord): void => {
    const { outcome } = record;
    if (!outcome || outcome.written !== undefined || submitted.has(record.id)) return;
    const [namespace = '', name = ''] = key.split('/');
    submitted.add(record.id);
    submit({
      app: { namespace, name },
      releaseId: record.id,
      verdict: outcome.verdict,
      atMs: outcome.atMs,
      startedAtMs: record.startedAtMs,
      state: outcome.state,
      base: record.base,
      evidence: outcome.evidence,
      supersedes: record.supersedes,
      ...(outcome.failedCheck ? { failedCheck: outcome.failedCheck } : {}),
    });
  };

  return {
    stableOf,
    advance(tip, found) {
      const present = new Set<string>();
      for (const app of found) {
        const key = `${app.id.namespace}/${app.id.name}`;
        present.add(key);
        apps.set(key, app);
        const input = {
          tip,
          content: app.content,
          previous: tracks.get(key),
          stable: stableOf(key),
          record: records.get(key),
        };
        tracks.set(key, trackApp(input));
      }
      for (const key of tracks.keys()) {
        if (present.has(key)) continue;
        for (const map of [tracks, apps, stables, records, evidence]) map.delete(key);
      }
    },
    overlay(key, phase) {
      const track = tracks.get(key);
      return track && overlayOf({ track, stable: stableOf(key), record: records.get(key), phase });
    },
    failedBefore(key) {
      const content = tracks.get(key)?.content;
      return content === undefined ? undefined : ledger(key)?.quarantined.get(content);
    },
    async begin(canary) {
      const key = keyOf(canary);
      const track = tracks.get(key);
      const app = apps.get(key);
      // A Canary that is not in Git runs as with Flagger: there is nothing to write its outcome to.
      if (!track || !app) return;
      // What runs its canary is not what Git says now (somebody changed the cluster by hand): nothing of Git is judged.
      if (stableOf(key)?.content === track.content) return;
      const id = releaseId(app.id, track.content, track.firstSeen);
      const before = recordOf(canary);
      const open = before && before.outcome === undefined && before.id !== id ? [...before.supersedes, before.id] : [];
      if (before && before.id === id && before.outcome === undefined) {
        records.set(key, before);
        return;
      }
      evidence.delete(key);
      await save(key, {
        id,
        revision: track.firstSeen,
        base: track.base,
        content: track.content,
        images: app.images,
        startedAtMs: clock.now(),
        supersedes: open,
      });
    },
    note(key, entry) {
      const list = evidence.get(key) ?? [];
      if (list.length < evidenceLimit) list.push(entry);
      evidence.set(key, list);
    },
    lastFailedCheck(key) {
      return lastFailedCheckOf(evidence.get(key) ?? []);
    },
    async end(canary, { verdict, failedCheck, templateHash, configs }) {
      const key = keyOf(canary);
      const record = recordOf(canary);
      const app = apps.get(key);
      if (!record || !app) return;
      if (record.outcome) return send(key, record);
      const state: AppState = {
        revision: record.revision,
        images: record.images ?? app.images,
        templateHash,
        configs,
        content: record.content,
      };
      const outcome = {
        verdict,
        atMs: clock.now(),
        evidence: evidence.get(key) ?? [],
        state,
        ...(failedCheck ? { failedCheck } : {}),
      };
      const ended: ReleaseRecord = { ...record, outcome };
      await save(key, ended);
      if (verdict === 'promoted') {
        stables.set(key, { content: record.content, revision: record.revision });
        const track = tracks.get(key);
        // A newer push may be there already: what failed of it goes back to what has just been promoted.
        if (track) tracks.set(key, { ...track, base: record.revision });
      }
      send(key, ended);
    },
    adopt(canary, templateHash, configs) {
      const key = keyOf(canary);
      const track = tracks.get(key);
      const app = apps.get(key);
      if (!track || !app || stableOf(key) || app.target === undefined) return;
      stables.set(key, { content: track.content, revision: track.firstSeen });
      const now = clock.now();
      submit({
        app: app.id,
        releaseId: releaseId(app.id, track.content, track.firstSeen),
        verdict: 'adopted',
        atMs: now,
        startedAtMs: now,
        state: { revision: track.firstSeen, images: app.images, templateHash, configs, content: track.content },
        base: track.firstSeen,
        evidence: [],
        supersedes: [],
      });
    },
    resume(canary) {
      const key = keyOf(canary);
      if (records.has(key)) return;
      const record = readRecord(canary);
      if (!record) return;
      records.set(key, record);
      if (record.outcome?.verdict === 'promoted' && record.outcome.written === undefined) {
        stables.set(key, { content: record.content, revision: record.revision });
      }
      send(key, record);
    },
    async written(outcome, revision) {
      const key = `${outcome.app.namespace}/${outcome.app.name}`;
      const record = records.get(key);
      submitted.delete(outcome.releaseId);
      if (!record?.outcome || record.id !== outcome.releaseId) return;
      const { blocked: _blocked, ...rest } = record.outcome;
      try {
        await save(key, { ...record, outcome: { ...rest, written: asRevision(revision) } });
      } catch (error) {
        // Only a note to ourselves: after a restart the writer finds the outcome in Git and writes nothing.
        log.warn(
          { canary: key.replace('/', '.'), reason: messageOf(error) },
          'the landed outcome could not be noted on the Canary',
        );
        records.set(key, { ...record, outcome: { ...rest, written: asRevision(revision) } });
      }
    },
    async blocked(outcome, reason) {
      const key = `${outcome.app.namespace}/${outcome.app.name}`;
      const record = records.get(key);
      if (!record?.outcome || record.id !== outcome.releaseId || record.outcome.blocked === reason) return;
      await save(key, { ...record, outcome: { ...record.outcome, blocked: reason } }).catch((error: unknown) => {
        log.warn(
          { canary: key.replace('/', '.'), reason: messageOf(error) },
          'the pending outcome could not be noted on the Canary',
        );
      });
    },
  };
}
