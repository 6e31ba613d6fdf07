import type { Revision } from '../git/repo.ts';
import { asRevision } from '../git/repo.ts';
import type { KubeObject } from '../manifest/types.ts';
import { readRecord, releaseAnnotation, renderRecord } from '../release/record.ts';
import type { ReleaseRecord } from '../release/types.ts';
import type { Deps } from './deps.ts';
import { isAtLeast } from './versions.ts';

/** Field manager of the annotation that keeps a release. */
const manager = 'serin-release';

/** The records of releases, by `namespace/name`; kept on the Canaries and remembered here. */
export interface Records {
  get(key: string): ReleaseRecord | undefined;
  /** Version of the Canary that the last write of its record made; undefined before one. */
  version(key: string): string | undefined;
  /**
   * Takes a Canary's annotation for the truth unless something newer is known. Undefined: nothing was taken. Another agent, which runs by
   * mistake, may have written it meanwhile: then what it says counts.
   */
  read(key: string, canary: KubeObject): ReleaseRecord | undefined;
  /**
   * Writes what `change` makes of the present record; undefined leaves it. Changes of one key follow each other, so that the note of a
   * landed outcome and the beginning of the next release never undo each other. Rejects when the annotation cannot be written.
   */
  change(key: string, change: (now: ReleaseRecord | undefined) => ReleaseRecord | undefined): Promise<void>;
  /** As `change`, but only here. */
  remember(key: string, change: (now: ReleaseRecord | undefined) => ReleaseRecord | undefined): void;
  forget(key: string): void;
}

export function createRecords({ cluster }: Pick<Deps, 'cluster'>, signal: AbortSignal): Records {
  const known = new Map<string, ReleaseRecord>();
  const versions = new Map<string, string>();
  const turns = new Map<string, Promise<void>>();
  /** The annotations as they were last seen or written, and the Canary's version then. */
  const last = new Map<string, { readonly text: string | undefined; readonly version: string | undefined }>();

  const write = async (key: string, record: ReleaseRecord): Promise<void> => {
    const [namespace = '', name = ''] = key.split('/');
    const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace, name };
    const text = renderRecord(record);
    const annotations = { [releaseAnnotation]: text };
    const { metadata } = await cluster.mergePatch(ref, { metadata: { annotations } }, { manager }, signal);
    known.set(key, record);
    last.set(key, { text, version: metadata.resourceVersion });
    if (metadata.resourceVersion !== undefined) versions.set(key, metadata.resourceVersion);
  };

  return {
    get: (key) => known.get(key),
    version: (key) => versions.get(key),
    read(key, canary) {
      const { annotations, resourceVersion: version } = canary.metadata;
      const [text, before] = [annotations?.[releaseAnnotation], last.get(key)];
      if (before && (before.text === text || (before.version !== undefined && !isAtLeast(version, before.version))))
        return undefined;
      last.set(key, { text, version });
      const record = readRecord(canary);
      if (record) known.set(key, record);
      return record;
    },
    change(key, change) {
      const turn = (turns.get(key) ?? Promise.resolve()).then(async () => {
        const record = change(known.get(key));
        if (record) await write(key, record);
      });
      // What failed is told to its own caller; the next one is not held up by it.
      const settled = turn.catch(() => undefined).finally(() => turns.get(key) === settled && turns.delete(key));
      turns.set(key, settled);
      return turn;
    },
    remember(key, change) {
      const record = change(known.get(key));
      if (record) known.set(key, record);
    },
    forget(key) {
      for (const map of [known, versions, last]) map.delete(key);
    },
  };
}

/** Releases whose outcome is not in Git yet, oldest first. */
export function unwrittenOf(record: ReleaseRecord): readonly ReleaseRecord[] {
  const { unwritten = [], ...own } = record;
  return own.outcome && own.outcome.written === undefined ? [...unwritten, own] : unwritten;
}

/** The record after the outcome of one of its releases has landed. Undefined: it knows no such release. */
export function withLanded(record: ReleaseRecord, releaseId: string, revision: Revision): ReleaseRecord | undefined {
  const { unwritten = [], ...own } = record;
  const left = unwritten.filter(({ id }) => id !== releaseId);
  const rest = left.length === 0 ? {} : { unwritten: left };
  if (own.id === releaseId && own.outcome) {
    const { blocked: _blocked, ...outcome } = own.outcome;
    return { ...own, ...rest, outcome: { ...outcome, written: asRevision(revision) } };
  }
  return left.length === unwritten.length ? undefined : { ...own, ...rest };
}
