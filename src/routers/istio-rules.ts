import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import { cookiePattern, escapeRegex, stickinessOf } from './affinity.ts';
import { jsonOf } from '../lib/json.ts';
import { canaryName, invalid, listOf, primaryName, type Json } from './objects.ts';
import type { RouteContext } from './router.ts';

/** Split by connection, not by request. */
export function isTcp({ service }: CanarySpec): boolean {
  return service.appProtocol?.toLowerCase() === 'tcp';
}

/** `spec.http` of the VirtualService; the first rule that matches a request wins. */
export function httpRules(context: RouteContext, split: TrafficSplit): readonly Json[] {
  const { spec } = context;
  const service = listOf(spec.service.raw['match']);
  const weights = { primary: 100 - split.canaryWeight, canary: split.canaryWeight };
  const users = usersUnderTest(spec);
  if (users) {
    return [
      {
        ...rule(spec, mergeMatches(service, usersOf(spec, users)), both(spec, weights)),
        ...mirrorOf(spec, split),
      },
      // A single destination gets everything, whatever its weight says; Flagger writes the primary's.
      rule(spec, service, [destination(spec, primaryName(spec), weights.primary)]),
    ];
  }
  const { sticky, forget, canarySets, primarySets } = stickinessOf(context, split);
  const withCookie = (cookie: string): readonly Json[] =>
    mergeMatches(service, [{ headers: { Cookie: { regex: cookiePattern(cookie) } } }]);
  return [
    ...sticky.map(({ cookie, canaryWeight }) =>
      rule(spec, withCookie(cookie), both(spec, { primary: 100 - canaryWeight, canary: canaryWeight })),
    ),
    ...(forget === undefined
      ? []
      : [
          {
            ...rule(spec, withCookie(forget.cookie), both(spec, weights)),
            headers: adding(spec.service.raw['headers'], forget.setCookie),
            ...mirrorOf(spec, split),
          },
        ]),
    {
      ...rule(spec, service, [
        { ...destination(spec, primaryName(spec), weights.primary), ...setting(primarySets) },
        { ...destination(spec, canaryName(spec), weights.canary), ...setting(canarySets) },
      ]),
      ...mirrorOf(spec, split),
    },
  ];
}

/** `spec.tcp` of the VirtualService. */
export function tcpRules({ spec }: RouteContext, { canaryWeight }: TrafficSplit): readonly Json[] {
  const ports = listOf(spec.service.raw['match']).flatMap(({ port }) => (port === undefined ? [] : [{ port }]));
  const route = both(spec, { primary: 100 - canaryWeight, canary: canaryWeight });
  return [{ ...(ports.length > 0 ? { match: ports } : {}), route }];
}

function rule(spec: CanarySpec, match: readonly Json[], route: readonly Json[]): Json {
  const { rewrite, timeout, retries, corsPolicy, headers } = spec.service.raw;
  const { type: _gatewayApis, ...istios } = jsonOf(rewrite);
  const taken = { timeout, retries, corsPolicy, headers };
  return {
    ...(match.length > 0 ? { match } : {}),
    ...(Object.keys(istios).length > 0 ? { rewrite: istios } : {}),
    ...Object.fromEntries(Object.entries(taken).filter(([, value]) => value !== undefined && value !== '')),
    route,
  };
}

function both(spec: CanarySpec, weights: { readonly primary: number; readonly canary: number }): readonly Json[] {
  return [destination(spec, primaryName(spec), weights.primary), destination(spec, canaryName(spec), weights.canary)];
}

function destination(spec: CanarySpec, host: string, weight: number): Json {
  return { destination: hostOf(spec, host), weight };
}

/**
 * A gateway, other than the sidecars of the mesh, needs a port where the Service has several: without one it takes the port of its own
 * listener, where the Service may have nothing. Requests are lost by that, copies of requests without a word.
 */
function hostOf(spec: CanarySpec, host: string): Json {
  const { gateways, delegation } = spec.service.raw;
  const first: unknown = Array.isArray(gateways) ? gateways[0] : undefined;
  const isOutside = delegation === true || (first !== undefined && first !== 'mesh');
  const needsPort = spec.service.portDiscovery && isOutside;
  return { host, ...(needsPort ? { port: { number: spec.service.port } } : {}) };
}

function mirrorOf(spec: CanarySpec, { mirror }: TrafficSplit): Json {
  const { mirrorWeight = 0 } = spec.analysis;
  if (!mirror) return {};
  return {
    mirror: hostOf(spec, canaryName(spec)),
    ...(mirrorWeight > 0 ? { mirrorPercentage: { value: mirrorWeight } } : {}),
  };
}

function usersOf(spec: CanarySpec, match: readonly unknown[]): readonly Json[] {
  const users = match.map((user) => {
    const { headers, ...rest } = jsonOf(user);
    if (headers === undefined) return rest;
    const named = Object.entries(jsonOf(headers)).map(([name, value]) => [name, headerMatch(jsonOf(value))]);
    return { headers: Object.fromEntries(named) as Json, ...rest };
  });
  const isNobody = users.length === 0 || users.some(isEverybody);
  // An empty match would send everybody to the canary.
  if (isNobody) throw invalid(spec, 'Istio needs headers, queryParams or sourceLabels', 'spec.analysis.match');
  return users;
}

function isEverybody(user: Json): boolean {
  return Object.values(user).every((tests) => Object.keys(jsonOf(tests)).length === 0);
}

/** Istio knows no suffixes. */
function headerMatch({ suffix, ...rest }: Json): Json {
  return typeof suffix === 'string' ? { regex: `.*${escapeRegex(suffix)}` } : rest;
}

/** Every pair: who matches both. Where they speak of the same header, the analysis wins. */
function mergeMatches(service: readonly Json[], users: readonly Json[]): readonly Json[] {
  if (service.length === 0) return users;
  return users.flatMap((user) =>
    service.map((base) => {
      const merged = Object.keys(user).map((field) => [field, mergeMatch(base[field], user[field])]);
      return { ...base, ...Object.fromEntries(merged) } as Json;
    }),
  );
}

function mergeMatch(base: unknown, user: unknown): unknown {
  const isMap = typeof user === 'object' && user !== null && !Array.isArray(user);
  return isMap ? { ...jsonOf(base), ...user } : user;
}

function setting(setCookie: string | undefined): Json {
  return setCookie === undefined ? {} : { headers: adding(undefined, setCookie) };
}

function adding(headers: unknown, setCookie: string): Json {
  const { response, ...rest } = jsonOf(headers);
  const { add, ...others } = jsonOf(response);
  return { ...rest, response: { ...others, add: { ...jsonOf(add), 'Set-Cookie': setCookie } } };
}
