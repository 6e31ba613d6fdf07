import type { SandboxStore, StoredObject } from '../types.ts';
import { type Kinds, versions } from './kinds.ts';
import { controllerOf } from './objects.ts';

/** Ways into the store that do not go through everything: by owner, without owner, by label, by selector. */
export interface Lookup {
  owned<K extends Looked>(kind: K, ownerUid: string): readonly Kinds[K][];
  orphans<K extends Looked>(kind: K, namespace: string | undefined): readonly Kinds[K][];
  /** Pods that carry one label. */
  labelled(namespace: string | undefined, label: string, value: string): readonly Kinds['Pod'][];
  /** Services of which at least the first selector entry matches. */
  servicesFor(object: StoredObject): readonly Kinds['Service'][];
  stop(): void;
}

const looked = ['ReplicaSet', 'Pod', 'Service', 'EndpointSlice'] as const;
type Looked = (typeof looked)[number];

const kindOf: ReadonlyMap<string, Looked> = new Map(looked.map((kind) => [`${versions[kind]}/${kind}`, kind]));

export function createLookup(store: SandboxStore): Lookup {
  const rooms = new Map<string, Map<string, StoredObject>>();
  const room = (name: string): ReadonlyMap<string, StoredObject> => rooms.get(name) ?? new Map<string, StoredObject>();

  const roomsOf = (kind: Looked, object: StoredObject): string[] => {
    const { namespace = '', labels = {} } = object.metadata;
    const owner = controllerOf(object);
    const names = [owner ? `owner ${kind} ${owner.uid}` : `orphan ${kind} ${namespace}`];
    if (kind === 'Pod') for (const pair of Object.entries(labels)) names.push(`label ${namespace} ${pair.join('=')}`);
    if (kind === 'Service') {
      const [pair] = Object.entries((object as Kinds['Service']).spec.selector ?? {});
      if (pair) names.push(`selector ${namespace} ${pair.join('=')}`);
    }
    return names;
  };
  const leave = (kind: Looked, object: StoredObject): void => {
    for (const name of roomsOf(kind, object)) {
      const left = rooms.get(name);
      left?.delete(object.metadata.uid);
      if (left?.size === 0) rooms.delete(name);
    }
  };
  const enter = (kind: Looked, object: StoredObject): void => {
    for (const name of roomsOf(kind, object)) {
      const entered = rooms.get(name) ?? new Map<string, StoredObject>();
      rooms.set(name, entered.set(object.metadata.uid, object));
    }
  };
  for (const kind of looked) for (const object of store.list(versions[kind], kind)) enter(kind, object);
  const stop = store.onEvent(({ type, object, previous }) => {
    const kind = kindOf.get(`${object.apiVersion}/${object.kind}`);
    if (!kind) return;
    leave(kind, previous ?? object);
    if (type !== 'DELETED') enter(kind, object);
  });
  return {
    owned: <K extends Looked>(kind: K, uid: string) => [...room(`owner ${kind} ${uid}`).values()] as Kinds[K][],
    orphans: <K extends Looked>(kind: K, namespace = '') =>
      [...room(`orphan ${kind} ${namespace}`).values()] as Kinds[K][],
    labelled: (namespace = '', label, value) =>
      [...room(`label ${namespace} ${label}=${value}`).values()] as Kinds['Pod'][],
    servicesFor: ({ metadata: { namespace = '', labels = {} } }) =>
      Object.entries(labels).flatMap(
        (pair) => [...room(`selector ${namespace} ${pair.join('=')}`).values()] as Kinds['Service'][],
      ),
    stop,
  };
}
