import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { givenAway } from './adoption.ts';
import { escapeRegex } from './affinity.ts';
import { apexMetadata, canaryName, invalid, listOf, metadataOf, primaryName, splitOf, type Json } from './objects.ts';
import { reasonOf, whatOf } from './refusal.ts';
import type { RouteContext, Router } from './router.ts';

const ROUTES = 'gateway.solo.io/v1';
const UPSTREAMS = 'gloo.solo.io/v1';
const TABLE = 'RouteTable';
/** Of a state that is written as a number. */
const rejected = 2;
/** What an Upstream of ours takes over from the user's. */
const COPIED = [
  'sslConfig',
  'circuitBreakers',
  'connectionConfig',
  'loadBalancerConfig',
  'useHttp2',
  'initialStreamWindowSize',
  'initialConnectionWindowSize',
  'httpProxyHostname',
];

/**
 * Gloo Edge: a RouteTable named after the apex service, to which the user's VirtualService delegates, and an Upstream for each version.
 */
export const gloo: Router = {
  name: 'gloo',
  about: {
    title: 'Gloo Edge',
    url: 'https://docs.solo.io/gloo-edge/latest/guides/traffic_management/destination_types/multi_destination/',
  },
  supports: { weights: true, mirror: false, headers: true, affinity: false },
  kinds: [
    { apiVersion: ROUTES, kind: TABLE, plural: 'routetables' },
    { apiVersion: UPSTREAMS, kind: 'Upstream', plural: 'upstreams' },
    { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  ],
  fields: ['spec.upstreamRef'],
  entrance: TABLE,
  refs: ({ spec }): ObjectRef[] => {
    const { namespace, upstreamRef } = spec;
    return [
      { apiVersion: UPSTREAMS, kind: 'Upstream', namespace, name: upstreamName(spec, primaryName(spec)) },
      { apiVersion: UPSTREAMS, kind: 'Upstream', namespace, name: upstreamName(spec, canaryName(spec)) },
      { apiVersion: ROUTES, kind: TABLE, namespace, name: spec.service.name },
      { apiVersion: 'v1', kind: 'Service', namespace, name: primaryName(spec) },
      { apiVersion: 'v1', kind: 'Service', namespace, name: canaryName(spec) },
      ...(upstreamRef ? [{ ...upstreamRef, apiVersion: UPSTREAMS, kind: 'Upstream' }] : []),
    ];
  },
  render(context, { canaryWeight }, [primary, canary, live, primaryService, canaryService, pattern]) {
    const { spec } = context;
    const { upstreamRef } = spec;
    if (upstreamRef && !pattern) {
      const name = `${upstreamRef.name}.${upstreamRef.namespace ?? ''}`;
      throw invalid(spec, `Upstream ${name}, named by spec.upstreamRef, does not exist`, 'spec.upstreamRef');
    }
    const users = usersUnderTest(spec);
    const old = jsonOf(live?.['spec']);
    const routes = [
      ...(users === undefined ? [] : [route(spec, canaryWeight, matchersOf(spec, users))]),
      // Flagger leaves this one out while users are told apart: all others would reach nobody.
      route(spec, users === undefined ? canaryWeight : 0),
    ];
    return [
      // Before the table that leads to them.
      upstream(context, primaryName(spec), primary, primaryService, pattern),
      upstream(context, canaryName(spec), canary, canaryService, pattern),
      {
        ...live,
        apiVersion: ROUTES,
        kind: TABLE,
        metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
        spec: { ...old, routes },
      },
    ];
  },
  home({ spec }, [, , live]) {
    if (!live) return [];
    const old = jsonOf(live['spec']);
    const routes = listOf(old['routes']).map((each) => {
      const action = jsonOf(each['routeAction']);
      const multi = jsonOf(action['multi']);
      const destinations = listOf(multi['destinations']).map((destination) => {
        const { weight: _weight, ...rest } = destination;
        if (isOf(spec, destination, primaryName(spec))) return { ...rest, weight: 100 };
        return isOf(spec, destination, canaryName(spec)) ? rest : destination;
      });
      return { ...each, routeAction: { ...action, multi: { ...multi, destinations } } };
    });
    return [{ ...live, spec: { ...old, routes } }];
  },
  leave(context, [, , live]) {
    if (!live) return undefined;
    const { namespace, service } = context.spec;
    const old = jsonOf(live['spec']);
    const { matchers: _users, ...last } = listOf(old['routes']).at(-1) ?? {};
    // The Upstreams go with the Canary.
    const apex = { kube: { ref: { name: service.name, namespace }, port: service.port } };
    const routeAction = { multi: { destinations: [{ destination: apex, weight: 100 }] } };
    return givenAway({ ...live, spec: { ...old, routes: [{ ...last, routeAction }] } }, context);
  },
  read({ spec }, [, , live]) {
    const routes = listOf(jsonOf(live?.['spec'])['routes']);
    // Those under test come first.
    const { routeAction } = (usersUnderTest(spec) ? routes[0] : routes.at(-1)) ?? {};
    const destinations = listOf(jsonOf(jsonOf(routeAction)['multi'])['destinations']);
    const weight = (service: string): number | undefined => {
      const found = destinations.find((each) => isOf(spec, each, service));
      return found && Math.max(0, Number(found['weight'] ?? 0) || 0);
    };
    const [primary, canary] = [weight(primaryName(spec)), weight(canaryName(spec))];
    return primary === undefined || canary === undefined ? undefined : splitOf(primary, canary);
  },
  trouble(_context, live) {
    for (const object of live.slice(0, 3)) {
      const { statuses, ...one } = jsonOf(object?.['status']);
      const found = [...Object.values(jsonOf(statuses)).map(jsonOf), one].find(
        ({ state }) => state === 'Rejected' || state === rejected,
      );
      if (object && found) return `${whatOf(object)} is rejected by Gloo: ${reasonOf(found)}`;
    }
    return undefined;
  },
};

function upstreamName({ namespace, service }: CanarySpec, name: string): string {
  return `${namespace}-${name}upstream-${service.port}`;
}

/** With any port: that of the Canary may be edited in the middle of a release. */
function isOf({ namespace }: CanarySpec, destination: Json, service: string): boolean {
  const { name } = jsonOf(jsonOf(destination['destination'])['upstream']);
  return String(name).startsWith(`${namespace}-${service}upstream-`);
}

function route(spec: CanarySpec, canaryWeight: number, matchers?: readonly Json[]): Json {
  const destination = (service: string, weight: number): Json => ({
    destination: { upstream: { name: upstreamName(spec, service), namespace: spec.namespace } },
    ...(weight > 0 ? { weight } : {}),
  });
  return {
    inheritablePathMatchers: true,
    ...(matchers ? { matchers } : {}),
    routeAction: {
      multi: {
        destinations: [destination(primaryName(spec), 100 - canaryWeight), destination(canaryName(spec), canaryWeight)],
      },
    },
  };
}

/** One for each group of users; what it names holds together. */
function matchersOf(spec: CanarySpec, users: readonly unknown[]): readonly Json[] {
  const matchers = users.map((group) => {
    const { headers, queryParams } = jsonOf(group);
    const [byHeader, byQuery] = [headers, queryParams].map((named) =>
      Object.entries(jsonOf(named)).map(([name, value]) => ({ name, ...valueOf(value) })),
    );
    return {
      ...(byHeader && byHeader.length > 0 ? { headers: byHeader } : {}),
      ...(byQuery && byQuery.length > 0 ? { queryParameters: byQuery } : {}),
    };
  });
  if (matchers.length === 0 || matchers.some((matcher) => Object.keys(matcher).length === 0))
    throw invalid(spec, 'Gloo needs headers or queryParams', 'spec.analysis.match');
  return matchers;
}

/** Gloo knows whole values and whole regular expressions. */
function valueOf(match: unknown): Json {
  const { exact, prefix, suffix, regex } = jsonOf(match);
  if (typeof exact === 'string') return { value: exact };
  if (typeof regex === 'string') return { value: regex, regex: true };
  if (typeof prefix === 'string') return { value: `${escapeRegex(prefix)}.*`, regex: true };
  return typeof suffix === 'string' ? { value: `.*${escapeRegex(suffix)}`, regex: true } : {};
}

/** The pods of one version's Service, spoken to as `pattern` says. */
function upstream(
  context: RouteContext,
  service: string,
  live: KubeObject | undefined,
  selected: KubeObject | undefined,
  pattern: KubeObject | undefined,
): KubeObject {
  const { spec } = context;
  const old = jsonOf(live?.['spec']);
  const { selector } = jsonOf(selected?.['spec']);
  const wanted = jsonOf(pattern?.['spec']);
  const copied = COPIED.flatMap((field) => (wanted[field] === undefined ? [] : [[field, wanted[field]] as const]));
  const labels = pattern?.metadata.labels ?? {};
  return {
    ...live,
    apiVersion: UPSTREAMS,
    kind: 'Upstream',
    metadata: metadataOf(context, upstreamName(spec, service), live, { labels, annotations: {} }),
    spec: {
      ...old,
      ...Object.fromEntries(copied),
      kube: {
        ...jsonOf(old['kube']),
        serviceName: service,
        serviceNamespace: spec.namespace,
        servicePort: spec.service.port,
        ...(selector === undefined ? {} : { selector }),
      },
    },
  };
}
