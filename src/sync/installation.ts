import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import type { KubeObject, ObjectMeta, ObjectRef } from '../manifest/types.ts';
import { syncManager } from './drift.ts';
import { inventoryName, sourceInventoryLabel } from './inventory.ts';

/**
 * Several agents may look after one cluster, each from a namespace of its own. What comes from Git is written under a field manager of
 * each, so that none takes or deletes another one's objects: `serin` for the one in namespace `serin`, `serin@NAMESPACE` for others.
 */
export const managerOf = (namespace: string): string =>
  namespace === syncManager ? syncManager : `${syncManager}@${namespace}`;

const renameTries = 4;

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
}
const entriesOf = ({ metadata }: KubeObject): readonly ManagedFields[] =>
  Array.isArray(metadata['managedFields']) ? (metadata['managedFields'] as readonly ManagedFields[]) : [];
const isOfGit = ({ operation, subresource }: ManagedFields): boolean =>
  operation === 'Apply' && (subresource ?? '') === '';

/**
 * The cluster as the sync sees it, for whom its own field manager is always `serin`, and that of another installation never is: names are
 * translated on the way in and out.
 */
export function ofInstallation(cluster: Cluster, manager: string): Cluster {
  if (manager === syncManager) return cluster;
  const seen = <Any extends KubeObject>(object: Any): Any => {
    const entries = entriesOf(object);
    if (!entries.some((entry) => entry.manager === manager || entry.manager === syncManager)) return object;
    const managedFields = entries.map((entry) => ({ ...entry, manager: translated(entry.manager, manager) }));
    const metadata: ObjectMeta = { ...object.metadata, managedFields };
    return { ...object, metadata };
  };
  const sent = <Options extends { readonly manager: string }>(options: Options): Options =>
    options.manager === syncManager ? { ...options, manager } : options;
  return {
    ...cluster,
    get: async (ref, signal) => {
      const found = await cluster.get(ref, signal);
      return found && seen(found);
    },
    list: async (kind, options, signal) => (await cluster.list(kind, options, signal)).map(seen),
    create: async (object, options, signal) => seen(await cluster.create(object, sent(options), signal)),
    apply: async (object, options, signal) => seen(await cluster.apply(object, sent(options), signal)),
    jsonPatch: async (ref, operations, options, signal) =>
      seen(await cluster.jsonPatch(ref, operations, sent(options), signal)),
    mergePatch: async (ref, patch, options, signal) =>
      seen(await cluster.mergePatch(ref, patch, sent(options), signal)),
    reflect: (kind, { project, ...options }, signal) =>
      cluster.reflect(kind, { ...options, project: (object) => (project ?? same)(seen(object)) }, signal),
    as: (account) => ofInstallation(cluster.as(account), manager),
  };
}

const same = (object: KubeObject): KubeObject => object;

/** As seen by the installation whose manager it is; the one in namespace `serin` is another one for all others. */
const translated = (name: string | undefined, own: string): string | undefined =>
  name === own ? syncManager : name === syncManager ? `${syncManager}@${syncManager}` : name;

/** The namespace of another installation that has applied something of an object, too; undefined: none has. As the sync sees it. */
export function otherInstallation(object: KubeObject): string | undefined {
  const other = entriesOf(object).find((entry) => isOfGit(entry) && entry.manager?.startsWith(`${syncManager}@`));
  return other?.manager?.slice(syncManager.length + 1);
}

const conflict = /conflicts? with "serin(?:@([-a-z0-9]+))?"/;

/**
 * The namespace of another installation that an apply would take fields from, as long as that one is there: where it keeps its inventory, or
 * where we may not look. Undefined: there is none.
 */
export async function rivalIn(error: AgentError, cluster: Cluster, signal: AbortSignal): Promise<string | undefined> {
  const found = conflict.exec(error.message);
  if (!found) return undefined;
  const namespace = found[1] ?? syncManager;
  try {
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: inventoryName(0) };
    if (await cluster.get(ref, signal)) return namespace;
    const kind = { apiVersion: 'v1', kind: 'ConfigMap' };
    const ofSources = await cluster.list(kind, { namespace, labelSelector: sourceInventoryLabel }, signal);
    return ofSources.length > 0 ? namespace : undefined;
  } catch (reason) {
    if (reason instanceof AgentError && reason.details['status'] === 403) return namespace;
    throw reason;
  }
}

/** Whether Git, and not the agent, has written the data of an object that looks like an inventory. */
export function isFromGit(shard: KubeObject): boolean {
  return entriesOf(shard).some(
    (entry) =>
      isOfGit(entry) &&
      (entry.manager === syncManager || entry.manager?.startsWith(`${syncManager}@`) === true) &&
      Object.hasOwn((entry as { fieldsV1?: object }).fieldsV1 ?? {}, 'f:data'),
  );
}

/**
 * Former versions wrote under `serin` everywhere. What the inventory of this installation names is given its own manager, field by field as
 * it was, before anything of it is applied or deleted. Gives how many objects had the former one.
 */
export async function renameFormer(
  refs: Iterable<ObjectRef>,
  manager: string,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<number> {
  let renamed = 0;
  for (const ref of refs) if (await renameOne(ref, manager, cluster, signal)) renamed += 1;
  return renamed;
}

/** Objects that controllers write all the time have changed since they were read now and then. */
async function renameOne(ref: ObjectRef, manager: string, cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    const live = await cluster.get(ref, signal);
    const entries = live ? entriesOf(live) : [];
    const at = entries.findIndex((entry) => isOfGit(entry) && entry.manager === syncManager);
    if (!live || at < 0 || entries.some((entry) => entry.manager === manager)) return false;
    const { resourceVersion } = live.metadata;
    const path = `/metadata/managedFields/${at}/manager`;
    const options = { manager, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    try {
      await cluster.jsonPatch(ref, [{ op: 'replace', path, value: manager }], options, signal);
      return true;
    } catch (error) {
      const isConflict = error instanceof AgentError && error.code === 'CLUSTER_CONFLICT';
      if (!isConflict || tries === renameTries) throw error;
    }
  }
}
