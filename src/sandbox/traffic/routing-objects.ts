import { asHttpRoute } from './grpc-route.ts';
import type { SandboxStore, StoredObject } from '../types.ts';
import { listOf, numberOf, textOf } from './read.ts';
import type { ServicePort } from './service-port.ts';

/** The objects that say where requests go, as they stand now. */
export interface RoutingObjects {
  /** GRPCRoutes are among them. */
  readonly httpRoutes: readonly StoredObject[];
  readonly ingressRoutes: readonly StoredObject[];
  readonly traefikServices: readonly StoredObject[];
  readonly ingresses: readonly StoredObject[];
  readonly trafficSplits: readonly StoredObject[];
  readonly apisixRoutes: readonly StoredObject[];
  readonly trafficRoutes: readonly StoredObject[];
  readonly glooVirtualServices: readonly StoredObject[];
  readonly routeTables: readonly StoredObject[];
  readonly upstreams: readonly StoredObject[];
  /** Of App Mesh. */
  readonly meshServices: readonly StoredObject[];
  readonly meshRouters: readonly StoredObject[];
  readonly meshNodes: readonly StoredObject[];
  readonly services: ReadonlyMap<string, StoredObject>;
}

export const GATEWAY_API: readonly string[] = ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'];
const TRAEFIK = ['traefik.io/v1alpha1'];
const APP_MESH = ['appmesh.k8s.aws/v1beta2', 'appmesh.k8s.aws/v1beta1'];
const SMI = ['split.smi-spec.io/v1alpha3', 'split.smi-spec.io/v1alpha2', 'split.smi-spec.io/v1alpha1'];

const KINDS: ReadonlySet<string> = new Set([
  'HTTPRoute',
  'GRPCRoute',
  'IngressRoute',
  'TraefikService',
  'Ingress',
  'TrafficSplit',
  'ApisixRoute',
  'TrafficRoute',
  'VirtualService',
  'RouteTable',
  'Upstream',
  'VirtualRouter',
  'VirtualNode',
  'Service',
]);

/** Answers the present objects; reads the store again only after something has changed. */
export function watchRoutingObjects(store: SandboxStore): { current(): RoutingObjects; stop(): void } {
  let known: RoutingObjects | undefined;
  const stop = store.onEvent(({ object }) => {
    if (KINDS.has(object.kind)) known = undefined;
  });
  return { current: () => (known ??= readRoutingObjects(store)), stop };
}

function readRoutingObjects(store: SandboxStore): RoutingObjects {
  const services = store.list('v1', 'Service');
  return {
    httpRoutes: [
      ...listVersions(store, GATEWAY_API, 'HTTPRoute'),
      ...listVersions(store, GATEWAY_API, 'GRPCRoute').map(asHttpRoute),
    ],
    ingressRoutes: listVersions(store, TRAEFIK, 'IngressRoute'),
    traefikServices: listVersions(store, TRAEFIK, 'TraefikService'),
    ingresses: listVersions(store, ['networking.k8s.io/v1'], 'Ingress'),
    trafficSplits: listVersions(store, SMI, 'TrafficSplit'),
    apisixRoutes: listVersions(store, ['apisix.apache.org/v2'], 'ApisixRoute'),
    trafficRoutes: listVersions(store, ['kuma.io/v1alpha1'], 'TrafficRoute'),
    glooVirtualServices: listVersions(store, ['gateway.solo.io/v1'], 'VirtualService'),
    routeTables: listVersions(store, ['gateway.solo.io/v1'], 'RouteTable'),
    upstreams: listVersions(store, ['gloo.solo.io/v1'], 'Upstream'),
    meshServices: listVersions(store, APP_MESH, 'VirtualService'),
    meshRouters: listVersions(store, APP_MESH, 'VirtualRouter'),
    meshNodes: listVersions(store, APP_MESH, 'VirtualNode'),
    services: new Map(services.map((service) => [nameKey(service.metadata.namespace, service.metadata.name), service])),
  };
}

/** An object that is served in several versions appears in the first of them. */
export function listVersions(
  store: Pick<SandboxStore, 'list'>,
  apiVersions: readonly string[],
  kind: string,
): readonly StoredObject[] {
  const objects = new Map<string, StoredObject>();
  for (const apiVersion of apiVersions) {
    for (const object of store.list(apiVersion, kind)) {
      if (!objects.has(object.metadata.uid)) objects.set(object.metadata.uid, object);
    }
  }
  return [...objects.values()];
}

export function nameKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** The number of the port; undefined when the Service or the port does not exist. */
export function portNumber(
  { services }: RoutingObjects,
  { namespace, service, port }: ServicePort,
): number | undefined {
  const ports = listOf((services.get(nameKey(namespace, service))?.spec as { ports?: unknown } | undefined)?.ports);
  const found = ports.find((one) => (typeof port === 'number' ? one.port === port : textOf(one.name) === port));
  return found ? numberOf(found.port) : undefined;
}

/** The asked port where the Service has it, else 80, else its first one; undefined when there is no such Service. */
export function nearestPort(
  objects: RoutingObjects,
  namespace: string,
  service: string,
  asked: number | undefined,
): number | undefined {
  const spec = objects.services.get(nameKey(namespace, service))?.spec as { ports?: unknown } | undefined;
  const ports = listOf(spec?.ports).flatMap(({ port }) => numberOf(port) ?? []);
  return ports.find((port) => port === asked) ?? ports.find((port) => port === 80) ?? ports[0];
}
