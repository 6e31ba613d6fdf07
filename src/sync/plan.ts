import { canonicalJson, shortHash } from '../lib/hash.ts';
import { waveOf } from '../manifest/order.ts';
import { type KubeObject, type Manifest, type ObjectRef, refKey, refOf } from '../manifest/types.ts';
import type { Inventory, InventoryEntry } from './inventory.ts';

export interface PlanInput {
  readonly desired: readonly Manifest[];
  /** Hash of what was last applied successfully, by refKey. */
  readonly applied: ReadonlyMap<string, string>;
  readonly inventory: Inventory;
  /** Files that cannot be read at the moment. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** Targets of Canaries, by refKey: their replicas belong to the canary. */
  readonly canaryTargets: ReadonlySet<string>;
  /** Services that a Canary took over, by refKey: their selector and ports belong to it. */
  readonly takenOver: ReadonlySet<string>;
  /** Apply these even if nothing of them changed. */
  readonly drifted: ReadonlySet<string>;
  /** Apply everything. */
  readonly everything: boolean;
  readonly prune: boolean;
  /** Switches the guard off. */
  readonly pruneAnything: boolean;
}

export interface ApplyAction {
  /** As it is sent: without fields that others own. */
  readonly object: KubeObject;
  readonly manifest: Manifest;
  readonly hash: string;
  /** spec.replicas for the moment of creation; undefined where Git does not say or the agent applies it itself. */
  readonly initialReplicas: number | undefined;
}

export interface SyncPlan {
  /** One after the other; the actions of a wave may go side by side. */
  readonly waves: readonly (readonly ApplyAction[])[];
  readonly prune: readonly InventoryEntry[];
  /** Why nothing is pruned although something is gone; undefined where nothing is held back. */
  readonly held: string | undefined;
  /** Objects that Git asks to leave alone. */
  readonly ignored: readonly ObjectRef[];
}

const guardMinimum = 5;

/** What is to be done to bring the cluster to `desired`. Pure: the same input gives the same plan. */
export function planSync(input: PlanInput): SyncPlan {
  const { desired, applied, canaryTargets, takenOver, drifted, everything } = input;
  const scaled = autoscaledTargets(desired);
  const byWave = new Map<number, ApplyAction[]>();
  const ignored: ObjectRef[] = [];
  for (const manifest of desired) {
    const ref = refOf(manifest.object);
    const key = refKey(ref);
    if (isIgnored(manifest.object)) {
      ignored.push(ref);
      continue;
    }
    const others = canaryTargets.has(key) || scaled.has(key);
    const { object, hash } = rendered(
      manifest.object,
      others ? 'replicas' : takenOver.has(key) ? 'service' : 'nothing',
    );
    if (!everything && applied.get(key) === hash && !drifted.has(key)) continue;
    const replicas = (manifest.object['spec'] as { replicas?: unknown } | undefined)?.replicas;
    const wave = waveOf(object);
    const list = byWave.get(wave) ?? [];
    list.push({
      object,
      manifest,
      hash,
      initialReplicas: others && typeof replicas === 'number' ? replicas : undefined,
    });
    byWave.set(wave, list);
  }
  const waves = [...byWave].sort(([a], [b]) => a - b).map(([, actions]) => actions);
  return { waves, ignored, ...planPrune(input) };
}

function planPrune({
  desired,
  inventory,
  unreadablePaths,
  prune,
  pruneAnything,
}: PlanInput): Pick<SyncPlan, 'prune' | 'held'> {
  const wanted = new Set(desired.map(({ object }) => refKey(refOf(object))));
  const gone = [...inventory.entries]
    .filter(([key, { path }]) => !wanted.has(key) && !unreadablePaths.has(path))
    .map(([, entry]) => entry);
  if (gone.length === 0) return { prune: [], held: undefined };
  if (!prune)
    return { prune: [], held: `${gone.length} objects are gone from Git and stay in the cluster: pruning is off` };
  if (!pruneAnything) {
    if (desired.length === 0)
      return {
        prune: [],
        held: `the tree holds no objects at all: nothing is deleted; set --prune-anything to delete ${gone.length} objects`,
      };
    if (gone.length > guardMinimum && gone.length * 2 > inventory.entries.size) {
      return {
        prune: [],
        held: `${gone.length} of ${inventory.entries.size} objects are gone from Git at once: nothing is deleted; set --prune-anything if that is meant`,
      };
    }
  }
  const backwards = [...gone].sort(
    (a, b) => waveOf(b.ref) - waveOf(a.ref) || refKey(a.ref).localeCompare(refKey(b.ref)),
  );
  return { prune: backwards, held: undefined };
}

/** Which part of an object belongs to others and is not sent. */
type Shared = 'nothing' | 'replicas' | 'service';
const sharedFields: Readonly<Record<Shared, readonly string[]>> = {
  nothing: [],
  replicas: ['replicas'],
  service: ['selector', 'ports'],
};

interface Rendered {
  readonly object: KubeObject;
  readonly hash: string;
}

/** The same manifest is rendered and hashed once, however often it is planned. */
const renderedOnce = new WeakMap<KubeObject, Partial<Record<Shared, Rendered>>>();

function rendered(object: KubeObject, shared: Shared): Rendered {
  const known = renderedOnce.get(object) ?? {};
  const cached = known[shared];
  if (cached) return cached;
  const { status: _status, ...sent } = object;
  const {
    creationTimestamp: _created,
    resourceVersion: _version,
    uid: _uid,
    managedFields: _managed,
    generation: _generation,
    ...metadata
  } = object.metadata;
  const result: KubeObject = { ...sent, metadata };
  const spec = sent['spec'];
  if (shared !== 'nothing' && typeof spec === 'object' && spec !== null) {
    result['spec'] = Object.fromEntries(
      Object.entries(spec).filter(([field]) => !sharedFields[shared].includes(field)),
    );
  }
  const made = { object: result, hash: shortHash(canonicalJson(result)) };
  renderedOnce.set(object, { ...known, [shared]: made });
  return made;
}

/** Workloads whose replicas an autoscaler in the same tree sets. */
function autoscaledTargets(desired: readonly Manifest[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { object } of desired) {
    if (object.kind !== 'HorizontalPodAutoscaler' && object.kind !== 'ScaledObject') continue;
    const ref = (
      object['spec'] as { scaleTargetRef?: { apiVersion?: string; kind?: string; name?: string } } | undefined
    )?.scaleTargetRef;
    const { namespace } = object.metadata;
    if (!ref?.name) continue;
    const target = { apiVersion: ref.apiVersion ?? 'apps/v1', kind: ref.kind ?? 'Deployment', name: ref.name };
    found.add(refKey(namespace === undefined ? target : { ...target, namespace }));
  }
  return found;
}

/** Annotations with which people keep an agent away from an object: our own, Flux v1's and Flux v2's. */
export function isIgnored({ metadata }: KubeObject): boolean {
  const annotations = metadata.annotations ?? {};
  return (
    annotations['serin.dev/ignore'] === 'true' ||
    ['true', 'sync_only'].includes(annotations['fluxcd.io/ignore'] ?? '') ||
    ['true', 'sync_only'].includes(annotations['flux.weave.works/ignore'] ?? '') ||
    annotations['kustomize.toolkit.fluxcd.io/reconcile'] === 'disabled'
  );
}

/** Whether an object stays when it is gone from Git. */
export function isKept(live: KubeObject): boolean {
  const annotations = live.metadata.annotations ?? {};
  return (
    annotations['serin.dev/prune'] === 'disabled' ||
    annotations['kustomize.toolkit.fluxcd.io/prune'] === 'disabled' ||
    isIgnored(live)
  );
}
