import { clone, equal } from '../api/json.ts';
import type { SandboxStore, StoredObject } from '../types.ts';
import { type Kinds, type LabelSelector, versions } from './kinds.ts';

/** The store, with the types of the kinds that controllers know. */
export interface Objects {
  get<K extends keyof Kinds>(kind: K, namespace: string | undefined, name: string): Kinds[K] | undefined;
  list<K extends keyof Kinds>(kind: K, namespace?: string): readonly Kinds[K][];
  readonly create: (kind: keyof Kinds, object: Record<string, unknown>) => StoredObject;
  change<K extends keyof Kinds>(object: Kinds[K], change: (draft: Kinds[K]) => void): Kinds[K] | undefined;
  changeStatus<K extends keyof Kinds>(object: Kinds[K], change: (draft: Kinds[K]) => void): Kinds[K] | undefined;
  readonly remove: (object: StoredObject) => void;
  /** Ends a graceful deletion. */
  readonly removeNow: (object: StoredObject) => void;
}

export function createObjects(store: SandboxStore): Objects {
  const write = <K extends keyof Kinds>(
    object: Kinds[K],
    change: (draft: Kinds[K]) => void,
    subresource?: 'status',
  ): Kinds[K] | undefined => {
    const { apiVersion, kind, metadata } = object;
    const { namespace, name, uid } = metadata;
    const live = store.get(apiVersion, kind, namespace, name);
    // A name may have been given to another object meanwhile.
    if (live?.metadata.uid !== uid) return undefined;
    const wanted = clone(live) as Kinds[K];
    change(wanted);
    // Most passes change nothing; the store would find that out only after admission.
    if (equal(wanted, live)) return live as Kinds[K];
    const run = (draft: StoredObject): void => change(draft as Kinds[K]);
    return store.update(apiVersion, kind, namespace, name, run, subresource) as Kinds[K] | undefined;
  };
  return {
    get: <K extends keyof Kinds>(kind: K, namespace: string | undefined, name: string) =>
      store.get(versions[kind], kind, namespace, name) as Kinds[K] | undefined,
    list: <K extends keyof Kinds>(kind: K, namespace?: string) =>
      store.list(versions[kind], kind, namespace) as readonly Kinds[K][],
    create: (kind, object) => store.create({ apiVersion: versions[kind], kind, ...object }),
    change: (object, change) => write(object, change),
    changeStatus: (object, change) => write(object, change, 'status'),
    remove: ({ apiVersion, kind, metadata }) => store.remove(apiVersion, kind, metadata.namespace, metadata.name),
    removeNow: ({ apiVersion, kind, metadata }) => {
      const { namespace, name, uid } = metadata;
      if (store.get(apiVersion, kind, namespace, name)?.metadata.uid !== uid) return;
      store.remove(apiVersion, kind, namespace, name, { gracePeriodSeconds: 0 });
    },
  };
}

export function keyOf({ metadata }: StoredObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function controllerOf(object: StoredObject): { kind: string; name: string; uid: string } | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The empty selector matches everything, an absent one nothing. */
export function selects(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>> = {}): boolean {
  if (!selector) return false;
  const exact = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  const expressions = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    return operator === 'Exists' ? value !== undefined : value === undefined;
  });
  return exact && expressions;
}

const letters = 'bcdfghjklmnpqrstvwxz2456789';

/** The random end of generated names, without vowels. */
export function randomSuffix(length = 5): string {
  return Array.from({ length }, () => letters.charAt(Math.floor(Math.random() * letters.length))).join('');
}
