import { isInitialized, isUnderWay } from '../phase.ts';
import { own } from '../../lib/own.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { cookiesAt, withCookies } from '../affinity.ts';
import { first, leave, type Purpose, want } from '../intents.ts';
import { at, jsonOf, textsOf } from '../../lib/json.ts';
import { isPartOf, podLabels, type SelectorLabel } from '../labels.ts';
import { sameJson } from '../../lib/same-json.ts';
import type { ServiceRole } from '../services.ts';
import { usersUnderTest } from '../strategy.ts';
import type { CanarySpec, Effect, Seen, SessionCookies, TrafficSplit } from '../types.ts';
import { canaryServes, hasDeadCanary, isLedToFormer, primaryServes, type Served } from './health.ts';
import { leaveScaler, resumeTargetScaler } from './scaling.ts';
import { normal, type Stage, type Tick, update, warn } from './tick.ts';

/** Without a mesh or ingress the apex Service is the only switch: it leads to one of the two. */
export function isPlain({ provider }: CanarySpec): boolean {
  return provider === 'kubernetes';
}

export function observedWeight(spec: CanarySpec, seen: Seen, selector: SelectorLabel): number {
  if (!isPlain(spec)) return seen.split?.canaryWeight ?? 0;
  return textsOf(at(seen.apexService, 'spec', 'selector'))[selector.label] === selector.value ? 100 : 0;
}

/** Gives the canary this share. Takes the place of what this tick wanted to repair about the routes. */
export function route(stage: Stage, canaryWeight: number, mirror = false): void {
  routeUsers(stage, { canaryWeight, mirror });
}

/** To the canary with all users, also with those whom an A/B test would leave with a primary that does not answer. */
export function routeEveryone(stage: Stage): void {
  routeUsers(stage, { canaryWeight: 100, mirror: false }, true);
}

function routeUsers(stage: Stage, split: TrafficSplit, everyone = false): void {
  const { canaryWeight } = split;
  const { draft, spec } = stage;
  // They are on their way there already.
  if (!everyone && sameJson(draft.routed, split)) return;
  draft.routed = split;
  // Whoever gets users is not to lose its pods; without them an autoscaler that is paused stays so.
  if (canaryWeight > 0) resumeTargetScaler(stage);
  else leaveScaler(stage);
  if (isPlain(spec)) {
    leave(draft.intents, 'apex-service');
    writeService(stage, 'apex', canaryWeight >= 100 ? 'canary' : 'primary');
    return;
  }
  const cookies = takeCookies(stage, canaryWeight);
  const isForMore = everyone && usersUnderTest(spec) !== undefined;
  setRoute(stage, {
    kind: 'set-route',
    split,
    ...(cookies ? { cookies } : {}),
    ...(isForMore ? { everyone: true } : {}),
  });
}

function setRoute(tick: Tick, effect: Extract<Effect, { kind: 'set-route' }>): void {
  const { canaryWeight, mirror } = effect.split;
  const isWayHome = canaryWeight === 0 && !mirror;
  want(tick.draft.intents, 'route', effect, { ...movesIfRouted(tick), ...(isWayHome ? { isWayHome } : {}) });
}

/** Users are led by routes only where there are any yet. */
export function movesIfRouted({ seen }: Pick<Tick, 'seen'>): Purpose {
  return seen.split === undefined ? {} : { moves: 'users' };
}

/** Notes in the status what users carry with this share, and returns it. */
function takeCookies({ draft, spec, seen }: Stage, canaryWeight: number): SessionCookies | undefined {
  const cookies = cookiesAt({ spec, status: draft.status, uid: seen.canary.metadata.uid ?? '' }, canaryWeight);
  if (cookies) draft.status = withCookies(draft.status, cookies);
  return cookies;
}

/** Users carry what belongs to the routes that stand, even if the status that was to say so got lost. */
export function noteCookies(stage: Stage): void {
  takeCookies(stage, stage.weight);
}

/**
 * The share that was judged is what counts, and the status says it. Where the routes say less, somebody has taken users off the canary, or
 * the status that was to say so got lost: the steps go on from there. Where they say more, nobody has judged that.
 */
export function noteWeight(stage: Stage): void {
  const { draft, spec, names, weight, judged } = stage;
  const { phase, canaryWeight } = draft.status;
  if (judged < weight)
    warn(stage, `The routes give ${names.canary} weight ${weight}, only ${judged} was judged: it is set back`);
  if (spec.analysis.strategy.kind !== 'canary' || canaryWeight === judged) return;
  if (!isUnderWay(phase)) return;
  draft.status = { ...draft.status, canaryWeight: judged };
  if (judged < canaryWeight)
    normal(stage, `The routes give ${names.canary} weight ${judged} instead of ${canaryWeight}: it goes on from there`);
}

/** Takes from the canary what the routes give it beyond what was judged, unless this tick has led its users elsewhere. */
export function setBack(stage: Stage): void {
  const { draft, weight, judged, mirrored } = stage;
  if (judged < weight && draft.routed === undefined) route(stage, judged, mirrored);
}

/** Users are not left with pods that do not answer when the primary can take them. True: they were, and go there. */
export function leaveDeadCanary(stage: Stage): boolean {
  if (!hasDeadCanary(stage)) return false;
  routeHome(stage, true);
  update(stage, { canaryWeight: 0 });
  return true;
}

/**
 * Users are on the canary, who would get, or get already, what no release under way has judged: another version than the one that they
 * were given, or one that still waits to be let in.
 */
function isOnUnjudged(stage: Stage): boolean {
  const { novelty, status, weight, mirrored } = stage;
  if ((weight === 0 && !mirrored) || !isInitialized(status.phase)) return false;
  const isUnjudged = novelty === 'new' || (status.phase === 'Waiting' && novelty === 'same');
  return isUnjudged && !holdsUsers(stage) && canGoHome(stage);
}

/** They go home before anything else is done, unless this tick has led them elsewhere. True: they were there, and go. */
export function leaveUnjudged(stage: Stage): boolean {
  const { draft, names } = stage;
  if (draft.routed !== undefined || !isOnUnjudged(stage)) return false;
  const { target, canary } = names;
  first(draft.intents, () => {
    if (stage.novelty === 'new')
      warn(
        stage,
        `${target} has changed: the users of ${canary} go to the primary, because nobody has judged what it is now`,
      );
    routeHome(stage, true);
  });
  update(stage, { canaryWeight: 0 });
  return true;
}

/** Users do not stay on a target that somebody deleted when the primary can take them. */
export function leaveMissingTarget(tick: Tick): void {
  const { seen, spec, kind, draft } = tick;
  const { apexService, primaryService, split } = seen;
  // Of a target that has no primary either it is not known who was to be released: it may be a slip of the pen.
  const isServed = seen.primary ? kind.serves(seen.primary) : primaryService !== undefined;
  if (!isServed || kind.serves(kind.candidateOf(seen))) return;
  const selector = at(seen.primary, 'spec', 'selector', 'matchLabels');
  if (!isPlain(spec)) {
    if (!split || (split.canaryWeight === 0 && !split.mirror)) return;
    setRoute(tick, { kind: 'set-route', split: { canaryWeight: 0, mirror: false } });
  } else {
    const now = textsOf(at(apexService, 'spec', 'selector'));
    if (!apexService || selector === undefined || isPartOf(textsOf(selector), now)) return;
    // What the primary's pods have of the labels beside its own keeps them apart from those of others.
    const carried = textsOf(at(seen.primary, 'spec', 'template', 'metadata', 'labels'));
    const kept = Object.fromEntries(Object.entries(now).filter(([key, value]) => own(carried, key) === value));
    const object = {
      ...apexService,
      spec: { ...jsonOf(apexService['spec']), selector: { ...kept, ...textsOf(selector) } },
    };
    want(draft.intents, 'apex-service', { kind: 'write', object, over: apexService }, { moves: 'users' });
  }
  normal(tick, 'Routing all traffic to primary');
  update(tick, { canaryWeight: 0 });
}

/**
 * All traffic to the primary, unless that would take it from a canary that answers to a primary that does not.
 * Returns the canary's share afterwards.
 */
export function routeHome(stage: Stage, isTold = false): number {
  if (!canGoHome(stage)) return stage.weight;
  if (isTold && stage.weight > 0) normal(stage, 'Routing all traffic to primary');
  route(stage, 0);
  return 0;
}

export function canGoHome(stage: Served): boolean {
  return primaryServes(stage) || !canaryServes(stage);
}

/** Brings the canary's Service up to date, unless users would come to what nobody has judged. */
export function followTarget(stage: Stage): void {
  if (!holdsUsers(stage)) writeService(stage, 'canary', 'canary');
}

/** The Service by which users come to the canary leads to the version that they judge, while the target is a newer one, or another workload. */
export function holdsUsers({ kind, novelty, weight, seen, selector, spec }: Stage): boolean {
  if (novelty !== 'new' || weight === 0) return false;
  if (kind.copiesTarget === true) return true;
  const service = isPlain(spec) ? seen.apexService : seen.canaryService;
  const live = textsOf(at(service, 'spec', 'selector'));
  if (!Object.hasOwn(live, selector.label)) return false;
  return !isPartOf(live, podLabels({ selector, leadsTo: 'canary', primary: undefined, service: undefined }));
}

/** Writes one of the generated Services where it differs. */
export function writeService(stage: Stage, role: ServiceRole, leadsTo: 'primary' | 'canary'): void {
  const { spec, kind, seen, target, selector, draft } = stage;
  const live = { apex: seen.apexService, primary: seen.primaryService, canary: seen.canaryService }[role];
  if (leadsTo === 'primary' && isLedToFormer(stage, live)) return;
  const { canary, primary, apexService: apex } = seen;
  const object = kind.renderService({ spec, canary, target, selector, role, leadsTo, primary, apex, live });
  if (object === undefined || object === live) return;
  want(draft.intents, `${role}-service`, { kind: 'write', object, over: live }, purposeOf(role, live));
}

function purposeOf(role: ServiceRole, live: KubeObject | undefined): Purpose {
  if (live !== undefined) return { moves: 'users' };
  return role === 'primary' ? { isDestination: true } : {};
}

/** By which pods of the primary are made: they come after it. */
export function prepareRoute({ spec, seen, draft }: Stage): void {
  if (isPlain(spec) || seen.lacksBeforePods !== true) return;
  want(draft.intents, 'route', { kind: 'prepare-route' });
}

/** Routing objects that are not there are made, those that somebody changed are repaired; running weights stay. */
export function reconcileRoute(stage: Stage): void {
  const { spec, seen, draft } = stage;
  if (isPlain(spec) || (seen.split !== undefined && !seen.routeDrift)) return;
  want(draft.intents, 'route', { kind: 'reconcile-route' }, movesIfRouted(stage));
}
