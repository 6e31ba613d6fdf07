import { isPrimaryName } from '../../canary/names.ts';
import { configKey, configRefsOf } from '../../canary/configs.ts';
import { isCanaryRef } from '../../canary/owner.ts';
import type { ConfigKey, ConfigSeen } from '../../canary/types.ts';
import type { Change } from '../../cluster/cluster.ts';
import type { KubeObject, ObjectRef } from '../../manifest/types.ts';

/** Where the projection of a ConfigMap or Secret keeps its hash; the values themselves are never kept. */
export const seenField = 'seen';

/** Which primaries refer to a ConfigMap or Secret. */
export interface ConfigReaders {
  heard(change: Change): void;
  isRead(namespace: string, key: ConfigKey, except: Pick<ObjectRef, 'kind' | 'name'> | undefined): boolean;
}

export function createConfigReaders(): ConfigReaders {
  const readersByConfig = new Map<string, Set<string>>();
  const configsByReader = new Map<string, readonly string[]>();
  const forget = (reader: string): void => {
    for (const config of configsByReader.get(reader) ?? []) {
      const readers = readersByConfig.get(config);
      readers?.delete(reader);
      if (readers?.size === 0) readersByConfig.delete(config);
    }
    configsByReader.delete(reader);
  };
  return {
    heard({ kind: change, object }) {
      const { kind, metadata } = object;
      if (kind !== 'Deployment' && kind !== 'DaemonSet') return;
      const namespace = metadata.namespace ?? '';
      const reader = `${namespace}/${kind}/${metadata.name}`;
      forget(reader);
      if (change === 'deleted' || !isPrimary(object)) return;
      const configs = configRefsOf(object).map(({ key }) => `${namespace}/${key}`);
      if (configs.length > 0) configsByReader.set(reader, configs);
      for (const config of configs) readersByConfig.set(config, (readersByConfig.get(config) ?? new Set()).add(reader));
    },
    isRead(namespace, key, except) {
      const readers = readersByConfig.get(`${namespace}/${key}`);
      if (!readers) return false;
      const own = except && readers.has(`${namespace}/${except.kind}/${except.name}`);
      return readers.size > (own ? 1 : 0);
    },
  };
}

/** Also one whose Canary has been deleted and that was left behind. */
function isPrimary({ metadata }: KubeObject): boolean {
  return isPrimaryName(metadata.name) || (metadata.ownerReferences ?? []).some(isCanaryRef);
}

/** Which ConfigMaps and Secrets belong to a Canary. */
export interface OwnedConfigs {
  /** Of a view that keeps a `ConfigSeen`. */
  heard(change: Change): void;
  /** By the Canary's uid. */
  of(uid: string): readonly ConfigKey[];
}

export function createOwnedConfigs(): OwnedConfigs {
  const keysByUid = new Map<string, Set<ConfigKey>>();
  const uidsByConfig = new Map<string, readonly string[]>();
  return {
    heard({ kind: change, object }) {
      const { kind, metadata } = object;
      if (kind !== 'ConfigMap' && kind !== 'Secret') return;
      const key = configKey({ kind, name: metadata.name });
      const place = `${metadata.namespace ?? ''}/${key}`;
      for (const uid of uidsByConfig.get(place) ?? []) {
        const keys = keysByUid.get(uid);
        keys?.delete(key);
        if (keys?.size === 0) keysByUid.delete(uid);
      }
      const { canaries = [] } = change === 'deleted' ? {} : ((object[seenField] ?? {}) as Partial<ConfigSeen>);
      if (canaries.length === 0) uidsByConfig.delete(place);
      else uidsByConfig.set(place, canaries);
      for (const uid of canaries) keysByUid.set(uid, (keysByUid.get(uid) ?? new Set()).add(key));
    },
    of: (uid) => [...(keysByUid.get(uid) ?? [])],
  };
}
