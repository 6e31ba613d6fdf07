import type { Change, Reflection } from '../../cluster/cluster.ts';
import type { KubeObject } from '../../manifest/types.ts';

/** A view that may be read and listened to before its watch is opened; until then nothing is there. */
export interface LateReflection extends Reflection {
  /** Its watch is this one from now on. To be called once. */
  begin(watched: Reflection): void;
}

export function createLateReflection(): LateReflection {
  let watched: Reflection | undefined;
  let markSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  /** Those who listened before it began, each with what ends that. */
  const early = new Map<(change: Change) => void, (() => void) | undefined>();
  return {
    synced,
    get isSynced() {
      return watched?.isSynced ?? false;
    },
    get lastContactMs() {
      return watched?.lastContactMs ?? 0;
    },
    get trouble() {
      return watched?.trouble;
    },
    get isForbidden() {
      return watched?.isForbidden ?? false;
    },
    get: (namespace, name): KubeObject | undefined => watched?.get(namespace, name),
    list: (namespace) => watched?.list(namespace) ?? [],
    onChange(listener) {
      if (watched) return watched.onChange(listener);
      early.set(listener, undefined);
      return () => {
        early.get(listener)?.();
        early.delete(listener);
      };
    },
    begin(reflection) {
      watched = reflection;
      for (const listener of early.keys()) early.set(listener, reflection.onChange(listener));
      void reflection.synced.then(markSynced);
    },
  };
}
