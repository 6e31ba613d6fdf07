import type { StoredObject } from '../types.ts';
import { fieldsOf, listOf, numberOf, textOf } from './read.ts';
import type { ServicePort } from './service-port.ts';
import {
  type Decision,
  type HostRank,
  hostRank,
  isPathPrefix,
  noEdits,
  type RouteRequest,
  type Surroundings,
} from './route.ts';
import { nameKey, portNumber } from './routing-objects.ts';
import { backendWeights, isDisabled, routeWeight } from './skipper.ts';

const PREFIX = 'nginx.ingress.kubernetes.io/';

/** One path of one Ingress. */
interface Location {
  readonly ingress: StoredObject;
  readonly host: string;
  readonly path: string;
  readonly exact: boolean;
  readonly to: ServicePort;
}

/**
 * Ingresses as ingress-nginx serves them: the longest path wins, and a canary Ingress takes requests off the same host and path. Those with
 * annotations of Skipper as Skipper does: conditions before paths, and a path may have several backends with weights.
 */
export function decideIngress(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  const locations = around.objects.ingresses.filter((ingress) => !isDisabled(ingress)).flatMap(locationsOf);
  const main = locations
    .filter((location) => !isCanary(location) && hostRank(location.host, request.host) === rank)
    .filter(({ path, exact }) => (exact ? request.path === path : isPathPrefix(path, request.path)))
    .sort(
      (a, b) =>
        routeWeight(b.ingress) - routeWeight(a.ingress) ||
        b.path.length - a.path.length ||
        Number(b.exact) - Number(a.exact),
    )[0];
  if (!main) return undefined;
  const weights = backendWeights(main.ingress);
  if (weights) return decideWeighted(main, locations, weights, around);
  const canary = locations.find(
    (other) =>
      isCanary(other) &&
      other.host === main.host &&
      other.path === main.path &&
      other.exact === main.exact &&
      other.ingress.metadata.namespace === main.ingress.metadata.namespace,
  );
  // nginx knows no upstream without endpoints, so a canary that is not ready gets nothing.
  const isUp = canary && around.isReady(upstreamOf(canary.to, around));
  const taken = isUp && takesRequest(canary, request, around) ? canary : undefined;
  const ingress = {
    namespace: main.ingress.metadata.namespace ?? '',
    ingress: main.ingress.metadata.name,
    service: main.to.service,
    canary: taken ? `${taken.to.namespace}-${taken.to.service}-${taken.to.port}` : '',
    host: main.host,
    path: main.path,
  };
  const to = upstreamOf((taken ?? main).to, around);
  return { kind: 'forward', to, edits: noEdits, account: { proxy: 'nginx', ingress } };
}

function decideWeighted(
  main: Location,
  locations: readonly Location[],
  weights: ReadonlyMap<string, number>,
  around: Surroundings,
): Decision {
  const choices = locations
    .filter(
      ({ ingress, host, path, exact }) =>
        ingress === main.ingress && host === main.host && path === main.path && exact === main.exact,
    )
    .map((location, index) => ({ id: String(index), weight: weights.get(location.to.service) ?? 0, location }));
  const chosen = around.pick(`${main.ingress.metadata.uid}${main.host}${main.path}`, choices);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no backend has a weight' };
  const { metadata } = main.ingress;
  const parts = [metadata.namespace ?? '', metadata.name, main.host, main.path, chosen.location.to.service];
  const route = `kube_${parts.map((part) => part.replaceAll(/\W/g, '_')).join('__')}`;
  return {
    kind: 'forward',
    to: upstreamOf(chosen.location.to, around),
    edits: noEdits,
    account: { proxy: 'skipper', route },
  };
}

/** ingress-nginx takes the number of a Service's target port for its port too. */
function upstreamOf(to: ServicePort, { objects }: Surroundings): ServicePort {
  if (portNumber(objects, to) !== undefined) return to;
  const spec = fieldsOf(objects.services.get(nameKey(to.namespace, to.service))?.spec);
  const found = listOf(spec.ports).find(({ targetPort }) => targetPort === to.port);
  return { ...to, port: numberOf(found?.port) ?? to.port };
}

function locationsOf(ingress: StoredObject): readonly Location[] {
  const { rules, defaultBackend } = fieldsOf(ingress.spec);
  const namespace = ingress.metadata.namespace ?? '';
  const locations = listOf(rules).flatMap((rule) =>
    listOf(fieldsOf(rule.http).paths).map((entry) => ({
      ingress,
      host: textOf(rule.host).toLowerCase(),
      path: textOf(entry.path) || '/',
      exact: entry.pathType === 'Exact',
      to: backendOf(entry.backend, namespace),
    })),
  );
  if (defaultBackend === undefined) return locations;
  return [...locations, { ingress, host: '', path: '/', exact: false, to: backendOf(defaultBackend, namespace) }];
}

function backendOf(backend: unknown, namespace: string): ServicePort {
  const { name, port } = fieldsOf(fieldsOf(backend).service);
  return { namespace, service: textOf(name), port: numberOf(fieldsOf(port).number) ?? textOf(fieldsOf(port).name) };
}

function annotation({ ingress }: Location, name: string): string {
  return ingress.metadata.annotations?.[`${PREFIX}${name}`] ?? '';
}

function isCanary(location: Location): boolean {
  return annotation(location, 'canary') === 'true';
}

/** Header before cookie before weight; the first that says yes or no decides. */
function takesRequest(canary: Location, { headers }: RouteRequest, around: Surroundings): boolean {
  const name = annotation(canary, 'canary-by-header');
  const header = name === '' ? undefined : headers[name.toLowerCase()];
  if (header !== undefined) {
    const byHeader = headerSays(canary, String(header));
    if (byHeader !== undefined) return byHeader;
  }
  const cookie = cookieOf(headers.cookie ?? '', annotation(canary, 'canary-by-cookie'));
  if (cookie === 'always' || cookie === 'never') return cookie === 'always';
  const weight = numberOf(annotation(canary, 'canary-weight')) ?? 0;
  const total = numberOf(annotation(canary, 'canary-weight-total')) ?? 100;
  const choices = [
    { id: 'main', weight: Math.max(0, total - weight) },
    { id: 'canary', weight },
  ];
  return around.pick(`${canary.ingress.metadata.uid}${canary.host}${canary.path}`, choices)?.id === 'canary';
}

function headerSays(canary: Location, header: string): boolean | undefined {
  const value = annotation(canary, 'canary-by-header-value');
  if (value !== '') return header === value ? true : undefined;
  const pattern = annotation(canary, 'canary-by-header-pattern');
  if (pattern !== '') return contains(pattern, header) ? true : undefined;
  return header === 'always' ? true : header === 'never' ? false : undefined;
}

function contains(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

function cookieOf(cookies: string, name: string): string | undefined {
  if (name === '') return undefined;
  for (const cookie of cookies.split(';')) {
    const [key = '', ...value] = cookie.trim().split('=');
    if (key === name) return value.join('=');
  }
  return undefined;
}
