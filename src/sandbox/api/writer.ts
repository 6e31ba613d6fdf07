import type { WriteContext } from './write-context.ts';
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import type { StoredObject } from '../types.ts';
import type { Admission } from './admission.ts';
import type { Subject } from './failure.ts';
import { Failure, alreadyExists, badRequest, conflict, forbidden, invalid, modified, notFound } from './failure.ts';
import type { Json } from './json.ts';
import { asArray, asObject, asString, clone, equal } from './json.ts';
import { refuseTooLarge } from './limits.ts';
import { bumpsGeneration, finalizerCauses, nameCauses, ownedByServer } from './metadata.ts';
import type { Objects } from './objects.ts';
import type { Resource } from './resource.ts';
import { apiVersionOf } from './resource.ts';
import { timestamp } from './time.ts';
import { shown, toStored } from './view.ts';

export interface DeleteOptions {
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Pods only: 0 removes at once, what a kubelet says when the containers have ended. */
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

/** All ways to change an object. Every refusal is a Failure. */
export interface Writer {
  create(resource: Resource, namespace: string | undefined, body: Json, context: WriteContext): StoredObject;
  /** `change` gets the object as the resource's version shows it and returns what it should become. */
  update(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    change: (live: StoredObject) => Json,
    context: WriteContext,
  ): StoredObject;
  /** The object as it was or became; `gone` when nothing keeps it any longer. */
  remove(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): { object: StoredObject; gone: boolean };
}

export const subjectOf = (resource: Resource, name?: string): Subject => ({
  group: resource.group,
  kind: resource.plural,
  ...(name === undefined ? {} : { name }),
});
export const kindSubject = (resource: Resource, name?: string): Subject => ({
  ...subjectOf(resource, name),
  kind: resource.kind,
});

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
function randomSuffix(): string {
  const bytes = randomUUID().replaceAll('-', '');
  return [0, 2, 4, 6, 8].map((i) => suffixLetters[Number.parseInt(bytes.slice(i, i + 2), 16) % 27]).join('');
}

export function createWriter(objects: Objects, admission: Admission, clock: Clock): Writer {
  const create: Writer['create'] = (resource, namespace, body, context) => {
    const draft = clone(body);
    const metadata = (draft.metadata = asObject(draft.metadata));
    if (resource.namespaced && namespace === undefined) throw badRequest('an object needs a namespace');
    if (asString(metadata.name) === '' && asString(metadata.generateName) !== '') {
      metadata.name = `${asString(metadata.generateName)}${randomSuffix()}`;
    }
    const name = asString(metadata.name);
    if (resource.namespaced) metadata.namespace = namespace;
    else delete metadata.namespace;
    const causes = nameCauses(resource, name);
    if (causes.length > 0) throw invalid(kindSubject(resource, name), causes);
    if (asString(metadata.resourceVersion) !== '') {
      throw new Failure(500, '', 'resourceVersion should not be set on objects to be created');
    }
    if (namespace !== undefined && resource.namespaced) requireNamespace(resource, name, namespace);
    draft.apiVersion = apiVersionOf(resource);
    draft.kind = resource.kind;
    for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink']) delete metadata[field];
    if (resource.status) delete draft.status;
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(clock);
    if (resource.generation === 'none') delete metadata.generation;
    else metadata.generation = 1;
    const admitted = admission.admit(resource, draft, undefined, context);
    if (objects.get(resource.storage, namespace, name)) throw alreadyExists(subjectOf(resource, name));
    const stored = toStored(resource, admitted) as StoredObject;
    refuseTooLarge(stored);
    return shown(resource, context.dryRun ? stored : objects.put(resource.storage, stored));
  };

  const requireNamespace = (resource: Resource, name: string, namespace: string): void => {
    const found = objects.get('/namespaces', undefined, namespace);
    if (!found) throw notFound({ group: '', kind: 'namespaces', name: namespace });
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(subjectOf(resource, name), why, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]);
  };

  const update: Writer['update'] = (resource, namespace, name, change, context) => {
    const stored = objects.get(resource.storage, namespace, name);
    if (!stored) throw notFound(subjectOf(resource, name));
    const live = shown(resource, stored);
    const draft = clone(change(live));
    const metadata = (draft.metadata = asObject(draft.metadata));
    const expected = asString(metadata.resourceVersion);
    if (expected !== '' && expected !== live.metadata.resourceVersion) throw modified(subjectOf(resource, name));
    if (asString(metadata.uid) !== '' && metadata.uid !== live.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${asString(metadata.uid)}, UID in object meta: ${live.metadata.uid}`;
      throw conflict(subjectOf(resource, name), why);
    }
    const next = ownedByServer(resource, live, draft, context.subresource);
    const causes = finalizerCauses(live, next);
    if (causes.length > 0) throw invalid(kindSubject(resource, name), causes);
    const admitted = admission.admit(resource, next, live, context);
    if (bumpsGeneration(resource, live, admitted)) {
      asObject(admitted.metadata).generation = (live.metadata.generation ?? 0) + 1;
    }
    if (equal(admitted, live) || sameButTimes(admitted, live)) return live;
    const becomes = toStored(resource, admitted) as StoredObject;
    refuseTooLarge(becomes);
    if (context.dryRun) return shown(resource, becomes);
    const released =
      stored.metadata.deletionTimestamp !== undefined && asArray(becomes.metadata.finalizers).length === 0;
    // The last finalizer is gone: what was waiting to be deleted now goes.
    if (released && !keptBySpec(resource, becomes)) return shown(resource, objects.drop(resource.storage, becomes));
    return shown(resource, objects.put(resource.storage, becomes));
  };

  const remove: Writer['remove'] = (resource, namespace, name, options) => {
    const stored = objects.get(resource.storage, namespace, name);
    if (!stored) throw notFound(subjectOf(resource, name));
    checkPreconditions(resource, stored, options);
    if (options.dryRun) return { object: shown(resource, stored), gone: true };
    const finalizers = new Set(stored.metadata.finalizers ?? []);
    for (const added of ['foregroundDeletion', 'orphan']) if (options.propagation) finalizers.delete(added);
    if (options.propagation === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagation === 'Orphan') finalizers.add('orphan');
    const graceSeconds = graceOf(resource, stored, options);
    const isNamespace = resource.storage === '/namespaces' && keptBySpec(resource, stored);
    const waits = finalizers.size > 0 || isNamespace || graceSeconds > 0;
    if (!waits) return { object: shown(resource, objects.drop(resource.storage, stored)), gone: true };
    const metadata = { ...stored.metadata };
    metadata.deletionTimestamp ??= timestamp(clock, graceSeconds);
    if (metadata.generation !== undefined && stored.metadata.deletionTimestamp === undefined) metadata.generation += 1;
    metadata.deletionGracePeriodSeconds = graceSeconds;
    if (finalizers.size > 0) metadata.finalizers = [...finalizers];
    const terminating: StoredObject = { ...stored, metadata };
    if (resource.storage === '/namespaces') terminating.status = { ...asObject(stored.status), phase: 'Terminating' };
    if (equal(terminating, stored)) return { object: shown(resource, stored), gone: false };
    return { object: shown(resource, objects.put(resource.storage, terminating)), gone: false };
  };

  return { create, update, remove };
}

/** How long a pod that may be running is given to end; nothing for everything else. */
function graceOf(resource: Resource, pod: StoredObject, options: DeleteOptions): number {
  if (resource.storage !== '/pods' || asString(asObject(pod.spec).nodeName) === '') return 0;
  if (['Succeeded', 'Failed'].includes(asString(asObject(pod.status).phase))) return 0;
  const asked = options.gracePeriodSeconds ?? Number(asObject(pod.spec).terminationGracePeriodSeconds ?? 30);
  const begun = pod.metadata.deletionTimestamp === undefined ? undefined : pod.metadata.deletionGracePeriodSeconds;
  return typeof begun === 'number' ? Math.min(begun, asked) : asked;
}

/** A namespace stays until it is empty, a pod until its kubelet has ended it. */
function keptBySpec(resource: Resource, object: StoredObject): boolean {
  if (resource.storage === '/pods') return Number(object.metadata.deletionGracePeriodSeconds ?? 0) > 0;
  return resource.storage === '/namespaces' && asArray(asObject(object.spec).finalizers).length > 0;
}

function checkPreconditions(resource: Resource, stored: StoredObject, options: DeleteOptions): void {
  const { uid, resourceVersion, name } = stored.metadata;
  const refuse = (field: string, wanted: string, has: string): never => {
    const why = `the ${field} in the precondition (${wanted}) does not match the ${field} in record (${has}). The object might have been ${field === 'UID' ? 'deleted and then recreated' : 'modified'}`;
    throw conflict(kindSubject(resource, name), why);
  };
  if (options.uid !== undefined && options.uid !== uid) refuse('UID', options.uid, uid);
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    refuse('ResourceVersion', options.resourceVersion, resourceVersion);
  }
}

/** Equal except for the times in managedFields, which alone are no change. */
function sameButTimes(left: Json, right: Json): boolean {
  const strip = (object: Json): Json => ({
    ...object,
    metadata: {
      ...asObject(object.metadata),
      managedFields: asArray(asObject(object.metadata).managedFields).map((entry) => ({
        ...asObject(entry),
        time: undefined,
      })),
    },
  });
  return equal(strip(left), strip(right));
}
