import { decideAppMesh } from './appmesh.ts';
import { parseClusterHost } from './cluster-host.ts';
import { decideMeshRoute } from './http-route.ts';
import { fieldsOf, listOf, numberOf, textOf } from './read.ts';
import type { ServicePort } from './service-port.ts';
import { type Decision, noEdits, type RouteRequest, type Surroundings } from './route.ts';
import { nearestPort } from './routing-objects.ts';
import { decideTraefikService } from './traefik.ts';

/** Names inside the cluster: what the mesh says of the Service, a TraefikService of that name, the Service itself. */
export function decideClusterName(request: RouteRequest, around: Surroundings): Decision | undefined {
  const parsed = parseClusterHost(request.host);
  if (!parsed) return undefined;
  const { name, namespace, zone } = parsed;
  if (zone === 'traefik') return decideTraefikService(namespace, name, around);
  return (
    decideMesh(request, namespace, name, around) ??
    decideTraefikService(namespace, name, around) ??
    decideService(request, namespace, name, around)
  );
}

/** What callers with a mesh's proxy get: HTTPRoutes on the Service, then TrafficSplits. Undefined: nothing is said about it. */
export function decideMesh(
  request: RouteRequest,
  namespace: string,
  name: string,
  around: Surroundings,
): Decision | undefined {
  const port = nearestPort(around.objects, namespace, name, request.port);
  if (port === undefined) return undefined;
  const apex = { namespace, service: name, port };
  return (
    decideMeshRoute(request, apex, around) ??
    decideTrafficSplit(apex, around) ??
    decideTrafficRoute(apex, around) ??
    decideAppMesh(request, apex, around)
  );
}

/** The weights of v1alpha1 are quantities, later ones integers. TrafficSplits with `matches` are not understood and left out. */
function decideTrafficSplit({ namespace, service, port }: ServicePort, around: Surroundings): Decision | undefined {
  const split = around.objects.trafficSplits.find(({ metadata, spec }) => {
    const { service: apex, matches } = fieldsOf(spec);
    return metadata.namespace === namespace && apex === service && listOf(matches).length === 0;
  });
  if (!split) return undefined;
  const backends = listOf(fieldsOf(split.spec).backends).map((backend, index) => ({
    id: `${index}:${textOf(backend.service)}`,
    weight: quantity(backend.weight),
    service: textOf(backend.service),
  }));
  const chosen = around.pick(split.metadata.uid, backends);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no backend has a weight' };
  const asked = typeof port === 'number' ? port : undefined;
  const to = {
    namespace,
    service: chosen.service,
    port: nearestPort(around.objects, namespace, chosen.service, asked) ?? port,
  };
  return { kind: 'forward', to, edits: noEdits };
}

/** Kuma's, whose tags name a Service, its namespace and its port: `shop_prod_svc_80`. */
function decideTrafficRoute({ namespace, service, port }: ServicePort, around: Surroundings): Decision | undefined {
  const route = around.objects.trafficRoutes.find(({ spec }) =>
    listOf(fieldsOf(spec).destinations).some(({ match }) => tagOf(match) === `${service}_${namespace}_svc_${port}`),
  );
  if (!route) return undefined;
  const choices = listOf(fieldsOf(fieldsOf(route.spec).conf).split).map(({ weight, destination }, index) => ({
    id: String(index),
    weight: numberOf(weight) ?? 0,
    tag: tagOf(destination),
  }));
  const chosen = around.pick(route.metadata.uid, choices);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no destination has a weight' };
  const [name = '', inside = '', , number] = chosen.tag.split('_');
  const to = { namespace: inside, service: name, port: numberOf(number) ?? port };
  return { kind: 'forward', to, edits: noEdits, account: { proxy: 'envoy', labels: { service: chosen.tag } } };
}

function tagOf(value: unknown): string {
  return textOf(fieldsOf(value)['kuma.io/service']);
}

function quantity(weight: unknown): number {
  const milli = textOf(weight).endsWith('m') ? numberOf(textOf(weight).slice(0, -1)) : undefined;
  return milli === undefined ? (numberOf(weight) ?? 0) : milli / 1000;
}

function decideService(
  request: RouteRequest,
  namespace: string,
  service: string,
  { objects }: Surroundings,
): Decision | undefined {
  const port = nearestPort(objects, namespace, service, request.port);
  return port === undefined ? undefined : { kind: 'forward', to: { namespace, service, port }, edits: noEdits };
}
