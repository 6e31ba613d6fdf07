import type { Cluster, KindRef } from '../cluster/cluster.ts';
import { messageOf } from '../lib/errors.ts';
import { isLeaseLost } from '../lib/fence.ts';
import type { Logger } from '../lib/log.ts';
import { nameOf } from '../manifest/identity.ts';
import { type OwnObjects, ownRefusal } from '../manifest/own-objects.ts';
import type { KubeObject, ObjectRef, Problem } from '../manifest/types.ts';
import { isKept, isTakenOver, withoutHandsOff } from './annotations.ts';
import type { DriftWatch } from './drift-watch.ts';
import type { InventoryEntry } from './inventory.ts';
import { canaryManager, ownedFields } from './drift.ts';
import { otherInstallation } from './installation.ts';
import type { Writers } from './writers.ts';

export interface PruneDeps {
  readonly cluster: Cluster;
  /** In whose name what came from a file is deleted. */
  readonly writers: Writers;
  readonly log: Logger;
  readonly drift: DriftWatch;
  /** Whether a Canary that stays writes under this name. */
  readonly isGoverned: (ref: ObjectRef) => boolean;
  /** What is the agent itself, and stays. Absent: nothing is. */
  readonly own?: OwnObjects;
}

export interface Pruned {
  readonly pruned: readonly ObjectRef[];
  /** Entries that stay in the inventory, because they could not be deleted now. */
  readonly kept: readonly InventoryEntry[];
  readonly failed: readonly Problem[];
  /** Why others of `kept` stay, for which nothing needs to be tried again. */
  readonly staying: readonly Problem[];
}

/** Deletes what is gone from Git, one after the other; what turns out to be somebody else's is only forgotten. */
export async function pruneEntries(
  entries: readonly InventoryEntry[],
  desiredKeys: ReadonlySet<string>,
  { cluster, writers, log, drift, isGoverned, own }: PruneDeps,
  signal: AbortSignal,
): Promise<Pruned> {
  const pruned: ObjectRef[] = [];
  const kept: InventoryEntry[] = [];
  const failed: Problem[] = [];
  const staying: Problem[] = [];
  /** Namespaces in which something stays that is not ours to delete: with them it would go. They come after all that is in them. */
  const inhabited = new Set<string>();
  const warn = ({ ref, path }: InventoryEntry, why: string): Problem => {
    const message = `${nameOf(ref)} is gone from Git and stays: ${why}`;
    return { severity: 'warning', path, line: 1, message };
  };
  // The same object under another group (Ingress once was in `extensions`) is not gone from Git.
  const uids = entries.length === 0 ? new Set() : new Set([...desiredKeys].map((key) => drift.uidOf(key)));
  for (const entry of entries) {
    const { ref, path } = entry;
    try {
      const found = await cluster.get(ref, signal);
      const isTaken = found !== undefined && isTakenOver(found, isCanaryManager);
      const live = isTaken ? withoutHandsOff(found) : found;
      if (live && own && ownRefusal(live, own)) {
        drift.forget(ref);
        // Not told again: Git says no more of it, and nobody else may take it away.
        log.warn({ kind: ref.kind, namespace: ref.namespace, name: ref.name }, toldOwn(ref));
        if (ref.namespace !== undefined) inhabited.add(ref.namespace);
        continue;
      }
      const reason =
        live && (uids.has(live.metadata.uid) ? { text: 'Git has it in another version' } : reasonToKeep(live, entry));
      if (isTaken && reason === undefined && isGoverned(ref)) {
        kept.push(entry);
        staying.push(warn(entry, 'a Canary leads its users through it'));
        continue;
      }
      const waits = live && reason === undefined ? await reasonToWait(live, cluster, signal) : undefined;
      if (waits !== undefined) {
        kept.push(entry);
        failed.push(warn(entry, waits));
        continue;
      }
      // It still leads its users, and hands back what is theirs.
      if (live?.kind === 'Canary' && live.metadata.deletionTimestamp !== undefined) {
        kept.push(entry);
        continue;
      }
      if (isNamespace(ref) && (inhabited.has(ref.name) || kept.some((other) => other.ref.namespace === ref.name))) {
        kept.push(entry);
        staying.push(warn(entry, 'something in it stays'));
        continue;
      }
      drift.forget(ref);
      if (!live) continue;
      const fields = { kind: ref.kind, namespace: ref.namespace, name: ref.name };
      if (reason !== undefined) {
        if (ref.namespace !== undefined && !reason.isOwned) inhabited.add(ref.namespace);
        log.info({ ...fields, reason: reason.text }, `${nameOf(ref)} is gone from Git and not deleted: ${reason.text}`);
        continue;
      }
      await writers.of(path).remove(ref, live.metadata.uid === undefined ? {} : { uid: live.metadata.uid }, signal);
      log.info(fields, `${nameOf(ref)} is gone from Git and was deleted`);
      pruned.push(ref);
      if (live.kind === 'Canary' && (live.metadata.finalizers ?? []).length > 0) kept.push(entry);
    } catch (error) {
      if (signal.aborted || isLeaseLost(error)) throw error;
      kept.push(entry);
      failed.push({
        severity: 'error',
        path,
        line: 1,
        message: `${nameOf(ref)} is gone from Git and cannot be deleted: ${messageOf(error)}`,
      });
    }
  }
  return { pruned, kept, failed, staying };
}

const toldOwn = (ref: ObjectRef): string =>
  `${nameOf(ref)} is gone from Git and not deleted: it is the agent's own, or says what the agent may do; delete it yourself where it is to go`;

const isNamespace = ({ apiVersion, kind }: ObjectRef): boolean => apiVersion === 'v1' && kind === 'Namespace';

const isCanaryManager = (manager: string): boolean => manager.startsWith(canaryManager) || manager === 'flagger';

interface Reason {
  readonly text: string;
  /** It goes with its owner. Absent: it stays. */
  readonly isOwned?: true;
}

/** Why an object is not ours to delete; undefined where it is. */
function reasonToKeep(live: KubeObject, { bareUid }: InventoryEntry): Reason | undefined {
  if (isKept(live)) return { text: 'an annotation keeps it' };
  const [owner] = live.metadata.ownerReferences ?? [];
  if (owner) return { text: `it belongs to ${owner.kind} ${owner.name}`, isOwned: true };
  const other = otherInstallation(live);
  if (other !== undefined) return { text: `the Serin of namespace ${other} has it, too` };
  if (ownedFields(live) !== undefined) return undefined;
  const { uid, managedFields } = live.metadata;
  if (bareUid !== undefined) return bareUid === uid ? undefined : { text: 'somebody else has made it anew' };
  // Noted before uids were: nobody has ever written a field of it, as we have not.
  if (!Array.isArray(managedFields) || managedFields.length === 0) return undefined;
  return { text: 'somebody else has made it anew, or taken over all that Git said of it' };
}

/** With a definition all objects of its kind would go, also those that never were in Git. */
async function reasonToWait(live: KubeObject, cluster: Cluster, signal: AbortSignal): Promise<string | undefined> {
  if (live.kind !== 'CustomResourceDefinition') return undefined;
  const spec = live['spec'] as {
    group?: string;
    names?: { kind?: string };
    versions?: { name: string; served?: boolean }[];
  };
  const version = spec.versions?.find(({ served }) => served !== false)?.name ?? '';
  const kind: KindRef = { apiVersion: `${spec.group ?? ''}/${version}`, kind: spec.names?.kind ?? '' };
  const left = await cluster.list(kind, {}, signal);
  return left.length === 0 ? undefined : `${left.length} objects of its kind are still there`;
}
