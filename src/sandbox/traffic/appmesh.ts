import { parseClusterHost } from './cluster-host.ts';
import { fieldsOf, type Fields, listOf, numberOf, textOf } from './read.ts';
import { type Decision, isPathPrefix, noEdits, type RouteRequest, type Surroundings } from './route.ts';
import { nearestPort } from './routing-objects.ts';
import type { ServicePort } from './service-port.ts';

/** What sidecars of App Mesh do with a request for a VirtualService of this name: the first route that takes it decides. */
export function decideAppMesh(request: RouteRequest, apex: ServicePort, around: Surroundings): Decision | undefined {
  const found = routesOf(apex, around);
  if (!found) return undefined;
  const routes = [...found.routes].sort((one, other) => priorityOf(one) - priorityOf(other));
  const at = routes.findIndex((route) => takes(fieldsOf(httpOf(route).match), request));
  const { weightedTargets } = fieldsOf(httpOf(routes[at] ?? {}).action);
  const choices = listOf(weightedTargets).map(({ virtualNodeRef, virtualNodeName, weight }, index) => ({
    id: String(index),
    weight: numberOf(weight) ?? 0,
    node: textOf(fieldsOf(virtualNodeRef).name) || textOf(virtualNodeName),
  }));
  const chosen = around.pick(`${found.uid}/${at}`, choices);
  if (!chosen) return { kind: 'answer', status: 404, reason: 'no route of the VirtualService takes the request' };
  const to = serviceOf(chosen.node, apex, around);
  return to
    ? { kind: 'forward', to, edits: noEdits }
    : { kind: 'answer', status: 503, reason: `there is no VirtualNode ${chosen.node}` };
}

/** Of the VirtualRouter behind it, or, as the first version has it, its own. */
function routesOf(
  { namespace, service }: ServicePort,
  { objects }: Surroundings,
): { readonly uid: string; readonly routes: readonly Fields[] } | undefined {
  const named = objects.meshServices.find(
    ({ metadata }) => metadata.namespace === namespace && [service, `${service}.${namespace}`].includes(metadata.name),
  );
  if (!named) return undefined;
  const { routes, provider } = fieldsOf(named.spec);
  if (routes !== undefined) return { uid: named.metadata.uid, routes: listOf(routes) };
  const { name } = fieldsOf(fieldsOf(fieldsOf(provider).virtualRouter).virtualRouterRef);
  const router = objects.meshRouters.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === textOf(name),
  );
  return { uid: named.metadata.uid, routes: listOf(fieldsOf(router?.spec).routes) };
}

/** The Service that the DNS name of a VirtualNode is of. */
function serviceOf(node: string, { namespace, port }: ServicePort, { objects }: Surroundings): ServicePort | undefined {
  const found = objects.meshNodes.find(({ metadata }) => metadata.namespace === namespace && metadata.name === node);
  const { hostname, hostName } = fieldsOf(fieldsOf(fieldsOf(found?.spec).serviceDiscovery).dns);
  const parsed = parseClusterHost(textOf(hostname) || textOf(hostName));
  if (!parsed) return undefined;
  const asked = typeof port === 'number' ? port : undefined;
  const nearest = nearestPort(objects, parsed.namespace, parsed.name, asked);
  return { namespace: parsed.namespace, service: parsed.name, port: nearest ?? port };
}

function httpOf(route: Fields): Fields {
  return fieldsOf(route.httpRoute ?? route.http);
}

/** The lowest number first; a route without one comes last. */
function priorityOf(route: Fields): number {
  return numberOf(route.priority) ?? Number.POSITIVE_INFINITY;
}

function takes({ prefix, headers }: Fields, request: RouteRequest): boolean {
  if (prefix !== undefined && !isPathPrefix(textOf(prefix), request.path)) return false;
  return listOf(headers).every(({ name, match }) => {
    const given = request.headers[textOf(name).toLowerCase()];
    return given !== undefined && agrees(Array.isArray(given) ? given.join(',') : String(given), fieldsOf(match));
  });
}

function agrees(given: string, { exact, prefix, suffix, regex }: Fields): boolean {
  if (exact !== undefined) return given === exact;
  if (prefix !== undefined) return given.startsWith(textOf(prefix));
  if (suffix !== undefined) return given.endsWith(textOf(suffix));
  if (regex === undefined) return true;
  try {
    return new RegExp(`^(?:${textOf(regex)})$`).test(given);
  } catch {
    return false;
  }
}
