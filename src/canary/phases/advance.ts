import type { Strategy } from '../types.ts';
import { primaryServes } from './health.ts';
import { refusedBy } from './hooks.ts';
import { promote } from './promote.ts';
import { alert, type Asking, log, normal, setMark, setRounds, type Stage, update, warn } from './tick.ts';
import { isForEveryone, nextWeight } from '../strategy.ts';
import { isPlain, route, routeEveryone } from './traffic.ts';

type Steps = Extract<Strategy, { kind: 'canary' }>;
type Rounds = Exclude<Strategy, { kind: 'canary' }>;

/** All checks have passed: the next step of the strategy. */
export function* advance(stage: Stage): Asking<void> {
  const { strategy } = stage.spec.analysis;
  switch (strategy.kind) {
    case 'canary':
      return yield* advanceWeight(stage, strategy);
    case 'blue-green':
      return yield* advanceBlueGreen(stage, strategy);
    case 'ab-testing':
      return yield* advanceAbTesting(stage, strategy);
  }
}

function* advanceWeight(stage: Stage, strategy: Steps): Asking<void> {
  const { names, judged, mirrored, spec, draft } = stage;
  if (!mirrored && draft.status.phase !== 'WaitingPromotion') {
    if (!(yield* mayIncrease(stage))) return setMark(stage, 'halted');
    if (judged > 0) setRounds(stage, 0);
  }
  if (judged >= strategy.maxWeight) {
    if (yield* mayPromote(stage)) promoteFrom(stage);
    return;
  }
  // A primary that does not answer keeps nobody.
  const isPrimaryUp = primaryServes(stage);
  if (spec.analysis.mirror && judged === 0 && !mirrored && isPrimaryUp) {
    log(stage, 'Running mirror step 100/0/true');
    route(stage, 0, true);
    update(stage, { canaryWeight: 0 });
    setRounds(stage, 0);
    return normal(stage, `Advance ${names.canary} canary weight 0`);
  }
  const next = isPrimaryUp ? nextWeight(strategy, judged) : 100;
  if (isPrimaryUp) route(stage, next);
  else routeEveryone(stage);
  update(stage, { phase: 'Progressing', canaryWeight: next });
  setRounds(stage, 0);
  normal(stage, `Advance ${names.canary} canary weight ${next}`);
}

/** Where the primary's rollout may end all its pods at once, its users are with the canary before it begins. */
export function promoteFrom(stage: Stage): void {
  const { kind, seen, source, weight, judged } = stage;
  const { primary } = seen;
  const isInPeril =
    primary !== undefined && primaryServes(stage) && kind.mayEndAll?.(kind.writePrimary(source, primary).object);
  if (!isInPeril || weight === 100 || judged === 100) return promote(stage);
  normal(stage, 'Routing all traffic to canary');
  route(stage, 100);
  update(stage, { phase: 'Progressing', canaryWeight: 100 });
}

function* mayIncrease(stage: Stage): Asking<boolean> {
  const { names, analysis } = stage;
  const refusal = yield* refusedBy(stage, 'confirm-traffic-increase', {
    phase: 'Progressing',
    onPass: (hook) => normal(stage, `Confirm-traffic-increase check ${hook.name} passed`),
  });
  if (!refusal) return true;
  // Flagger says so every tick, and alerts every tick: one gate that stays closed is one thing to tell.
  if (analysis.mark === 'halted') return false;
  warn(stage, `Halt ${names.canary} advancement waiting for traffic increase approval ${refusal.hook.name}`);
  if (!refusal.hook.muteAlert) alert(stage, 'warn', 'Canary traffic increase is waiting for approval.');
  return false;
}

function* advanceAbTesting(stage: Stage, { iterations }: Rounds): Asking<void> {
  const { names, weight } = stage;
  const { iterations: passed } = stage.analysis;
  if (passed >= iterations) return yield* confirmAndPromote(stage);
  // Users of a primary that answers again are told apart again.
  const isForAll = isForEveryone(stage) && primaryServes(stage);
  if (weight !== 100 || isForAll) route(stage, 100);
  if (isForAll) update(stage, { canaryWeight: 0 });
  nextRound(stage, iterations);
  normal(stage, `Advance ${names.canary} canary iteration ${passed + 1}/${iterations}`);
}

function* advanceBlueGreen(stage: Stage, { iterations }: Rounds): Asking<void> {
  const { spec, mirrored, names } = stage;
  const { mirror } = spec.analysis;
  const { iterations: passed } = stage.analysis;
  if (passed < iterations) {
    if (mirror && !mirrored && primaryServes(stage)) {
      log(stage, 'Start traffic mirroring');
      route(stage, 0, true);
    }
    nextRound(stage, iterations);
    return normal(stage, `Advance ${names.canary} canary iteration ${passed + 1}/${iterations}`);
  }
  // Approved once, before the users are moved.
  if (passed > iterations) return promote(stage);
  if (!(yield* mayPromote(stage))) return;
  update(stage, { phase: 'Progressing' });
  normal(stage, mirror ? 'Stop traffic mirroring and route all traffic to canary' : 'Routing all traffic to canary');
  route(stage, 100);
  nextRound(stage, iterations);
}

function nextRound(stage: Stage, iterations: number): void {
  setRounds(stage, Math.min(stage.analysis.iterations, iterations) + 1);
}

function* confirmAndPromote(stage: Stage): Asking<void> {
  if (yield* mayPromote(stage)) promote(stage);
}

/** While it waits, weight and iterations stay what they are, and the checks go on. */
function* mayPromote(stage: Stage): Asking<boolean> {
  const { names, status } = stage;
  const refusal = yield* refusedBy(stage, 'confirm-promotion', {
    phase: 'Progressing',
    onPass(hook) {
      normal(stage, `Confirm-promotion check ${hook.name} passed`);
      // Git tells when it was let through.
      stage.draft.checks.push({ name: hook.name, passed: true, found: { kind: 'approved' } });
    },
  });
  if (!refusal) return true;
  if (status.phase !== 'WaitingPromotion') {
    update(stage, { phase: 'WaitingPromotion' });
    warn(stage, `Halt ${names.canary} advancement waiting for promotion approval ${refusal.hook.name}`);
    if (!refusal.hook.muteAlert) alert(stage, 'warn', 'Canary promotion is waiting for approval.');
  }
  return false;
}

/** Said once, when the analysis begins: what the plain provider makes of the Canary. */
export function tellPlain(stage: Stage, asked: { readonly iterations: number; readonly hasMatch: boolean }): void {
  const { strategy } = stage.spec.analysis;
  if (!isPlain(stage.spec) || strategy.kind === 'canary') return;
  if (asked.hasMatch) warn(stage, 'A/B testing is not supported when using the kubernetes provider');
  if (asked.iterations >= 1) return;
  warn(stage, 'Progressive traffic is not supported when using the kubernetes provider');
  warn(stage, `Setting canaryAnalysis.iterations: ${strategy.iterations}`);
}
