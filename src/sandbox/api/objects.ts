import type { StoredObject, StoreEvent } from '../types.ts';
import type { History } from './history.ts';
import { createHistory } from './history.ts';
import { freeze } from './json.ts';

/** Objects by place and name, their versions, and who wants to hear of changes. Knows nothing of kinds. */
export interface Objects {
  get(storage: string, namespace: string | undefined, name: string): StoredObject | undefined;
  /** Sorted by namespace and name. */
  list(storage: string, namespace?: string): readonly StoredObject[];
  /** Stamps the next resourceVersion, stores (or removes) and tells the listeners. */
  put(storage: string, object: StoredObject): StoredObject;
  drop(storage: string, object: StoredObject): StoredObject;
  /** The newest version given out. */
  version(): number;
  onEvent(listener: Listener): () => void;
  readonly history: History;
}

type Listener = (event: StoreEvent, storage: string) => void;

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

export function createObjects(firstVersion: number): Objects {
  const places = new Map<string, Map<string, StoredObject>>();
  /** Keys of a place in order; absent after one has come or gone. */
  const orders = new Map<string, readonly string[]>();
  const listeners = new Set<Listener>();
  const history = createHistory(firstVersion);
  const waiting: { event: StoreEvent; storage: string }[] = [];
  let version = firstVersion;
  let telling = false;

  // A listener that writes must not be heard out of order: its events wait until this one has been told to all.
  const tell = (event: StoreEvent, storage: string): void => {
    waiting.push({ event, storage });
    if (telling) return;
    telling = true;
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        for (const listener of listeners) listener(next.event, next.storage);
      }
    } finally {
      telling = false;
    }
  };

  const place = (storage: string): Map<string, StoredObject> => {
    const found = places.get(storage);
    if (found) return found;
    const made = new Map<string, StoredObject>();
    places.set(storage, made);
    return made;
  };

  const commit = (storage: string, type: StoreEvent['type'], draft: StoredObject): StoredObject => {
    version += 1;
    const object = freeze({ ...draft, metadata: { ...draft.metadata, resourceVersion: String(version) } });
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const previous = place(storage).get(key);
    if (type !== 'MODIFIED') orders.delete(storage);
    if (type === 'DELETED') place(storage).delete(key);
    else place(storage).set(key, object);
    const event: StoreEvent = previous ? { type, object, previous } : { type, object };
    history.add({ version, storage, event }, JSON.stringify(object).length);
    tell(event, storage);
    return object;
  };

  return {
    get: (storage, namespace, name) => places.get(storage)?.get(keyOf(namespace, name)),
    list: (storage, namespace) => {
      const keys = orders.get(storage) ?? [...(places.get(storage)?.keys() ?? [])].sort();
      orders.set(storage, keys);
      const all = places.get(storage);
      const found: StoredObject[] = [];
      for (const key of keys) {
        if (namespace !== undefined && !key.startsWith(`${namespace}/`)) continue;
        const object = all?.get(key);
        if (object) found.push(object);
      }
      return found;
    },
    put: (storage, object) => {
      const exists = places.get(storage)?.has(keyOf(object.metadata.namespace, object.metadata.name)) ?? false;
      return commit(storage, exists ? 'MODIFIED' : 'ADDED', object);
    },
    drop: (storage, object) => commit(storage, 'DELETED', object),
    version: () => version,
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    history,
  };
}
