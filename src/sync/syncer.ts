import type { Cluster, Reflection } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import {
  groupOf,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type Problem,
  refKey,
  refOf,
} from '../manifest/types.ts';
import { corrections, fightLimit, ownedFields, projectOwned, syncManager } from './drift.ts';
import {
  emptyInventory,
  type Inventory,
  type InventoryEntry,
  inventoryLabel,
  parseInventory,
  renderInventory,
} from './inventory.ts';
import { type ApplyAction, isKept, planSync, type SyncPlan } from './plan.ts';

export interface SyncSettings {
  /** Namespace of the inventory. */
  readonly namespace: string;
  readonly prune: boolean;
  readonly pruneAnything: boolean;
}

/** What Git says, ready to be applied. */
export interface Desired {
  readonly revision: string;
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly unreadablePaths: ReadonlySet<string>;
  readonly canaryTargets: ReadonlySet<string>;
  readonly takenOver: ReadonlySet<string>;
  readonly drifted: readonly ObjectRef[];
  readonly everything: boolean;
}

export interface SyncResult {
  readonly applied: readonly ObjectRef[];
  readonly pruned: readonly ObjectRef[];
  /** With file and line, and what the API server said. */
  readonly failed: readonly Problem[];
  readonly held: string | undefined;
}

export interface Syncer {
  sync(desired: Desired, signal: AbortSignal): Promise<SyncResult>;
  /** Called when somebody changed or removed what we apply. */
  onDrift(listener: (refs: readonly ObjectRef[]) => void): void;
  stop(): void;
}

/** Field manager of the one write of replicas when a canary's target is created. */
const scaleManager = 'serin-scale';
const concurrency = 8;
const establishedWaitMs = 15_000;

/** Applies plans by server-side apply, remembers what was applied, prunes with care and notices drift. */
export function createSyncer({
  cluster,
  clock,
  log,
  settings,
}: {
  cluster: Cluster;
  clock: Clock;
  log: Logger;
  settings: SyncSettings;
}): Syncer {
  const stopping = new AbortController();
  const applied = new Map<string, string>();
  const owned = new Map<string, { readonly uid: string; readonly fields: string | undefined }>();
  const writing = new Set<string>();
  const fights = new Map<string, readonly number[]>();
  const views = new Map<string, Reflection>();
  const listeners = new Set<(refs: readonly ObjectRef[]) => void>();
  let inventory: Inventory | undefined;
  let shardCount = 0;

  const readInventory = async (signal: AbortSignal): Promise<Inventory> => {
    const shards = await cluster.list(
      { apiVersion: 'v1', kind: 'ConfigMap' },
      { namespace: settings.namespace, labelSelector: `${inventoryLabel}=true` },
      signal,
    );
    shardCount = shards.length;
    return shards.length === 0 ? emptyInventory : parseInventory(shards);
  };

  const saveShard = async (shard: KubeObject, signal: AbortSignal): Promise<void> => {
    const options = { manager: 'serin-inventory', force: true };
    try {
      await cluster.apply(shard, options, signal);
    } catch (error) {
      if (!(error instanceof AgentError) || error.details['status'] !== 404) throw error;
      // Started outside of an installation: the agent's own namespace is not there yet.
      await cluster.apply(
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: settings.namespace } },
        options,
        signal,
      );
      await cluster.apply(shard, options, signal);
    }
  };

  const saveInventory = async (next: Inventory, signal: AbortSignal): Promise<void> => {
    const shards = renderInventory(next, settings.namespace);
    for (const shard of shards) await saveShard(shard, signal);
    for (let index = shards.length; index < shardCount; index += 1) {
      await cluster.remove(
        { apiVersion: 'v1', kind: 'ConfigMap', namespace: settings.namespace, name: `serin-inventory-${index}` },
        {},
        signal,
      );
    }
    shardCount = shards.length;
    inventory = next;
  };

  const drifted = (ref: ObjectRef, why: string): void => {
    const key = refKey(ref);
    if (writing.has(key) || !owned.has(key)) return;
    const times = corrections(fights.get(key) ?? [], clock.now());
    fights.set(key, times);
    if (times.length > fightLimit) {
      if (times.length === fightLimit + 1) {
        log.error(
          { kind: ref.kind, name: ref.name, namespace: ref.namespace },
          'somebody else keeps changing what Git says; it is left alone until Git changes or the next full comparison',
        );
      }
      return;
    }
    log.info({ kind: ref.kind, name: ref.name, namespace: ref.namespace, why }, 'drift is corrected');
    applied.delete(key);
    for (const listener of listeners) listener([ref]);
  };

  const watchKind = (object: KubeObject): void => {
    const key = `${object.apiVersion}/${object.kind}`;
    if (views.has(key)) return;
    const view = cluster.reflect(
      { apiVersion: object.apiVersion, kind: object.kind },
      { project: projectOwned, keepManagedFields: true },
      stopping.signal,
    );
    views.set(key, view);
    view.onChange((change) => {
      const ref = refOf(change.object);
      const known = owned.get(refKey(ref));
      if (!known) return;
      if (change.kind === 'deleted') return drifted(ref, 'deleted');
      if (change.object.metadata.uid !== known.uid) return drifted(ref, 'created again');
      if ((change.object['owned'] as string | undefined) !== known.fields) drifted(ref, 'changed');
    });
  };

  const applyOne = async ({ object, hash, initialReplicas }: ApplyAction, signal: AbortSignal): Promise<void> => {
    const ref = refOf(object);
    const key = refKey(ref);
    writing.add(key);
    try {
      const existed = initialReplicas === undefined || (await cluster.get(ref, signal)) !== undefined;
      const live = await cluster.apply(object, { manager: syncManager, force: true }, signal);
      if (!existed && (live['spec'] as { replicas?: number } | undefined)?.replicas !== initialReplicas) {
        await cluster.mergePatch(ref, { spec: { replicas: initialReplicas } }, { manager: scaleManager }, signal);
      }
      applied.set(key, hash);
      owned.set(key, { uid: live.metadata.uid ?? '', fields: ownedFields(live) });
    } finally {
      writing.delete(key);
    }
  };

  const failure = ({ object, source }: Manifest, error: unknown): Problem => {
    const message = error instanceof AgentError ? error.message : messageOf(error);
    const refused = error instanceof AgentError && error.details['status'] === 403;
    return {
      severity: 'error',
      path: source.path,
      line: source.line,
      message,
      ...(refused
        ? {
            hint: `grant the agent's service account the right to patch ${object.kind} (${groupOf(object.apiVersion) || 'core'})`,
          }
        : {}),
    };
  };

  const runPlan = async (plan: SyncPlan, signal: AbortSignal): Promise<{ done: ApplyAction[]; failed: Problem[] }> => {
    const done: ApplyAction[] = [];
    const failed: Problem[] = [];
    for (const wave of plan.waves) {
      await inParallel(wave, concurrency, async (action) => {
        try {
          await applyOne(action, signal);
          done.push(action);
        } catch (error) {
          if (signal.aborted) throw error;
          failed.push(failure(action.manifest, error));
        }
      });
      await established(wave, signal);
    }
    return { done, failed };
  };

  /** New kinds are not served at once: their objects come in later waves and would be refused. */
  const established = async (wave: readonly ApplyAction[], signal: AbortSignal): Promise<void> => {
    const definitions = wave.filter(({ object }) => object.kind === 'CustomResourceDefinition');
    const deadlineMs = clock.now() + establishedWaitMs;
    for (const { object } of definitions) {
      while (clock.now() < deadlineMs) {
        const live = await cluster.get(refOf(object), signal);
        const conditions =
          (live?.['status'] as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [];
        if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) break;
        await clock.sleep(100, signal);
      }
    }
  };

  const prune = async (
    entries: readonly InventoryEntry[],
    signal: AbortSignal,
  ): Promise<{ pruned: ObjectRef[]; kept: InventoryEntry[]; failed: Problem[] }> => {
    const pruned: ObjectRef[] = [];
    const kept: InventoryEntry[] = [];
    const failed: Problem[] = [];
    for (const entry of entries) {
      const { ref, path } = entry;
      const key = refKey(ref);
      try {
        const live = await cluster.get(ref, signal);
        // A keeper's mark on the object, or an owner: then it is not ours to delete.
        if (live && !isKept(live) && (live.metadata.ownerReferences ?? []).length === 0) {
          owned.delete(key);
          await cluster.remove(ref, live.metadata.uid === undefined ? {} : { uid: live.metadata.uid }, signal);
          pruned.push(ref);
        }
        applied.delete(key);
        owned.delete(key);
      } catch (error) {
        if (signal.aborted) throw error;
        kept.push(entry);
        failed.push({
          severity: 'error',
          path,
          line: 1,
          message: error instanceof AgentError ? error.message : messageOf(error),
        });
      }
    }
    return { pruned, kept, failed };
  };

  return {
    async sync(desired, signal) {
      const before = inventory ?? (inventory = await readInventory(signal));
      if (desired.everything) fights.clear();
      const plan = planSync({
        desired: desired.manifests,
        applied,
        inventory: before,
        unreadablePaths: desired.unreadablePaths,
        canaryTargets: desired.canaryTargets,
        takenOver: desired.takenOver,
        drifted: new Set(desired.drifted.map(refKey)),
        everything: desired.everything,
        prune: settings.prune,
        pruneAnything: settings.pruneAnything,
      });
      // What is about to be applied is noted first: after a crash in between it can still be pruned one day.
      const entries = new Map(before.entries);
      let grown = false;
      for (const { manifest } of plan.waves.flat()) {
        const ref = refOf(manifest.object);
        const known = entries.get(refKey(ref));
        if (known?.path === manifest.source.path) continue;
        entries.set(refKey(ref), { ref, path: manifest.source.path });
        grown = true;
      }
      if (grown) await saveInventory({ revision: before.revision, entries }, signal);
      const { done, failed } = await runPlan(plan, signal);
      for (const { object } of done) watchKind(object);
      const removal = await prune(plan.prune, signal);
      for (const { ref } of plan.prune) entries.delete(refKey(ref));
      for (const entry of removal.kept) entries.set(refKey(entry.ref), entry);
      const complete = failed.length === 0 && removal.failed.length === 0;
      const revision = complete ? desired.revision : before.revision;
      if (plan.prune.length > 0 || revision !== before.revision) await saveInventory({ revision, entries }, signal);
      return {
        applied: done.map(({ object }) => refOf(object)),
        pruned: removal.pruned,
        failed: [...failed, ...removal.failed],
        held: plan.held,
      };
    },
    onDrift: (listener) => void listeners.add(listener),
    stop: () => stopping.abort(new Error('the syncer stops')),
  };
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
