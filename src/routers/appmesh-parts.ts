import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { jsonOf } from '../lib/json.ts';
import { invalid, type Json, listOf } from './objects.ts';
import { falseCondition, reasonOf, whatOf } from './refusal.ts';
import type { LiveObjects } from './router.ts';

/** What the two versions of App Mesh's objects have in common. */

export const about = {
  title: 'AWS App Mesh',
  url: 'https://docs.aws.amazon.com/app-mesh/latest/userguide/what-is-app-mesh.html',
} as const;

export const endOfLife = 'AWS ended App Mesh on 30 September 2026';

/** Of the first route, those for further users under test, and the one for everybody else. The lowest number is looked at first. */
const [firstPriority, lastPriority] = [10, 20];
/** App Mesh knows no number above it. */
const greatestPriority = 1000;

/** A route before it has a split. */
export interface RoutePlan {
  readonly name: string;
  /** Absent: it is the only route. */
  readonly priority?: number;
  readonly headers?: readonly Json[];
  /** Only the primary is behind it. Absent: both are. */
  readonly isForOthers?: true;
}

/** Routes of the apex service: one for everybody, or one for each group of users under test and one for all others. */
export function routePlans(spec: CanarySpec): readonly RoutePlan[] {
  const { name } = spec.service;
  const users = usersUnderTest(spec);
  if (!users) return [{ name }];
  const groups = users.map((group) => headersOf(spec, jsonOf(group)));
  if (groups.length === 0) throw needsHeaders(spec);
  if (groups.length > greatestPriority - firstPriority)
    throw invalid(spec, `App Mesh takes no more than ${greatestPriority - firstPriority}`, 'spec.analysis.match');
  return [
    ...groups.map((headers, index) => ({
      name: index === 0 ? `${name}-a` : `${name}-a-${index + 1}`,
      priority: firstPriority + index,
      headers,
    })),
    { name: `${name}-b`, priority: Math.max(lastPriority, firstPriority + groups.length), isForOthers: true },
  ];
}

function headersOf(spec: CanarySpec, { headers }: Json): readonly Json[] {
  const found = Object.entries(jsonOf(headers)).map(([name, value]) => {
    const { exact, prefix, regex, suffix } = jsonOf(value);
    const match = Object.entries({ exact, prefix, regex, suffix }).find(([, text]) => typeof text === 'string');
    return { name, match: Object.fromEntries(match ? [match] : []) };
  });
  // Without a header it would be a route for everybody.
  if (found.length === 0) throw needsHeaders(spec);
  return found;
}

function needsHeaders(spec: CanarySpec): Error {
  return invalid(spec, 'App Mesh needs headers', 'spec.analysis.match');
}

/** App Mesh knows no paths but prefixes, and Flagger takes the first. */
export function prefixOf(spec: CanarySpec): string {
  const { prefix } = jsonOf(listOf(spec.service.raw['match'])[0]?.['uri']);
  return typeof prefix === 'string' && prefix !== '' ? prefix : '/';
}

export function protocolOf({ service: { portName } }: CanarySpec): 'grpc' | 'http' {
  return portName.includes('grpc') ? 'grpc' : 'http';
}

/** Reasons to try again, as App Mesh calls them; those that only Istio has, by what comes nearest. */
const httpEvents = new Map([
  ...['server-error', 'gateway-error', 'client-error', 'stream-error'].map((event) => [event, event] as const),
  ['5xx', 'server-error'],
  ['retriable-4xx', 'client-error'],
  ['refused-stream', 'stream-error'],
]);
const tcpEvents = new Map(['connection-error', 'connect-failure', 'reset'].map((event) => [event, 'connection-error']));

interface Retries {
  readonly attempts: number;
  readonly timeoutMs: number;
  /** `httpRetryEvents` and `tcpRetryEvents`, each where there are any. */
  readonly events: Readonly<Record<string, readonly string[]>>;
}

/** What a route tries again; undefined where the Canary says nothing of it. */
export function retriesOf(spec: CanarySpec): Retries | undefined {
  const { retries } = spec.service.raw;
  if (retries === undefined || retries === null) return undefined;
  const { attempts, perTryTimeout, retryOn } = jsonOf(retries);
  const asked = typeof retryOn === 'string' && retryOn !== '' ? retryOn.split(',') : ['gateway-error'];
  const events = asked.map((event) => event.trim());
  const unknown = events.find((event) => !httpEvents.has(event) && !tcpEvents.has(event));
  if (unknown !== undefined) {
    const message = `App Mesh does not know "${unknown}"; it retries on ${[...httpEvents.keys(), ...tcpEvents.keys()].join(', ')}`;
    throw invalid(spec, message, 'spec.service.retries.retryOn');
  }
  const [http, tcp] = [httpEvents, tcpEvents].map((known) => [
    ...new Set(events.flatMap((event) => known.get(event) ?? [])),
  ]);
  return {
    attempts: typeof attempts === 'number' && attempts > 0 ? attempts : 1,
    timeoutMs: millisecondsOf(perTryTimeout) ?? 250,
    events: {
      ...(http && http.length > 0 ? { httpRetryEvents: http } : {}),
      ...(tcp && tcp.length > 0 ? { tcpRetryEvents: tcp } : {}),
    },
  };
}

/** Undefined where it is no duration of Go. */
export function millisecondsOf(duration: unknown): number | undefined {
  const parsed = typeof duration === 'string' && duration !== '' ? parseGoDuration(duration) : undefined;
  return parsed === undefined ? undefined : Math.trunc(parsed);
}

export function backendsOf({ service: { raw } }: CanarySpec): readonly string[] {
  const { backends } = raw;
  return Array.isArray(backends) ? backends.filter((name): name is string => typeof name === 'string') : [];
}

/** By which the gateway of App Mesh lets users in. */
export function gatewayAnnotations({ service: { raw } }: CanarySpec): Readonly<Record<string, string>> {
  const { hosts, timeout, retries } = raw;
  const domains = (Array.isArray(hosts) ? hosts : []).map((host) => `${String(host)},`).join('');
  const { attempts } = jsonOf(retries);
  if (domains === '') return {};
  return {
    'gateway.appmesh.k8s.aws/expose': 'true',
    'gateway.appmesh.k8s.aws/domain': domains,
    ...(typeof timeout === 'string' && timeout !== '' ? { 'gateway.appmesh.k8s.aws/timeout': timeout } : {}),
    ...(typeof attempts === 'number' && attempts > 0 ? { 'gateway.appmesh.k8s.aws/retries': String(attempts) } : {}),
  };
}

/** A list whose first entry is ours: what else the first one says, and all others, are the users'. */
export function firstOf(live: unknown, owned: readonly string[], wanted: Json): readonly Json[] {
  const [first, ...others] = listOf(live);
  return [{ ...without(first ?? {}, owned), ...wanted }, ...others];
}

export function without(value: Json, fields: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));
}

/** What App Mesh says of an object that it does not take; undefined where it says nothing against one. */
export function notActive(live: LiveObjects): string | undefined {
  for (const object of live) {
    const refusal = falseCondition(object, [`${object?.kind ?? ''}Active`, 'VirtualRouterActive', 'RoutesActive']);
    if (object && refusal) return `${whatOf(object)} is not active in App Mesh: ${reasonOf(refusal)}`;
  }
  return undefined;
}
