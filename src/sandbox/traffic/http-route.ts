import type { StoredObject } from '../types.ts';
import { applyFilters } from './filters.ts';
import { type MatchedRule, matchRules } from './http-route-match.ts';
import { fieldsOf, type Fields, listOf, numberOf, textOf, textsOf } from './read.ts';
import type { ServicePort } from './service-port.ts';
import { type Decision, type HostRank, hostRank, type RouteRequest, type Surroundings } from './route.ts';
import { portNumber } from './routing-objects.ts';

/** HTTPRoutes that hang on a Gateway; the most exact hostname goes first, among equal ones the rules of the Gateway API. */
export function decideHttpRoute(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  const named = around.objects.httpRoutes.filter(isOnGateway).flatMap((route) => {
    const hostnames = textsOf(fieldsOf(route.spec).hostnames);
    const fitting = (hostnames.length > 0 ? hostnames : ['*']).filter((name) => hostRank(name, request.host) === rank);
    return fitting.length > 0 ? [{ route, length: Math.max(...fitting.map((name) => name.length)) }] : [];
  });
  const longest = Math.max(0, ...named.map(({ length }) => length));
  const routes = named.filter(({ length }) => length === longest).map(({ route }) => route);
  const matched = matchRules(routes, request);
  return matched && decideRule(matched, request, around);
}

/** HTTPRoutes that hang on a Service: they say where callers in the mesh go. */
export function decideMeshRoute(request: RouteRequest, apex: ServicePort, around: Surroundings): Decision | undefined {
  const routes = around.objects.httpRoutes.filter(({ spec, metadata }) =>
    listOf(fieldsOf(spec).parentRefs).some(
      (parent) =>
        parent.kind === 'Service' &&
        parent.name === apex.service &&
        (textOf(parent.namespace) || metadata.namespace) === apex.namespace &&
        (parent.port === undefined || parent.port === apex.port),
    ),
  );
  const matched = matchRules(routes, request);
  return matched && decideRule(matched, request, around);
}

function isOnGateway({ spec }: StoredObject): boolean {
  const parents = listOf(fieldsOf(spec).parentRefs);
  return parents.length === 0 || parents.some(({ kind }) => kind !== 'Service');
}

interface Backend {
  readonly id: string;
  readonly weight: number;
  readonly to: ServicePort;
  readonly filters: readonly Fields[];
}

function decideRule(
  { route, rule, ruleIndex, prefix }: MatchedRule,
  request: RouteRequest,
  around: Surroundings,
): Decision {
  const namespace = route.metadata.namespace ?? '';
  const key = `${route.metadata.uid}/${ruleIndex}`;
  const backends = listOf(rule.backendRefs).map((ref, index) => backendOf(ref, index, namespace));
  const backend = around.pick(key, backends);
  const place = { key, namespace, prefix, request, pick: around.pick };
  const edits = applyFilters([...listOf(rule.filters), ...(backend?.filters ?? [])], place);
  if ('redirect' in edits) {
    const { status, location } = edits.redirect;
    return { kind: 'answer', status, reason: '', headers: { location } };
  }
  if ('unsupported' in edits) {
    return { kind: 'answer', status: 500, reason: `filter ${edits.unsupported} is not supported` };
  }
  if (!backend) return { kind: 'answer', status: 500, reason: 'no backend has a weight' };
  if (portNumber(around.objects, backend.to) === undefined) {
    return { kind: 'answer', status: 500, reason: `backend ${backend.id} does not exist` };
  }
  const timeoutMs = durationMs(textOf(fieldsOf(rule.timeouts).request));
  return {
    kind: 'forward',
    to: backend.to,
    edits: timeoutMs === undefined ? edits : { ...edits, timeoutMs },
  };
}

function backendOf(ref: Fields, index: number, namespace: string): Backend {
  const to = {
    namespace: textOf(ref.namespace) || namespace,
    service: textOf(ref.name),
    port: numberOf(ref.port) ?? 80,
  };
  const id = `${index}:${to.namespace}/${to.service}:${to.port}`;
  return { id, weight: numberOf(ref.weight) ?? 1, to, filters: listOf(ref.filters) };
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** `1m30s`, as the Gateway API writes durations; undefined for none and for `0s`, which switches a timeout off. */
function durationMs(text: string): number | undefined {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)) {
    total += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total > 0 ? total : undefined;
}
