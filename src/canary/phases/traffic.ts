import type { KubeObject } from '../../manifest/types.ts';
import { at, textsOf } from '../json.ts';
import type { SelectorLabel } from '../labels.ts';
import { replicasOf, serves } from '../readiness.ts';
import { renderService, serviceName, type ServiceRole } from '../services.ts';
import type { CanarySpec, Effect, Seen } from '../types.ts';
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
  draft.effects.push({ kind: 'set-route', split: { canaryWeight, mirror } });
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

export function canGoHome({ seen, target }: Pick<Stage, 'seen' | 'target'>): boolean {
  return serves(seen.primary) || !serves(target);
}

/** Only ever after traffic went home. */
export function scaleToZero({ draft, target }: Stage): void {
  if (replicasOf(target) > 0) draft.effects.push({ kind: 'scale-target', replicas: 0 });
}

/** What the target had, what Git says, what the primary has: the first that is more than nothing. */
export function scaleFromZero({ draft, target, seen }: Stage): void {
  if (replicasOf(target) > 0) return;
  const primaryReplicas = seen.primary ? replicasOf(seen.primary) : 0;
  draft.effects.push({ kind: 'scale-target', replicas: seen.desiredReplicas || primaryReplicas || 1 });
}

/** Writes one of the generated Services where it differs. */
export function writeService(stage: Stage, role: ServiceRole, leadsTo: 'primary' | 'canary'): void {
  const { spec, seen, target, selector, draft } = stage;
  const live = { apex: seen.apexService, primary: seen.primaryService, canary: seen.canaryService }[role];
  const object: KubeObject = renderService({ spec, canary: seen.canary, target, selector, role, leadsTo, live });
  if (object !== live) draft.effects.push({ kind: 'write', object, over: live });
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
