import { sameJson } from '../lib/same-json.ts';
import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import { stickinessOf } from './affinity.ts';
import {
  analysisMatches,
  cookieMatches,
  filtersOf,
  mirrorsTo,
  serviceMatches,
  setsCookie,
  withoutMirror,
} from './gatewayapi-rules.ts';
import { adoptedRoute, retryWarnings } from './gatewayapi-adopted.ts';
import { GROUP, notAccepted } from './gatewayapi-status.ts';
import { jsonOf } from '../lib/json.ts';
import {
  apexMetadata,
  canaryName,
  invalid,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  weightOf,
  type Json,
} from './objects.ts';
import type { Entrance, RouteContext, Router } from './router.ts';

/** Routes that a Canary may name, and never makes. */
const otherRoutes = [
  { apiVersion: `${GROUP}/v1`, kind: 'GRPCRoute', plural: 'grpcroutes' },
  { apiVersion: `${GROUP}/v1alpha2`, kind: 'TCPRoute', plural: 'tcproutes' },
  { apiVersion: `${GROUP}/v1alpha2`, kind: 'TLSRoute', plural: 'tlsroutes' },
];
const OWNED = ['matches', 'filters', 'timeouts', 'backendRefs'];

/**
 * Gateway API: one HTTPRoute named after the apex service.
 * Timeouts and CORS exist in v1 only. A controller that has not yet accepted the newest generation still routes by the old one.
 */
export function gatewayapi(version: 'v1' | 'v1beta1', name = `gatewayapi:${version}`): Router {
  const apiVersion = `${GROUP}/${version}`;
  const kind = 'HTTPRoute';
  const own = {
    refs: ({ spec }) => [{ apiVersion, kind, namespace: spec.namespace, name: spec.service.name }],
    render(context, split, [live]) {
      const { spec } = context;
      const { hostnames: _, ...standing } = jsonOf(live?.['spec']);
      const hosts = spec.service.raw['hosts'];
      return [
        {
          ...live,
          apiVersion,
          kind,
          metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
          spec: {
            ...standing,
            parentRefs: parentRefs(spec),
            ...(Array.isArray(hosts) && hosts.length > 0 ? { hostnames: hosts } : {}),
            rules: rules(context, split, version, listOf(standing['rules'])),
          },
        },
      ];
    },
    home({ spec }, [live]) {
      const old = jsonOf(live?.['spec']);
      const shares = new Map([
        [primaryName(spec), 100],
        [canaryName(spec), 0],
      ]);
      const homeward = listOf(old['rules']).map((rule) => ({
        ...rule,
        ...(rule['filters'] === undefined ? {} : { filters: withoutMirror(rule, canaryName(spec)) }),
        backendRefs: listOf(rule['backendRefs'])
          .filter(({ name }) => !isKept(rule) || name !== canaryName(spec))
          .map((backend) => ({ ...backend, weight: shares.get(String(backend['name'])) ?? backend['weight'] })),
      }));
      return live ? [{ ...live, spec: { ...old, rules: homeward } }] : [];
    },
    read({ spec }, [live]) {
      const rules = listOf(jsonOf(live?.['spec'])['rules']);
      const canary = canaryName(spec);
      // Users were told apart, and are no more: the weight of those who were is nobody else's.
      if (!usersUnderTest(spec) && isForOthers(spec, rules.at(-1))) return splitOf(100, 0);
      const rule = ruleOf(spec, rules, 'split');
      const backends = listOf(rule?.['backendRefs']);
      return splitOf(
        weightOf(backends, 'name', primaryName(spec), 1),
        weightOf(backends, 'name', canary, 1),
        rules.some((each) => mirrorsTo(each, canary)),
      );
    },
    trouble: ({ spec }, [live]) => (live ? notAccepted(spec, live) : undefined),
  } satisfies Partial<Router>;
  const supports = { weights: true, mirror: true, headers: true, affinity: true };
  const of = ({ spec }: RouteContext): typeof own | typeof adoptedRoute => (spec.service.routeRef ? adoptedRoute : own);
  return {
    name,
    about: {
      title: `Gateway API ${version}`,
      url: 'https://gateway-api.sigs.k8s.io/',
      ...(name === 'gatewayapi' ? { notes: 'the same as gatewayapi:v1' } : {}),
    },
    supports,
    kinds: [{ apiVersion, kind, plural: 'httproutes' }, ...otherRoutes],
    fields: [
      'spec.service.gatewayRefs',
      'spec.service.routeRef',
      'spec.service.hosts',
      'spec.service.match',
      'spec.service.rewrite',
      'spec.service.headers',
      'spec.service.mirror',
      'spec.service.corsPolicy',
      'spec.service.timeout',
      'spec.service.backendTimeout',
      'spec.analysis.mirror',
    ],
    entrances: gateways,
    // Users who are told apart need rules of their own.
    supportsFor: ({ service: { routeRef } }) =>
      routeRef ? { weights: true, mirror: false, headers: false, affinity: false } : supports,
    entrance: kind,
    isUsersOwn: ({ service: { routeRef } }) => routeRef !== undefined,
    refs: (context) => of(context).refs(context),
    render: (context, split, live) => of(context).render(context, split, live),
    home: (context, live) => of(context).home(context, live),
    warnings: ({ spec }, [live]) => (spec.service.routeRef && live ? retryWarnings(spec, live) : []),
    leave: (context, live) => (context.spec.service.routeRef ? adoptedRoute.leave(context, live) : undefined),
    read: (context, live) => of(context).read(context, live),
    trouble: (context, live) => of(context).trouble(context, live),
  };
}

function gateways({ namespace, service: { raw } }: CanarySpec): readonly Entrance[] {
  const { gatewayRefs } = raw;
  return (Array.isArray(gatewayRefs) ? gatewayRefs : []).flatMap((entry: unknown, index): readonly Entrance[] => {
    const { group, kind, name, namespace: where } = jsonOf(entry);
    if (typeof name !== 'string' || (kind ?? 'Gateway') !== 'Gateway' || (group ?? GROUP) !== GROUP) return [];
    const ref = { kind: 'Gateway', namespace: typeof where === 'string' ? where : namespace, name };
    return [{ ref: { apiVersion: `${GROUP}/v1`, ...ref }, field: `spec.service.gatewayRefs[${index}]` }];
  });
}

function parentRefs(spec: CanarySpec): readonly Json[] {
  const refs = listOf(spec.service.raw['gatewayRefs']);
  if (refs.length === 0) throw invalid(spec, 'GatewayRefs must be specified when using Gateway API as a provider.');
  return refs.map((ref) => ({ group: GROUP, kind: 'Gateway', ...ref }));
}

interface Rule {
  readonly matches: readonly Json[];
  readonly filters: readonly Json[];
  readonly backends: readonly Backend[];
  /** The live rule of which it keeps what is not ours. Absent: none. */
  readonly over?: 'split' | 'others';
}

interface Backend {
  readonly name: string;
  readonly weight: number;
  /** `Set-Cookie` of its answers. Absent: none. */
  readonly setCookie?: string | undefined;
}

function rules(
  context: RouteContext,
  split: TrafficSplit,
  version: 'v1' | 'v1beta1',
  live: readonly Json[],
): readonly Json[] {
  const { spec } = context;
  const cors = version === 'v1';
  const timeouts = version === 'v1' ? timeoutsOf(spec) : {};
  const users = usersUnderTest(spec);
  const all = users ? userRules(spec, users, split, cors) : weightedRules(context, split, cors);
  return all
    .flatMap((rule) => (replacesPrefix(spec) ? perMatch(rule) : [rule]))
    .map(({ matches, filters, backends, over }) => {
      const before = over === undefined ? undefined : ruleOf(spec, live, over);
      const standing = Object.entries(before ?? {}).filter(([field]) => !OWNED.includes(field));
      const oldBackends = listOf(before?.['backendRefs']);
      return {
        ...Object.fromEntries(standing),
        matches,
        ...(filters.length > 0 ? { filters } : {}),
        ...(Object.keys(timeouts).length > 0 ? { timeouts } : {}),
        // Users who are kept on a backend come back to it although it has no weight (GEP-1619).
        backendRefs: backends
          .filter(({ name, weight }) => weight > 0 || name !== canaryName(spec) || !isKept(before))
          .map(({ name, weight, setCookie }) => {
            const { filters: _filters, ...kept } = oldBackends.find((backend) => backend['name'] === name) ?? {};
            return {
              ...kept,
              group: '',
              kind: 'Service',
              name,
              port: spec.service.port,
              weight,
              ...(setCookie === undefined ? {} : { filters: [setsCookie(setCookie)] }),
            };
          }),
      };
    });
}

/** Gateway API rewrites a prefix only in rules with a single match. */
function replacesPrefix({ service: { raw } }: CanarySpec): boolean {
  return jsonOf(raw['rewrite'])['type'] === 'ReplacePrefixMatch';
}

function perMatch({ matches, over, ...rule }: Rule): readonly Rule[] {
  return matches.map((match, at) => ({
    ...rule,
    matches: [match],
    ...(over !== undefined && at === matches.length - 1 ? { over } : {}),
  }));
}

function weightedRules(context: RouteContext, split: TrafficSplit, cors: boolean): readonly Rule[] {
  const { spec } = context;
  const { sticky, forget, canarySets, primarySets } = stickinessOf(context, split);
  const filters = filtersOf(spec, { mirror: split.mirror, cors });
  const setCookie = forget?.setCookie;
  const [primary, canary] = bothOf(spec, split.canaryWeight);
  return [
    ...sticky.map(({ cookie, canaryWeight }) => ({
      matches: cookieMatches(spec, cookie),
      filters: filtersOf(spec, { mirror: false, cors }),
      backends: bothOf(spec, canaryWeight),
    })),
    ...(forget === undefined
      ? []
      : [
          {
            matches: cookieMatches(spec, forget.cookie),
            filters: filtersOf(spec, { mirror: split.mirror, cors, setCookie }),
            backends: [primary, canary],
          },
        ]),
    {
      matches: serviceMatches(spec),
      filters,
      backends: [
        { ...primary, setCookie: primarySets },
        { ...canary, setCookie: canarySets },
      ],
      over: 'split',
    },
  ];
}

/** Users under test, and everybody else. */
function userRules(
  spec: CanarySpec,
  match: readonly unknown[],
  { canaryWeight, mirror }: TrafficSplit,
  cors: boolean,
): readonly Rule[] {
  const [primary] = bothOf(spec, 0);
  return [
    {
      matches: analysisMatches(spec, match),
      filters: filtersOf(spec, { mirror, cors }),
      backends: bothOf(spec, canaryWeight),
      over: 'split',
    },
    {
      matches: serviceMatches(spec),
      filters: filtersOf(spec, { mirror: false, cors }),
      backends: [primary],
      over: 'others',
    },
  ];
}

/** Somebody has asked Gateway API to keep users of this rule on the backend that they met first. */
function isKept(rule: Json | undefined): boolean {
  return (rule?.['sessionPersistence'] ?? undefined) !== undefined;
}

function bothOf(spec: CanarySpec, canaryWeight: number): readonly [Backend, Backend] {
  return [
    { name: primaryName(spec), weight: 100 - canaryWeight },
    { name: canaryName(spec), weight: canaryWeight },
  ];
}

/** The rule that splits is the last that knows both versions: sticky ones come first. */
function ruleOf(spec: CanarySpec, rules: readonly Json[], which: 'split' | 'others'): Json | undefined {
  const knows = (rule: Json, name: string): boolean =>
    listOf(rule['backendRefs']).some((backend) => backend['name'] === name);
  const [primary, canary] = [primaryName(spec), canaryName(spec)];
  return which === 'split'
    ? (rules.findLast((rule) => knows(rule, canary) && knows(rule, primary)) ??
        // The canary had to go from it.
        rules.find((rule) => knows(rule, primary) && isKept(rule)))
    : rules.findLast((rule) => knows(rule, primary) && !knows(rule, canary));
}

/** The rule for everybody who is not under test. */
function isForOthers(spec: CanarySpec, rule: Json | undefined): boolean {
  const names = listOf(rule?.['backendRefs']).map(({ name }) => name);
  if (!names.includes(primaryName(spec)) || names.includes(canaryName(spec))) return false;
  const everybody = serviceMatches(spec);
  return listOf(rule?.['matches']).every((match) => everybody.some((each) => sameJson(each, match)));
}

function timeoutsOf(spec: CanarySpec): Json {
  const { timeout, backendTimeout } = spec.service.raw;
  return {
    ...(typeof timeout === 'string' && timeout !== '' ? { request: timeout } : {}),
    ...(typeof backendTimeout === 'string' && backendTimeout !== '' ? { backendRequest: backendTimeout } : {}),
  };
}
