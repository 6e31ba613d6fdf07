import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import {
  readRecordObject,
  recordLabel,
  recordObject,
  recordRef,
  sinceName,
  sinceObject,
} from '../../release/record-object.ts';
import type { ReleaseRecord } from '../../release/types.ts';

/** A record, and the version of the object that holds it. */
interface StoredRecord {
  readonly record: ReleaseRecord | undefined;
  readonly version: string | undefined;
}

/** The records of releases, where nobody but the agent writes: one Secret an app in its own namespace. Nothing of it is watched. */
export interface RecordStore {
  /** All of them by key, and whether annotations of an agent of before are still to be looked at. */
  all(signal: AbortSignal): Promise<{ readonly records: ReadonlyMap<AppKey, StoredRecord>; readonly isNew: boolean }>;
  /** Undefined: there is none. */
  read(key: AppKey, signal: AbortSignal): Promise<StoredRecord | undefined>;
  /**
   * Writes a record over the version that is known; absent: the first one. Gives the version that this made. Throws CLUSTER_CONFLICT
   * where somebody else has written it meanwhile.
   */
  write(
    key: AppKey,
    record: ReleaseRecord,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  remove(key: AppKey, signal: AbortSignal): Promise<void>;
  /** From now on no annotation is looked at any more. */
  begin(signal: AbortSignal): Promise<void>;
}

const manager = 'serin-release';

/** `isOwn`: the apps that it is about, as others may keep theirs in the same place; absent: all. */
export function createRecordStore(
  cluster: Cluster,
  namespace: string,
  isOwn: (key: AppKey) => boolean = () => true,
): RecordStore {
  const kind = { apiVersion: 'v1', kind: 'Secret' };

  const create = async (object: KubeObject, signal: AbortSignal): Promise<string | undefined> => {
    const options = { manager };
    try {
      return (await cluster.create(object, options, signal)).metadata.resourceVersion;
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      // Started outside of an installation: the agent's own namespace is not there yet.
      const place = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
      await cluster.apply(place, { manager, force: true }, signal);
      return (await cluster.create(object, options, signal)).metadata.resourceVersion;
    }
  };

  return {
    async all(signal) {
      const found = await cluster.list(kind, { namespace, labelSelector: `${recordLabel}=true` }, signal);
      const records = new Map<AppKey, StoredRecord>();
      for (const object of found) {
        const read = readRecordObject(object);
        if (read && isOwn(read.key))
          records.set(read.key, { record: read.record, version: object.metadata.resourceVersion });
      }
      return { records, isNew: found.every(({ metadata }) => metadata.name !== sinceName) };
    },
    async read(key, signal) {
      const object = await cluster.get(recordRef(key, namespace), signal);
      if (!object) return undefined;
      const read = readRecordObject(object);
      return { record: read?.key === key ? read.record : undefined, version: object.metadata.resourceVersion };
    },
    async write(key, record, version, signal) {
      try {
        if (version === undefined) return await create(recordObject(key, namespace, record), signal);
        const { metadata, data } = recordObject(key, namespace, record);
        const { labels, annotations } = metadata;
        const patch = { metadata: { resourceVersion: version, labels, annotations }, data };
        const options = { manager, unread: true };
        return (await cluster.mergePatch(recordRef(key, namespace), patch, options, signal)).metadata.resourceVersion;
      } catch (error) {
        const reason = error instanceof AgentError ? error.details['reason'] : undefined;
        if (reason === 'AlreadyExists')
          throw new AgentError('CLUSTER_CONFLICT', `somebody else has begun the record of ${key}`, { cause: error });
        // Somebody deleted it: what is known here is written anew.
        if (version !== undefined && statusOf(error) === 404)
          return create(recordObject(key, namespace, record), signal);
        throw error;
      }
    },
    remove: (key, signal) => cluster.remove(recordRef(key, namespace), {}, signal),
    async begin(signal) {
      try {
        await create(sinceObject(namespace), signal);
      } catch (error) {
        if (!(error instanceof AgentError) || error.details['reason'] !== 'AlreadyExists') throw error;
      }
    },
  };
}

const statusOf = (error: unknown): unknown => (error instanceof AgentError ? error.details['status'] : undefined);
