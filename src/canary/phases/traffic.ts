import { cookiesAt, withCookies } from '../affinity.ts';
import { at, textsOf } from '../json.ts';
import type { SelectorLabel } from '../labels.ts';
import { serviceName, type ServiceRole } from '../services.ts';
import type { CanarySpec, Effect, Seen, SessionCookies } from '../types.ts';
import { canaryServes, primaryServes } from './health.ts';
import { normal, type Stage } from './tick.ts';

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
  const { draft, spec } = stage;
  if (isPlain(spec)) {
    draft.effects = draft.effects.filter((effect) => !isApexWrite(effect, spec));
    writeService(stage, 'apex', canaryWeight >= 100 ? 'canary' : 'primary');
    return;
  }
  draft.effects = draft.effects.filter(({ kind }) => kind !== 'reconcile-route');
  const cookies = takeCookies(stage, canaryWeight);
  draft.effects.push({ kind: 'set-route', split: { canaryWeight, mirror }, ...(cookies ? { cookies } : {}) });
}

/** Notes in the status what users carry from now on. What stands goes before what the status says: its last write may be lost. */
function takeCookies({ draft, spec, seen, weight }: Stage, canaryWeight: number): SessionCookies | undefined {
  const uid = seen.canary.metadata.uid ?? '';
  const before = cookiesAt({ spec, status: draft.status, uid }, weight);
  if (!before) return undefined;
  const cookies = cookiesAt({ spec, status: withCookies(draft.status, before), uid }, canaryWeight);
  if (cookies) draft.status = withCookies(draft.status, cookies);
  return cookies;
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

export function canGoHome(stage: Pick<Stage, 'kind' | 'seen'>): boolean {
  return primaryServes(stage) || !canaryServes(stage);
}

/** Only ever after traffic went home. */
export function scaleToZero({ draft, kind, target }: Stage): void {
  if (kind.scaling && kind.scaling.replicasOf(target) > 0) draft.effects.push({ kind: 'scale-target', replicas: 0 });
}

/** What the target had, what Git says, what the primary has: the first that is more than nothing. */
export function scaleFromZero({ draft, kind, target, seen }: Stage): void {
  const { scaling } = kind;
  if (!scaling || scaling.replicasOf(target) > 0) return;
  const primaryReplicas = seen.primary ? scaling.replicasOf(seen.primary) : 0;
  draft.effects.push({ kind: 'scale-target', replicas: seen.desiredReplicas || primaryReplicas || 1 });
}

/** Brings the canary's Service up to date, unless users would come to what nobody has judged. */
export function followTarget(stage: Stage): void {
  if (!holdsUsers(stage)) writeService(stage, 'canary', 'canary');
}

/** The canary's Service leads to the version that its users are judging, while the target is a newer one. */
export function holdsUsers({ kind, novelty, weight }: Stage): boolean {
  return kind.copiesTarget === true && novelty === 'new' && weight > 0;
}

/** Writes one of the generated Services where it differs. */
export function writeService(stage: Stage, role: ServiceRole, leadsTo: 'primary' | 'canary'): void {
  const { spec, kind, seen, target, selector, draft } = stage;
  const live = { apex: seen.apexService, primary: seen.primaryService, canary: seen.canaryService }[role];
  const object = kind.renderService({ spec, canary: seen.canary, target, selector, role, leadsTo, live });
  if (object !== undefined && object !== live) draft.effects.push({ kind: 'write', object, over: live });
}

function isApexWrite(effect: Effect, spec: CanarySpec): boolean {
  if (effect.kind !== 'write' || effect.object.kind !== 'Service') return false;
  return effect.object.metadata.name === serviceName(spec, 'apex');
}

/** Routing objects that are not there are made, those that somebody changed are repaired; running weights stay. */
export function reconcileRoute({ spec, seen, draft }: Stage): void {
  if (isPlain(spec) || (seen.split !== undefined && !seen.routeDrift)) return;
  draft.effects.push({ kind: 'reconcile-route' });
}
