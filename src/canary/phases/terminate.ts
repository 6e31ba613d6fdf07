import { finalizer } from '../footprint.ts';
import { want } from '../intents.ts';
import { jsonOf } from '../../lib/json.ts';
import { canaryReadiness, primaryServes } from './health.ts';
import { growToPrimary, holdScaler, scalerSettleMs } from './scaling.ts';
import { selectorBefore } from '../services.ts';
import { log, normal, type Stage, type Tick, update, warn } from './tick.ts';
import { ledBy } from './primary-write.ts';
import { isPlain, leaveDeadCanary, movesIfRouted } from './traffic.ts';

const retryMs = 3_000;

export function isDeleted({ seen }: Tick): boolean {
  return seen.canary.metadata.deletionTimestamp !== undefined;
}

export function hasFinalizer({ seen }: Tick): boolean {
  return seen.canary.metadata.finalizers?.includes(finalizer) ?? false;
}

/** Adds or removes the finalizer as spec.revertOnDeletion says. True: that is all this tick does. */
export function settleFinalizer(tick: Tick): boolean {
  const { spec, names } = tick;
  if (spec.revertOnDeletion === hasFinalizer(tick)) return false;
  if (!spec.revertOnDeletion) log(tick, `${names.canary} opting out, deleting finalizers`);
  writeFinalizer(tick, spec.revertOnDeletion);
  tick.draft.nextTickMs = Math.min(retryMs, spec.analysis.intervalMs);
  return true;
}

/** A deleted Canary without a target has nothing to hand back. */
export function release(tick: Tick): void {
  writeFinalizer(tick, false);
  normal(tick, `Terminated canary ${tick.names.canary}`);
  log(tick, `Canary ${tick.names.canary} has been successfully processed and marked for deletion`);
}

/**
 * Hands replicas and users back to the target before the primary goes with the Canary: the target first runs as many pods as the primary,
 * and they answer; then the apex Service turns to it and is given away, because it would be deleted with its owner.
 */
export function terminate(stage: Stage): void {
  const { seen, spec, kind, names, draft, target, selector, status } = stage;
  draft.nextTickMs = Math.min(retryMs, spec.analysis.intervalMs);
  if (status.phase === 'Terminated') return settleScaler(stage);
  if (status.phase !== 'Terminating') {
    normal(stage, `Terminating canary ${names.canary}`);
    update(stage, { phase: 'Terminating' });
  }
  // Those who are on it already do not wait for it.
  const isLeft = leaveDeadCanary(stage);
  const isAsleep = kind.scaling?.replicasOf(target) === 0;
  const isSmall = growToPrimary(stage);
  if (isAsleep) {
    log(stage, `${names.canary} kind ${spec.target.kind} reverted`);
    log(stage, `Checking if canary is ready ${names.canary}`);
  }
  // An autoscaler has to know first that it is held.
  if (isSmall || (status.phase !== 'Terminating' && scalerSettleMs(stage) > 0)) return;
  const trouble = troubleOf(stage);
  if (trouble !== undefined) return warn(stage, `canary not ready during finalizing: ${trouble}`);
  if (isLeft) return;
  const live = seen.apexService;
  const { canary } = seen;
  const object =
    live && kind.renderService({ spec, canary, target, selector, role: 'apex', leadsTo: 'canary', apex: live, live });
  if (object) {
    const before = selectorBefore(object, target);
    const { ownerReferences = [], ...metadata } = object.metadata;
    const others = ownerReferences.filter(({ uid }) => uid !== seen.canary.metadata.uid);
    const kept = others.length === 0 ? metadata : { ...metadata, ownerReferences: others };
    const given = {
      ...object,
      metadata: kept,
      spec: { ...jsonOf(object['spec']), ...(before ? { selector: before } : {}) },
    };
    want(draft.intents, 'apex-service', { kind: 'write', object: given, over: live }, { moves: 'users' });
    log(stage, `${names.canary} router reverted`);
  }
  if (kind.released) {
    const released = kind.released(target, seen.primary);
    want(draft.intents, 'target', { kind: 'write', object: released, over: target }, ledBy(kind));
  }
  if (!isPlain(spec)) {
    want(draft.intents, 'route', { kind: 'restore-route' }, movesIfRouted(stage));
    log(stage, `${names.canary} mesh provider ${spec.provider} reverted`);
  }
  log(stage, `Finalization complete for ${names.canary}`);
  if (scalerSettleMs(stage) > 0) return update(stage, { phase: 'Terminated' });
  holdScaler(stage, undefined);
  release(stage);
}

/** Why the target cannot have the users of a primary that answers; undefined: it can. */
function troubleOf(stage: Stage): string | undefined {
  const { kind, seen, target, names } = stage;
  if (!primaryServes(stage)) return undefined;
  const ready = canaryReadiness(stage);
  if (ready.kind !== 'ready') return ready.reason;
  const [own, other] = [kind.pods?.(target), seen.primary && kind.pods?.(seen.primary)];
  if (!own || !other || own.answering >= Math.min(other.answering, own.wanted)) return undefined;
  return `${own.answering} pods of ${names.target} answer, and ${other.answering} of ${names.primary}`;
}

/** All users are on the target, and what its autoscaler knows is of before they came. */
function settleScaler(stage: Stage): void {
  const { status, seen, draft } = stage;
  const sinceMs = seen.nowMs - Date.parse(status.lastTransitionTime ?? '');
  const leftMs = scalerSettleMs(stage) - sinceMs;
  // Of a clock that goes differently nothing follows.
  if (sinceMs >= 0 && leftMs > 0) {
    draft.nextTickMs = Math.min(draft.nextTickMs, leftMs);
    return;
  }
  holdScaler(stage, undefined);
  release(stage);
}

function writeFinalizer(tick: Tick, isWanted: boolean): void {
  const { seen, draft } = tick;
  const { canary } = seen;
  const others = (canary.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  const finalizers = isWanted ? [...others, finalizer] : others;
  const object = { ...canary, metadata: { ...canary.metadata, finalizers } };
  // With a Canary that is let go its primary goes.
  want(draft.intents, 'canary', { kind: 'write', object, over: canary }, isDeleted(tick) ? { moves: 'pods' } : {});
}
