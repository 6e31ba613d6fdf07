import { isUnderAnalysis } from './phase.ts';
import { labelProblem } from './labels.ts';
import { foreignApex } from './overlap.ts';
import { joinCopies } from './phases/config-copies.ts';
import { canaryServes } from './phases/health.ts';
import { unmarkPrimary } from './phases/primary-write.ts';
import { phases } from './phases/registry.ts';
import { noteHold } from './phases/requests.ts';
import {
  lacksScaler,
  leaveFormerScalers,
  tellLackOfScaler,
  resumePrimaryScaler,
  resumeTargetScaler,
  writePrimaryScaler,
} from './phases/scaling.ts';
import { stageOf } from './phases/stage.ts';
import { standStill } from './phases/still.ts';
import { hasFinalizer, isDeleted, release, settleFinalizer, terminate } from './phases/terminate.ts';
import { type Asking, normal, type Stage, type Tick, update, warn } from './phases/tick.ts';
import {
  followTarget,
  isPlain,
  leaveMissingTarget,
  leaveUnjudged,
  noteCookies,
  noteWeight,
  reconcileRoute,
  setBack,
  writeService,
} from './phases/traffic.ts';
import { deadTargetPort } from './ports.ts';

/** `urgent`: only what cannot wait for the interval. */
export type Part = 'all' | 'urgent';

/** What a tick does, from its beginning to its end. */
export function* course(tick: Tick, part: Part): Asking<void> {
  const { spec, kind, status, seen, settings, names } = tick;
  const mustRevert = isDeleted(tick) && hasFinalizer(tick);
  if (isDeleted(tick) && !mustRevert) return;
  if (!mustRevert) {
    if (spec.suspend) {
      if (!seen.isSuspensionTold && part === 'all') normal(tick, 'skipping canary run as object is suspended');
      tick.draft.isHeld = false;
      return standStill(tick, part);
    }
    if (settleFinalizer(tick)) return;
    if (status.phase === '') update(tick, { phase: 'Initializing' });
  }
  const { target } = seen;
  const place = { name: spec.target.name, namespace: spec.namespace };
  if (!target) {
    if (mustRevert) return release(tick);
    if (part === 'urgent') return;
    leaveMissingTarget(tick);
    return warn(tick, kind.missing(place));
  }
  const stage = stageOf(tick, target);
  if (!stage) {
    if (mustRevert) return release(tick);
    if (part === 'urgent') return;
    return warn(tick, kind.unlabelled(place, settings.selectorLabels));
  }
  if (mustRevert) return terminate(stage);
  const tooLong = seen.primary ? undefined : labelProblem(stage.selector);
  if (tooLong !== undefined) return warn(tick, `no primary can be made of ${names.target}: ${tooLong}`);
  const misled = tick.draft.status.phase === 'Initializing' ? misleads(stage) : undefined;
  if (misled !== undefined) return warn(tick, `${names.canary} waits: ${misled}`);
  yield* lead(stage, part);
}

/** Why users would be led to another app, or to nobody, as soon as the Services of this one are written. */
function misleads({ seen, spec, target, selector }: Stage): string | undefined {
  if (selector.label === '') return undefined;
  const dead = deadTargetPort(spec, target);
  return (
    seen.overlap ??
    foreignApex(seen.apexService, target, seen.canary) ??
    (dead === undefined ? undefined : `spec.service.targetPort: ${dead}`)
  );
}

/** Repairs first, then what the phase does, then users whom neither has led away from what nobody judges. */
function* lead(stage: Stage, part: Part): Asking<void> {
  const { phase: name } = stage.draft.status;
  const phase = phases[name];
  const isInitialised = name !== 'Initializing';
  const doesRepair = part === 'all' || phase.repairsAtOnce?.(stage) === true;
  if (doesRepair) {
    resumePrimaryScaler(stage);
    followTarget(stage);
    writeService(stage, 'primary', 'primary');
    if (isInitialised) repair(stage, part);
  }
  if (part === 'all' && isInitialised) {
    noteCookies(stage);
    noteWeight(stage);
    stage.draft.isHeld &&= isUnderAnalysis(name);
  }
  if (isInitialised) noteHold(stage);
  const urgent = phase.urgent(stage);
  const isAll = typeof urgent === 'boolean' ? urgent : yield* urgent;
  if (part === 'all' && !isAll) yield* phase.scheduled(stage);
  if (isInitialised) {
    leaveUnjudged(stage);
    setBack(stage);
  }
  if (doesRepair) unmarkPrimary(stage);
}

function repair(stage: Stage, part: Part): void {
  joinCopies(stage);
  leaveFormerScalers(stage);
  if (part === 'all') tellLackOfScaler(stage);
  if (!lacksScaler(stage)) writePrimaryScaler(stage, 'missing');
  if (stage.weight > 0 && canaryServes(stage)) resumeTargetScaler(stage);
  writeService(stage, 'apex', isPlain(stage.spec) && stage.judged === 100 ? 'canary' : 'primary');
  reconcileRoute(stage);
}
