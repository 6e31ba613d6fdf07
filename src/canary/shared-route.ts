import { at, type Json, jsonOf, listOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { groupOf } from '../manifest/types.ts';
import { canaryName, primaryName } from './names.ts';

/** Weights of a rule that an app shares with others are multiplied by this, so that each percent of the app's share is a whole number. */
const scale = 100;
const kinds: ReadonlySet<string> = new Set(['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute']);

/** An app's Service among the backends of a route of Gateway API. */
export interface RouteService {
  readonly namespace: string;
  /** Of the apex service. */
  readonly name: string;
}

interface Shares {
  readonly primary: number;
  readonly canary: number;
}

/** A route of Gateway API, in which each rule has backends with weights. */
export function isRoute({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean {
  return kinds.has(kind) && groupOf(apiVersion) === 'gateway.networking.k8s.io';
}

/**
 * The rules of a route in which the canary has this share, in percent, of what the app had: in each rule that leads to the app, the
 * primary and the canary stand in the place of the apex service. All else of the rules stays.
 */
export function splitRules(rules: readonly Json[], service: RouteService, canaryWeight: number): readonly Json[] {
  return rules.map((rule) => {
    const joined = joinRule(rule, service);
    const backends = listOf(joined['backendRefs']);
    if (!backends.some((ref) => isOf(ref, service.name, service.namespace))) return rule;
    // Users who are kept on a backend come back to it although it has no weight, so it has to go.
    const isSticky = rule['sessionPersistence'] !== undefined && canaryWeight === 0;
    const split = backends.flatMap((ref): Json[] => {
      const weight = weightOf(ref);
      if (!isOf(ref, service.name, service.namespace)) return [{ ...ref, weight: weight * scale }];
      const primary = { ...ref, name: primaryName(service.name), weight: weight * (100 - canaryWeight) };
      const canary = { ...ref, name: canaryName(service.name), weight: weight * canaryWeight };
      return isSticky ? [primary] : [primary, canary];
    });
    return { ...rule, backendRefs: split };
  });
}

/** The rules as they were before the app was split: the apex service stands where primary and canary did. */
export function joinRules(rules: readonly Json[], service: RouteService): readonly Json[] {
  return rules.map((rule) => joinRule(rule, service));
}

/** Whether a rule leads to the app, split or not. */
export function leadsTo(rules: readonly Json[], { name, namespace }: RouteService): boolean {
  return rules.some((rule) =>
    listOf(rule['backendRefs']).some((ref) => isOf(ref, name, namespace) || isOf(ref, primaryName(name), namespace)),
  );
}

/** What primary and canary have in the last rule that knows the primary; undefined where none does. */
export function sharesIn(rules: readonly Json[], service: RouteService): Shares | undefined {
  const split = rules
    .map((rule) => sharesOf(listOf(rule['backendRefs']), service))
    .filter((shares) => shares !== undefined);
  return split.findLast(({ primary, canary }) => primary + canary > 0) ?? split.at(-1);
}

/** A route as Git has it with what Canaries have made of it: each app's share is divided as in the live one. */
export function withLiveSplits(live: KubeObject, object: KubeObject): KubeObject {
  const liveRules = rulesOf(live);
  const rules = servicesSplitIn(live).reduce((made: readonly Json[], service) => {
    const { primary, canary } = sharesIn(liveRules, service) ?? { primary: 1, canary: 0 };
    const total = primary + canary;
    return splitRules(made, service, total === 0 ? 0 : Math.round((100 * canary) / total));
  }, rulesOf(object));
  return { ...object, spec: { ...jsonOf(object['spec']), rules } };
}

/** The apps whose primaries have a place in this route. */
export function servicesSplitIn(route: KubeObject): readonly RouteService[] {
  const { namespace = '' } = route.metadata;
  const names = rulesOf(route).flatMap((rule) => {
    const backends = listOf(rule['backendRefs']);
    return backends.flatMap((ref) => {
      const name = baseOf(ref['name']);
      const isSplit = name !== undefined && isOf(ref, primaryName(name), namespace);
      // A primary alone is ours only where a canary had to go from beside it.
      const isPair = isSplit && backends.some((other) => isOf(other, canaryName(name), namespace));
      return isPair || (isSplit && rule['sessionPersistence'] !== undefined) ? [name] : [];
    });
  });
  return [...new Set(names)].map((name) => ({ namespace, name }));
}

export function rulesOf(route: KubeObject): readonly Json[] {
  return listOf(at(route, 'spec', 'rules'));
}

function joinRule(rule: Json, service: RouteService): Json {
  const backends = listOf(rule['backendRefs']);
  const { name, namespace } = service;
  const isCanary = (ref: Json | undefined): boolean => ref !== undefined && isOf(ref, canaryName(name), namespace);
  if (!backends.some((ref) => isOf(ref, primaryName(name), namespace))) return rule;
  const joined = backends.flatMap((ref, index): Json[] => {
    if (isCanary(ref)) return [];
    if (!isOf(ref, primaryName(name), namespace)) return [{ ...ref, weight: unscaled(weightOf(ref)) }];
    const next = backends[index + 1];
    return [{ ...ref, name, weight: unscaled(weightOf(ref) + (next && isCanary(next) ? weightOf(next) : 0)) }];
  });
  return { ...rule, backendRefs: joined };
}

function unscaled(weight: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight / scale));
}

function sharesOf(backends: readonly Json[], { name, namespace }: RouteService): Shares | undefined {
  const sum = (service: string): number =>
    backends.filter((ref) => isOf(ref, service, namespace)).reduce((total, ref) => total + weightOf(ref), 0);
  if (!backends.some((ref) => isOf(ref, primaryName(name), namespace))) return undefined;
  return { primary: sum(primaryName(name)), canary: sum(canaryName(name)) };
}

/** What the API server would fill in counts as written. */
function isOf(ref: Json, name: string, namespace: string): boolean {
  return (
    ref['name'] === name &&
    (ref['kind'] ?? 'Service') === 'Service' &&
    (ref['group'] ?? '') === '' &&
    (ref['namespace'] ?? namespace) === namespace
  );
}

function weightOf(ref: Json): number {
  const weight = ref['weight'] ?? 1;
  return typeof weight === 'number' && weight > 0 ? weight : 0;
}

function baseOf(name: unknown): string | undefined {
  const ending = primaryName('');
  return typeof name === 'string' && name.endsWith(ending) ? name.slice(0, -ending.length) : undefined;
}
