import type { KubeObject } from '../../manifest/types.ts';
import { isWanted, leave, type Slot, want } from '../intents.ts';
import { at } from '../../lib/json.ts';
import { formatGoDuration } from '../../lib/duration.ts';
import { isControlledBy } from '../owner.ts';
import { scalers } from '../scalers/registry.ts';
import { isScalerBehind, renderPrimaryScaler, type Scaler, type ScalerInput } from '../scalers/scaler.ts';
import { log, type Stage, warn } from './tick.ts';

interface Scaled {
  readonly scaler: Scaler;
  readonly input: ScalerInput;
}

/** Undefined: no autoscaler is asked for, or the target's is not there. */
function scaledBy({ spec, seen }: Stage): Scaled | undefined {
  const { autoscaler } = spec;
  if (!autoscaler || !seen.scaler) return undefined;
  const input = { spec: autoscaler, canary: seen.canary, target: spec.target.name, source: seen.scaler };
  return { scaler: scalers[autoscaler.kind], input };
}

/** Without the autoscaler that the Canary names nothing may go forward; a way back is never barred by it. */
export function lacksScaler({ spec, seen }: Pick<Stage, 'spec' | 'seen'>): boolean {
  return spec.autoscaler !== undefined && seen.scaler === undefined;
}

export function tellLackOfScaler(stage: Stage): void {
  const { autoscaler } = stage.spec;
  if (!autoscaler || !lacksScaler(stage)) return;
  const { name, namespace = '' } = autoscaler.ref;
  warn(stage, scalers[autoscaler.kind].missing({ name, namespace }));
}

/** `missing`: made where there is none. Of one that is there: `behind` where the target's has changed since, `always` whatever differs. */
export function writePrimaryScaler(stage: Stage, when: 'missing' | 'behind' | 'always'): void {
  const scaled = scaledBy(stage);
  if (!scaled) return;
  const { scaler, input } = scaled;
  const live = stage.seen.primaryScaler;
  // It is being written already: the next tick brings the rest.
  if (isPrimaryAtZero(stage)) return;
  if ((when === 'missing') !== (live === undefined)) return;
  if (live && !mayWrite(live, input)) {
    const { kind, metadata } = live;
    return warn(
      stage,
      `${kind} ${metadata.name} scales something else, so ${stage.names.primary} gets none: rename it`,
    );
  }
  if (live && when === 'behind' && !isScalerBehind(scaler, input, live)) return;
  const object = renderPrimaryScaler(scaler, input, live);
  if (object !== live) write(stage, 'primary-scaler', object, live, scaler);
}

/**
 * What was made of an autoscaler that the Canary does not refer to any more: two that scale one primary get in each other's way. It stays
 * while the one that takes its place is missing. The target's, which was asleep for this Canary, is left to itself.
 */
export function leaveFormerScalers(stage: Stage): void {
  const { seen, draft } = stage;
  if (lacksScaler(stage)) return;
  for (const { copy, source } of seen.formerScalers ?? []) {
    const scaler = Object.values(scalers).find(({ kind }) => kind === copy.kind);
    const name = `${copy.kind}/${copy.metadata.name}`;
    want(draft.intents, `former-scaler/${name}`, { kind: 'remove-scaler', object: copy });
    const awake = source && scaler?.isAtZero?.(source) ? scaler.paused?.(source, false) : undefined;
    if (awake) write(stage, `scaler-before/${name}`, awake, source, scaler);
  }
}

/** Also one that nobody owns by now, as long as it scales the primary; not what only has its name. */
function mayWrite(live: KubeObject, { canary, target }: ScalerInput): boolean {
  return isControlledBy(live, canary) || at(live, 'spec', 'scaleTargetRef', 'name') === `${target}-primary`;
}

function isPrimaryAtZero({ spec, seen }: Stage): boolean {
  const { autoscaler } = spec;
  return (autoscaler && seen.primaryScaler && scalers[autoscaler.kind].isAtZero?.(seen.primaryScaler)) === true;
}

/** Nobody means the users of a primary to find no pods; whoever does may suspend the Canary. */
export function resumePrimaryScaler(stage: Stage): void {
  const { spec, seen, names } = stage;
  const live = seen.primaryScaler;
  if (!spec.autoscaler || !live || !isPrimaryAtZero(stage)) return;
  const scaler = scalers[spec.autoscaler.kind];
  const object = scaler.paused?.(live, false);
  if (!object) return;
  write(stage, 'primary-scaler', object, live, scaler);
  warn(stage, `${names.primary} was kept without pods by its ${live.kind}, which is resumed`);
}

/** Lets a target go whose autoscaler is about to take its pods, and returns true. */
export function resumeTargetScaler(stage: Stage): boolean {
  const scaled = scaledBy(stage);
  if (scaled?.scaler.isAtZero?.(scaled.input.source) !== true) return false;
  pauseScaler(stage, false);
  return true;
}

/** The primary's pods are the autoscaler's, or somebody else's who set them (undefined); else they follow what Git asks of the target. */
export function resizedPrimary({ spec, seen, kind }: Stage): KubeObject | undefined {
  const { desiredReplicas = 0, primary } = seen;
  if (spec.autoscaler || !primary || desiredReplicas === 0) return undefined;
  const object = kind.scaling?.follow?.(primary, desiredReplicas);
  return object === primary ? undefined : object;
}

export function followReplicas(stage: Stage, resized: KubeObject): void {
  const { seen, names, draft } = stage;
  // It is being written already: the next tick brings the rest.
  if (isWanted(draft.intents, 'primary')) return;
  want(draft.intents, 'primary', { kind: 'write', object: resized, over: seen.primary });
  log(stage, `${names.primary} gets ${seen.desiredReplicas ?? 0} replicas, as Git asks of its target`);
}

/** Only ever after traffic went home. */
export function scaleToZero(stage: Stage): void {
  const { draft, kind, target } = stage;
  pauseScaler(stage, true);
  if (kind.scaling && kind.scaling.replicasOf(target) > 0)
    want(draft.intents, 'replicas', { kind: 'scale-target', replicas: 0 }, { moves: 'pods' });
}

/**
 * At the end of a release, after all else that its status is to say: the target's pods go, or stay for what is still open until `endDrain`. Only
 * ever after traffic went home.
 */
export function scaleDown(stage: Stage): void {
  const { draft, kind, target, spec, seen, names } = stage;
  const delayMs = spec.scaleDownDelayMs ?? 0;
  // Pods that do not answer have nobody.
  if (delayMs === 0 || !kind.scaling || kind.scaling.replicasOf(target) === 0 || !kind.serves(kind.candidateOf(seen)))
    return scaleToZero(stage);
  draft.analysis = { ...draft.analysis, drainsSinceMs: Math.ceil(seen.nowMs / 1_000) * 1_000 };
  draft.nextTickMs = Math.min(draft.nextTickMs, delayMs);
  log(stage, `The pods of ${names.target} stay for ${formatGoDuration(delayMs)}: spec.scaleDownDelay`);
}

/**
 * The pods that stay after a release go when their time is over, and with the version that they run: a Deployment replaces them by itself then.
 * Whoever gives them users again, or lets a new release in, needs them.
 */
export function endDrain(stage: Stage): void {
  const { analysis, draft, spec, seen, novelty, weight, mirrored } = stage;
  const { drainsSinceMs } = analysis;
  if (drainsSinceMs === undefined || novelty === 'new' || weight > 0 || mirrored) return;
  const delayMs = spec.scaleDownDelayMs ?? 0;
  const leftMs = drainsSinceMs + delayMs - seen.nowMs;
  const isOfAnother = analysis.measured.version !== stage.revision.hash;
  // Of a clock that was set back nothing follows.
  if (leftMs > 0 && leftMs <= delayMs + 1_000 && !isOfAnother) {
    draft.nextTickMs = Math.min(draft.nextTickMs, leftMs);
    return;
  }
  const { drainsSinceMs: _over, ...state } = draft.analysis;
  draft.analysis = state;
  scaleToZero(stage);
}

/** What the target had; of an autoscaler its minimum; what Git says; what the primary has: the first that is more than nothing. */
export function scaleFromZero(stage: Stage): void {
  const { draft, kind, target, seen } = stage;
  const { scaling } = kind;
  if (!scaling) return;
  pauseScaler(stage, false);
  if (scaling.replicasOf(target) > 0) return;
  const ofPrimary = seen.primary ? scaling.replicasOf(seen.primary) : 0;
  const scaled = scaledBy(stage);
  const least = scaled?.scaler.leastOf(scaled.input.source);
  want(draft.intents, 'replicas', {
    kind: 'scale-target',
    replicas: least ?? (seen.desiredReplicas || ofPrimary || 1),
  });
}

/**
 * A target that is to have all users gets as many pods as its primary has, as far as its autoscaler allows, which takes none of them
 * meanwhile. True: it had fewer.
 */
export function growToPrimary(stage: Stage): boolean {
  const { draft, kind, target, seen, names } = stage;
  const { scaling } = kind;
  if (!scaling) return false;
  const scaler = scaledBy(stage);
  const source = scaler?.input.source;
  const least = scaler && source ? scaler.scaler.leastOf(source) : seen.desiredReplicas || 1;
  const most = scaler && source ? Math.max(scaler.scaler.mostOf(source), least) : Infinity;
  const has = scaling.replicasOf(target);
  const ofPrimary = seen.primary ? scaling.replicasOf(seen.primary) : 0;
  const wanted = Math.max(has, Math.min(Math.max(ofPrimary, has === 0 || scaler ? least : 0), most));
  holdScaler(stage, wanted);
  if (has === wanted) return false;
  want(draft.intents, 'replicas', { kind: 'scale-target', replicas: wanted });
  if (has > 0)
    log(stage, `${names.target} gets ${wanted} replicas before it has all users, ${names.primary} has ${ofPrimary}`);
  if (wanted < ofPrimary)
    warn(
      stage,
      `${names.target} gets ${wanted} replicas, its autoscaler allows no more; ${names.primary} has ${ofPrimary}`,
    );
  return true;
}

/** Keeps the target's autoscaler from taking its pods; undefined leaves it to itself again. */
export function holdScaler(stage: Stage, replicas: number | undefined): void {
  const scaled = scaledBy(stage);
  if (!scaled) return;
  const { source } = scaled.input;
  const object = scaled.scaler.held(source, replicas);
  leaveScaler(stage);
  if (object !== source) write(stage, 'scaler', object, source, scaled.scaler);
}

/** How long an autoscaler must be kept from taking pods after all users have come to its target. */
export function scalerSettleMs(stage: Stage): number {
  return scaledBy(stage)?.scaler.settleMs ?? 0;
}

/** Before pods are taken away, so that they are not made again; after that, or before they are asked for, the other way round. */
export function pauseScaler(stage: Stage, isPaused: boolean): void {
  const scaled = scaledBy(stage);
  const source = scaled?.input.source;
  const object = source && scaled.scaler.paused?.(source, isPaused);
  if (!object) return;
  leaveScaler(stage);
  if (object !== source) write(stage, 'scaler', object, source, scaled.scaler);
}

/** As it is, whatever this tick has wanted of the target's autoscaler before. */
export function leaveScaler({ draft }: Stage): void {
  leave(draft.intents, 'scaler');
}

function write(
  { draft }: Stage,
  slot: Slot,
  object: KubeObject,
  over: KubeObject | undefined,
  scaler: Scaler | undefined,
): void {
  const takesPods = over !== undefined && scaler?.takesPods === true;
  want(draft.intents, slot, { kind: 'write', object, over }, takesPods ? { moves: 'pods' } : {});
}
