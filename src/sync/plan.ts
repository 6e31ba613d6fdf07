import { writtenByCanaries } from '../canary/footprint.ts';
import { sharedByCanary } from '../canary/shared-fields.ts';
import { faultOf } from '../manifest/contained.ts';
import { atOnce } from '../lib/turns.ts';
import { checkConfig } from '../manifest/checks/config.ts';
import type { Finding } from '../manifest/checks/finding.ts';
import { identityKey, identityOf, nameOf, refKeyOf } from '../manifest/identity.ts';
import { waveOf } from '../manifest/order.ts';
import {
  type KubeObject,
  type Manifest,
  type ObjectRef,
  placesOf,
  type Problem,
  refOf,
  unitOf,
} from '../manifest/types.ts';
import { hintsOf } from '../manifest/hints.ts';
import { hintProblems } from '../manifest/validate.ts';
import { isIgnored, keptReplicas, keptSize } from './annotations.ts';
import type { InventoryEntry } from './inventory.ts';
import { controllerOf } from './drift.ts';
import { planPrune, type PruneInput } from './prune-plan.ts';
import { createRender, type Render, type Shared } from './render.ts';
import { canRun } from './runs.ts';

export interface PlanInput extends PruneInput {
  /** Hash of what was last applied successfully, by identityKey. */
  readonly applied: ReadonlyMap<string, string>;
  /** The same, also of what somebody has changed since; nothing of it was applied by a former process. Absent: as `applied`. */
  readonly lastApplied?: ReadonlyMap<string, string>;
  /** Hash of what others keep changing back, by identityKey: not applied again. Absent: nothing. */
  readonly fought?: ReadonlyMap<string, string>;
  /** Hash of the Jobs and Pods that have run since the inventory was written, by identityKey. Absent: none. */
  readonly ran?: ReadonlyMap<string, string>;
  /** What is known of an object in the cluster, without a request; see projectOwned. Absent: nothing. */
  readonly live?: (ref: ObjectRef) => KubeObject | undefined;
  /** Targets of Canaries, by refKey: their replicas belong to the canary. */
  readonly canaryTargets: ReadonlySet<string>;
  /** Services that a Canary took over, by refKey: their selector and ports belong to it. */
  readonly takenOver: ReadonlySet<string>;
  /** Canaries that Git does not name and that still govern what is theirs. Absent: none. */
  readonly stayingCanaries?: readonly KubeObject[];
  /** Apply these even if nothing of them changed, by identityKey. */
  readonly drifted: ReadonlySet<string>;
  /** Why units wait, see `WaitingUnits`: what is new of them is not applied. Absent: none does. */
  readonly waiting?: ReadonlyMap<string, Problem>;
  /** Whatever its unit waits for, an object is applied. Absent: none. */
  readonly waitsForNobody?: (manifest: Manifest) => boolean;
  /** Apply everything. */
  readonly everything: boolean;
  /** Absent: nothing is remembered from one plan to the next. */
  readonly render?: Render;
}

export interface ApplyAction {
  /** As it is sent: without fields that others own. */
  readonly object: KubeObject;
  readonly manifest: Manifest;
  readonly hash: string;
  readonly shared: Shared;
  /** A Canary of the tree may own fields of it, which are not taken from it. */
  readonly isCanarys: boolean;
  /** spec.replicas for the moment of creation; undefined where Git does not say or the agent applies it itself. */
  readonly initialReplicas: number | undefined;
  /** Git asks for another number of pods than when a Canary left it more of them: that is over. */
  readonly endsKeptSize?: boolean;
}

export interface SyncPlan {
  /** One after the other; the actions of a wave may go side by side. */
  readonly waves: readonly (readonly ApplyAction[])[];
  readonly unchanged: number;
  readonly prune: readonly InventoryEntry[];
  /** Why nothing is pruned although something is gone; undefined where nothing is held back. */
  readonly held: string | undefined;
  /** See `PrunePlan`. */
  readonly guarded: string | undefined;
  readonly kept: readonly Problem[];
  /** See `PrunePlan`. */
  readonly heldAreas?: readonly string[];
  /** Objects that Git or somebody in the cluster asks to leave alone. */
  readonly ignored: readonly ObjectRef[];
  /** Objects that are not applied although nobody asked for that. */
  readonly warnings: readonly Problem[];
  /** What is wrong with objects that are not sent, by identityKey: an API server would answer with the values of a Secret. */
  readonly refused: ReadonlyMap<string, Problem>;
  /** Why units wait of which these objects are, by identityKey, where nobody knows whether they are as they were applied. */
  readonly unsure: ReadonlyMap<string, Problem>;
}

/** What is to be done to bring the cluster to `desired`. Pure: the same input gives the same plan. */
export function planSync(input: PlanInput): SyncPlan {
  return atOnce(planning(input));
}

/** As `planSync`; yields after each object, so that it can be done in turns. */
export function* planning(input: PlanInput): Generator<void, SyncPlan> {
  const { desired, applied, canaryTargets, takenOver, drifted, everything, fought, live, inventory, ran } = input;
  const render = input.render ?? createRender();
  const scaled = autoscaledTargets(desired);
  let names: ((object: KubeObject) => boolean) | undefined;
  const isCanarys = (object: KubeObject): boolean =>
    (names ??= writtenByCanaries([...desired.map((manifest) => manifest.object), ...(input.stayingCanaries ?? [])]))(
      object,
    );
  const waitOf = (manifest: Manifest): Problem | undefined => {
    if (!input.waiting?.size || input.waitsForNobody?.(manifest)) return undefined;
    return placesOf(unitOf(manifest.origin)).flatMap((unit) => input.waiting?.get(unit) ?? [])[0];
  };
  const byWave = new Map<number, ApplyAction[]>();
  const ignored: ObjectRef[] = [];
  const warnings: Problem[] = [];
  const refused = new Map<string, Problem>();
  const unsure = new Map<string, Problem>();
  const former = input.lastApplied ?? applied;
  let unchanged = 0;
  const planOne = (manifest: Manifest): void => {
    const ref = refOf(manifest.object);
    const key = identityOf(manifest.object);
    const seen = live?.(ref);
    if (isIgnored(manifest.object) || (seen && isIgnored(seen))) {
      ignored.push(ref);
      return;
    }
    const hints = hintsOf(manifest.object);
    warnings.push(...hintProblems(manifest));
    if (hints.skip !== undefined) return;
    const isTaken = takenOver.has(refKeyOf(manifest.object));
    const owner = seen && controllerOf(seen);
    if (owner?.kind === 'Canary' && !isTaken) {
      const message = `${nameOf(ref)} is made by the Canary ${owner.name}: what Git says of it is not applied`;
      warnings.push(warningAt(manifest, message, 'remove it from Git'));
      return;
    }
    if (manifest.locked) {
      refused.set(key, manifest.locked);
      return;
    }
    const [wrong] = manifest.object.kind === 'Secret' ? checkConfig(manifest.object) : [];
    if (wrong) {
      refused.set(key, refusal(manifest, wrong));
      return;
    }
    const isScaled = scaled.has(key);
    const ofCanary = canaryTargets.has(refKeyOf(manifest.object)) ? sharedByCanary(manifest.object) : 'nothing';
    const size = keptSize(manifest.object, seen);
    const isSized = isScaled || (size === 'kept' && ofCanary === 'nothing');
    if (isSized && !isScaled) warnings.push(sizeKept(manifest));
    const shared: Shared = isSized ? 'replicas' : isTaken ? 'service' : ofCanary;
    const { object, hash } = render(manifest.object, shared);
    if (fought?.get(key) === hash) {
      const message = `${nameOf(ref)}: somebody else keeps changing what Git says; it is left alone for a while`;
      warnings.push(
        warningAt(
          manifest,
          message,
          'find out who writes it (kubectl get --show-managed-fields), and let one of the two go',
        ),
      );
      return;
    }
    const isUntouched = !everything && applied.get(key) === hash && !drifted.has(key);
    const wait = waitOf(manifest);
    if (wait && (former.has(key) ? former.get(key) !== hash : !inventory.entries.has(key))) {
      refused.set(key, wait);
      return;
    }
    const hasRun = !seen && canRun(object) && [ran?.get(key), inventory.entries.get(key)?.ran].includes(hash);
    if (isUntouched || hasRun || (seen && hints.onlyIfAbsent)) {
      unchanged += 1;
      return;
    }
    const replicas = (manifest.object['spec'] as { replicas?: unknown } | undefined)?.replicas;
    const initialReplicas = shared === 'replicas' && typeof replicas === 'number' ? replicas : undefined;
    const wave = byWave.get(waveOf(object)) ?? [];
    // It was applied before a restart.
    if (wait && !former.has(key)) unsure.set(key, wait);
    const endsKeptSize = size === 'over' && shared === 'nothing';
    wave.push({ object, manifest, hash, shared, isCanarys: isCanarys(object), initialReplicas, endsKeptSize });
    byWave.set(waveOf(object), wave);
  };
  for (const manifest of desired) {
    const fault = faultOf(manifest, () => planOne(manifest));
    if (fault) refused.set(identityOf(manifest.object), fault);
    yield;
  }
  const waves = [...byWave].sort(([a], [b]) => a - b).map(([, actions]) => actions);
  return { waves, unchanged, ignored, warnings, refused, unsure, ...planPrune(input) };
}

function refusal({ object, origin }: Manifest, { field, message, hint }: Finding): Problem {
  const { path, line } = origin;
  const text = `${nameOf(refOf(object))} ${field}: ${message}`;
  return { severity: 'error', path, line, message: text, ...(hint === undefined ? {} : { hint }) };
}

function sizeKept(manifest: Manifest): Problem {
  const { kind, metadata } = manifest.object;
  const place = `-n ${metadata.namespace ?? 'default'} annotate ${kind.toLowerCase()} ${metadata.name}`;
  const message = `${nameOf(refOf(manifest.object))} keeps the pods that its primary had when its Canary left: Git asks for fewer`;
  return warningAt(
    manifest,
    message,
    `write the number that you want to Git, or take Git's: kubectl ${place} ${keptReplicas}-`,
  );
}

function warningAt({ origin }: Manifest, message: string, hint: string): Problem {
  return { severity: 'warning', path: origin.path, line: origin.line, message, hint };
}

interface ScaleTargetRef {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
}

/** Workloads whose replicas an autoscaler in the same tree sets, by identityKey. */
function autoscaledTargets(desired: readonly Manifest[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { object } of desired) {
    if (object.kind !== 'HorizontalPodAutoscaler' && object.kind !== 'ScaledObject') continue;
    const ref = (object['spec'] as { scaleTargetRef?: ScaleTargetRef } | undefined)?.scaleTargetRef;
    const { namespace } = object.metadata;
    if (!ref?.name) continue;
    const target = { apiVersion: ref.apiVersion ?? 'apps/v1', kind: ref.kind ?? 'Deployment', name: ref.name };
    found.add(identityKey(namespace === undefined ? target : { ...target, namespace }));
  }
  return found;
}
