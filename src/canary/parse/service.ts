import type { FieldChecks } from './field-checks.ts';
import type { ParsedTarget } from './target.ts';
import { targets } from '../targets/registry.ts';
import type { CustomMetadata, ServiceSpec } from '../types.ts';

/** Longest name of a Service: it is a DNS label. */
const longestName = 63;

/** Knative divides traffic by itself: its Canaries have no Services, and need not say anything of them. */
export function parseService(
  value: unknown,
  { target, targetKind }: Pick<ParsedTarget, 'target' | 'targetKind'>,
  check: FieldChecks,
): ServiceSpec {
  const field = 'spec.service';
  const raw = check.record(value, field);
  const port = check.whole(raw['port'], `${field}.port`, 1);
  if (targets[targetKind].services !== 'none' && (raw['port'] ?? undefined) === undefined)
    check.note(`${field}.port`, 'is required', 'the port of the generated Services');
  const name = check.text(raw['name'], `${field}.name`) ?? target.name;
  if (`${name}-primary`.length > longestName) {
    const hint = `choose a spec.service.name of at most ${longestName - '-primary'.length} characters`;
    check.note(`${field}.name`, `"${name}-primary" is too long for the name of a Service`, hint);
  }
  const appProtocol = check.text(raw['appProtocol'], `${field}.appProtocol`);
  const trafficDistribution = check.text(raw['trafficDistribution'], `${field}.trafficDistribution`);
  return {
    name,
    port: port ?? 80,
    portName: check.text(raw['portName'], `${field}.portName`) ?? 'http',
    targetPort: targetPortOf(raw['targetPort'], `${field}.targetPort`, check) ?? port ?? 80,
    ...(appProtocol === undefined ? {} : { appProtocol }),
    portDiscovery: check.flag(raw['portDiscovery'], `${field}.portDiscovery`),
    headless: check.flag(raw['headless'], `${field}.headless`),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
    apex: metadataOf(raw['apex'], `${field}.apex`, check),
    primary: metadataOf(raw['primary'], `${field}.primary`, check),
    canary: metadataOf(raw['canary'], `${field}.canary`, check),
    ...routeRefOf(raw['routeRef'], `${field}.routeRef`, target.namespace, check),
    raw,
  };
}

const routeGroup = 'gateway.networking.k8s.io';
/** Versions in which kinds of routes are read where the Canary names none. */
const routeVersions = { HTTPRoute: 'v1', GRPCRoute: 'v1', TCPRoute: 'v1alpha2', TLSRoute: 'v1alpha2' } as const;
type RouteKind = keyof typeof routeVersions;

function routeRefOf(
  value: unknown,
  field: string,
  namespace: string | undefined,
  check: FieldChecks,
): Pick<ServiceSpec, 'routeRef'> {
  if (value === undefined || value === null) return {};
  const ref = check.record(value, field);
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) {
    check.note(`${field}.name`, 'is required', 'name the HTTPRoute by which users come in');
    return {};
  }
  const other = check.text(ref['namespace'], `${field}.namespace`);
  if (other !== undefined && other !== namespace) {
    const why =
      "Gateway API leads a route to another namespace's Services only where a ReferenceGrant there allows each by name";
    check.note(
      `${field}.namespace`,
      `is another namespace than the Canary's: ${why}`,
      'move the route beside its Services',
    );
  }
  const kind = check.oneOf(ref['kind'], `${field}.kind`, Object.keys(routeVersions) as RouteKind[]) ?? 'HTTPRoute';
  const apiVersion = check.text(ref['apiVersion'], `${field}.apiVersion`) ?? `${routeGroup}/${routeVersions[kind]}`;
  return { routeRef: { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name } };
}

/** A number or a port's name; zero means that none was given. */
function targetPortOf(value: unknown, field: string, check: FieldChecks): number | string | undefined {
  if (value === 0 || value === '0') return undefined;
  return typeof value === 'string' ? check.text(value, field) : check.whole(value, field, 1);
}

function metadataOf(value: unknown, field: string, check: FieldChecks): CustomMetadata {
  const { labels, annotations } = check.record(value, field);
  return {
    labels: check.texts(labels, `${field}.labels`),
    annotations: check.texts(annotations, `${field}.annotations`),
  };
}
