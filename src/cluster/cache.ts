import type { Logger } from '../lib/log.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Cluster, KindRef, ListOptions } from './cluster.ts';
import { type Contact, Reader, withoutManagedFields } from './reader.ts';

/** Where a watch puts what it learns. */
export interface WatchSink {
  put(object: KubeObject): void;
  drop(object: KubeObject): void;
  /** A list begins: who reads from now on may miss its first pages. */
  listing(): void;
  /** It has come to its end, and names all that there is. */
  listed(isThere: (namespace: string, name: string) => boolean): void;
}

/** A watch that runs until its signal aborts. */
export interface Watch extends Contact {
  /** Lists again at once, for a reader who came later. */
  relist(): void;
}

export type StartWatch = (kind: KindRef, scope: ListOptions, sink: WatchSink, signal: AbortSignal) => Watch;

interface Shared {
  readonly watch: Watch;
  readonly ending: AbortController;
  readonly readers: Set<Reader>;
  /** Those of them who came after the last list had begun, and need another one. */
  readonly late: Set<Reader>;
}

/**
 * One watch of a kind, however many read it: each keeps its own view of the objects. A reader who comes while a watch runs gets what is there
 * by one more list; the others lose nothing by it.
 */
export function createCache(start: StartWatch, log: Logger): Cluster['reflect'] {
  const all = new Map<string, Shared>();

  const open = (key: string, kind: KindRef, scope: ListOptions): Shared => {
    const ending = new AbortController();
    const readers = new Set<Reader>();
    const late = new Set<Reader>();
    const sink: WatchSink = {
      put(object) {
        const bare = once(() => withoutManagedFields(object));
        for (const reader of readers) reader.put(object, bare);
      },
      drop(object) {
        const { namespace = '', name } = object.metadata;
        const bare = once(() => withoutManagedFields(object));
        for (const reader of readers) reader.drop(namespace, name, { raw: object, bare });
      },
      listing: () => late.clear(),
      listed(isThere) {
        for (const reader of readers) if (!late.has(reader)) reader.listed(isThere);
      },
    };
    const shared: Shared = { readers, late, ending, watch: start(kind, scope, sink, ending.signal) };
    all.set(key, shared);
    return shared;
  };

  return (kind, { project, keepManagedFields, ...scope }, signal) => {
    const { namespace, labelSelector, fieldSelector } = scope;
    const key = JSON.stringify([kind.apiVersion, kind.kind, namespace, labelSelector, fieldSelector]);
    const known = all.get(key);
    const shared = known ?? open(key, kind, scope);
    const kept = { ...(project ? { project } : {}), ...(keepManagedFields ? { keepManagedFields } : {}) };
    const reader = new Reader(kept, shared.watch, log);
    shared.readers.add(reader);
    shared.late.add(reader);
    if (known) shared.watch.relist();
    const leave = (): void => {
      shared.late.delete(reader);
      shared.readers.delete(reader);
      if (shared.readers.size > 0) return;
      shared.ending.abort(new Error('nobody reads this watch any more'));
      if (all.get(key) === shared) all.delete(key);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    return reader;
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
