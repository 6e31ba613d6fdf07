import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { escapeRegex } from './affinity.ts';
import { jsonOf } from '../lib/json.ts';
import {
  canaryName,
  invalid,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  TOOLKIT_ANNOTATIONS,
  type Json,
} from './objects.ts';
import type { RouteContext } from './router.ts';

/*
 * A/B tests with Traefik: a TraefikService cannot look at a request, only a router can. So the routes of the user's IngressRoute that
 * lead to the app are copied for the users under test, with a higher priority, into an IngressRoute of their own. At rest it is empty.
 */

type Syntax = 'v2' | 'v3';

export function isIngressRoute(ref: ObjectRef | undefined): ref is ObjectRef {
  return ref?.kind === 'IngressRoute';
}

/** The IngressRoute for the users under test; `share` of them meet the canary. At rest it does without the user's own. */
export function usersRoute(
  context: RouteContext,
  source: KubeObject | undefined,
  live: KubeObject | undefined,
  share: number,
): KubeObject | undefined {
  const { spec } = context;
  const match = share > 0 || !live ? usersUnderTest(spec) : undefined;
  if (!match && !live) return undefined;
  const copies = match ? copiesOf(spec, match, source, share) : [];
  return {
    ...live,
    apiVersion: 'traefik.io/v1alpha1',
    kind: 'IngressRoute',
    metadata: metadataOf(context, `${spec.ingressRef?.name}-canary`, live, {
      labels: source?.metadata.labels ?? {},
      annotations: { ...classOf(source), ...TOOLKIT_ANNOTATIONS },
    }),
    spec: { ...jsonOf((source ?? live)?.['spec']), routes: share > 0 ? copies : [] },
  };
}

function copiesOf(
  spec: CanarySpec,
  match: readonly unknown[],
  source: KubeObject | undefined,
  share: number,
): readonly Json[] {
  const where = `IngressRoute ${spec.ingressRef?.name}.${spec.namespace}`;
  if (!source) throw invalid(spec, `${where}, named by spec.ingressRef, does not exist`);
  const routes = listOf(jsonOf(source['spec'])['routes']).filter((route) =>
    listOf(route['services']).some((service) => isApp(spec, service)),
  );
  if (routes.length === 0)
    throw invalid(spec, `${where} has no route that leads to the TraefikService or Service ${spec.service.name}`);
  return routes.map((route) => ({
    ...route,
    match: `(${textOf(route['match'])}) && (${usersRule(spec, match, route['syntax'] === 'v2' ? 'v2' : 'v3')})`,
    priority: priorityOf(route) + 1,
    services: listOf(route['services']).flatMap((service) =>
      isApp(spec, service) ? versionsOf(spec, service, share) : [{ ...service, weight: 100 * weightOf(service) }],
    ),
  }));
}

/** By what Traefik tells which objects are its own. */
function classOf(source: KubeObject | undefined): Record<string, string> {
  const entries = Object.entries(source?.metadata.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => key === 'kubernetes.io/ingress.class'));
}

/** The canary's share of the users under test. */
export function usersShare(spec: CanarySpec, live: KubeObject): number {
  const services = listOf(listOf(jsonOf(live['spec'])['routes'])[0]?.['services']);
  const shareOf = (name: string): number =>
    services.filter((service) => service['name'] === name).reduce((sum, service) => sum + weightOf(service), 0);
  return splitOf(shareOf(primaryName(spec)), shareOf(canaryName(spec)))?.canaryWeight ?? 0;
}

function isApp({ namespace, service: { name } }: CanarySpec, service: Json): boolean {
  return service['name'] === name && (service['namespace'] ?? namespace) === namespace;
}

/** In the place of the app; a version without a share is not named, for its Service may have no endpoints. */
function versionsOf(spec: CanarySpec, service: Json, share: number): readonly Json[] {
  const { kind: _kind, ...settings } = service;
  const version = (name: string, percent: number): Json => ({
    ...settings,
    name,
    namespace: spec.namespace,
    port: spec.service.port,
    weight: percent * weightOf(service),
  });
  const wanted = [version(primaryName(spec), 100 - share), version(canaryName(spec), share)];
  return wanted.filter(({ weight }) => weight !== 0);
}

/** Of one service among those of its route. */
function weightOf({ weight }: Json): number {
  return typeof weight === 'number' ? weight : 1;
}

/** Traefik takes the longest rule first where no priority is given. */
function priorityOf(route: Json): number {
  const { priority } = route;
  return typeof priority === 'number' && priority !== 0 ? priority : textOf(route['match']).length;
}

/** Who is under test, as a rule: the headers of one match hold together, one of the matches is enough. */
function usersRule(spec: CanarySpec, match: readonly unknown[], syntax: Syntax): string {
  const groups = match.map((item) => {
    const { headers, queryParams } = jsonOf(item);
    const tests = [
      ...Object.entries(jsonOf(headers)).map(([name, value]) => headerTest(name, jsonOf(value), syntax)),
      ...Object.entries(jsonOf(queryParams)).map(([name, value]) => queryTest(spec, name, jsonOf(value), syntax)),
    ];
    // An empty test would be passed by everybody.
    if (tests.length === 0) throw invalid(spec, 'Traefik needs headers or queryParams', 'spec.analysis.match');
    return tests.join(' && ');
  });
  if (groups.length === 0) throw invalid(spec, 'Traefik needs headers or queryParams', 'spec.analysis.match');
  return groups.length === 1 ? groups.join('') : groups.map((group) => `(${group})`).join(' || ');
}

function headerTest(name: string, value: Json, syntax: Syntax): string {
  const { exact } = value;
  const [equals, matches] = syntax === 'v2' ? ['Headers', 'HeadersRegexp'] : ['Header', 'HeaderRegexp'];
  if (typeof exact !== 'string') return `${matches}(${quoted(name)}, ${quoted(patternOf(value))})`;
  if (name.toLowerCase() !== 'cookie') return `${equals}(${quoted(name)}, ${quoted(exact)})`;
  // One cookie of many; a name alone means what NGINX means by it.
  const cookie = exact.includes('=') ? exact : `${exact}=always`;
  return `${matches}(${quoted(name)}, ${quoted(`(^|;\\s*)${escapeRegex(cookie)}\\s*(;|$)`)})`;
}

function queryTest(spec: CanarySpec, name: string, value: Json, syntax: Syntax): string {
  const { exact } = value;
  if (typeof exact === 'string')
    return syntax === 'v2' ? `Query(${quoted(`${name}=${exact}`)})` : `Query(${quoted(name)}, ${quoted(exact)})`;
  if (syntax === 'v2')
    throw invalid(spec, 'Traefik 2 knows exact values only', `spec.analysis.match.queryParams.${name}`);
  return `QueryRegexp(${quoted(name)}, ${quoted(patternOf(value))})`;
}

/** The whole value has to match, as with the other providers; Traefik alone would be content with a part of it. */
function patternOf({ exact, prefix, suffix, regex }: Json): string {
  if (typeof exact === 'string') return `^${escapeRegex(exact)}$`;
  if (typeof prefix === 'string') return `^${escapeRegex(prefix)}`;
  if (typeof suffix === 'string') return `${escapeRegex(suffix)}$`;
  return typeof regex === 'string' ? `^(?:${regex})$` : '.';
}

/** Raw where possible: backslashes of patterns stay readable. */
function quoted(text: string): string {
  return text.includes('`') ? JSON.stringify(text) : `\`${text}\``;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
