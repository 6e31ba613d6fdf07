import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Change, ReflectOptions, Reflection } from './cluster.ts';
import { sharing } from './sharing.ts';

/** What a watch says of itself, for all that read it. */
export interface Contact {
  readonly lastContactMs: number;
  readonly trouble: string | undefined;
  readonly isForbidden: boolean;
}

/** A new object: one that members are deleted from takes more memory, and time at every look. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...object, metadata };
}

type Kept = Pick<ReflectOptions, 'project' | 'keepManagedFields'>;

/** What one reader keeps of the objects that a watch tells of. */
export class Reader implements Reflection {
  readonly synced: Promise<void>;
  readonly #kept: Kept;
  readonly #contact: Contact;
  readonly #log: Logger;
  /** By namespace and name: looked into some hundred times a release, and a joined key costs more than two looks. */
  readonly #places = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Set<(change: Change) => void>();
  #isSynced = false;
  #markSynced: () => void = () => undefined;

  constructor(kept: Kept, contact: Contact, log: Logger) {
    this.#kept = kept;
    this.#contact = contact;
    this.#log = log;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }
  get lastContactMs(): number {
    return this.#contact.lastContactMs;
  }
  get trouble(): string | undefined {
    return this.#contact.trouble;
  }
  get isForbidden(): boolean {
    return this.#contact.isForbidden;
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#places.get(namespace ?? '')?.get(name);
  }

  list(namespace?: string): readonly KubeObject[] {
    const places = namespace === undefined ? [...this.#places.values()] : [this.#places.get(namespace)];
    return places.flatMap((names) => [...(names?.values() ?? [])]);
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As the server has it now. `bare`: the same without managed fields. */
  put(raw: KubeObject, bare: () => KubeObject): void {
    const { namespace = '', name } = raw.metadata;
    const names = this.#places.get(namespace) ?? new Map<string, KubeObject>();
    const previous = names.get(name);
    if (previous && previous.metadata.resourceVersion === raw.metadata.resourceVersion) return;
    const object = sharing(this.#take(raw, bare), previous);
    this.#places.set(namespace, names.set(name, object));
    if (!previous) this.#tell({ kind: 'added', object });
    else if (previous.metadata.uid !== object.metadata.uid) {
      this.#tell({ kind: 'deleted', object: previous });
      this.#tell({ kind: 'added', object });
    } else this.#tell({ kind: 'modified', object, previous });
  }

  /** `last`: as it was when it went; absent: nobody saw it go. */
  drop(namespace: string, name: string, last?: { readonly raw: KubeObject; readonly bare: () => KubeObject }): void {
    const names = this.#places.get(namespace);
    const previous = names?.get(name);
    if (!names || !previous) return;
    if (names.delete(name) && names.size === 0) this.#places.delete(namespace);
    this.#tell({ kind: 'deleted', object: last ? this.#take(last.raw, last.bare) : previous });
  }

  /** A list has come to its end: what it did not name is gone. */
  listed(isThere: (namespace: string, name: string) => boolean): void {
    for (const [namespace, names] of this.#places) {
      for (const name of names.keys()) if (!isThere(namespace, name)) this.drop(namespace, name);
    }
    this.#isSynced = true;
    this.#markSynced();
  }

  #take(raw: KubeObject, bare: () => KubeObject): KubeObject {
    const kept = this.#kept.keepManagedFields ? raw : bare();
    return this.#kept.project ? this.#kept.project(kept) : kept;
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error({ kind: change.object.kind, error: messageOf(error) }, 'a listener of a watch failed');
      }
    }
  }
}
