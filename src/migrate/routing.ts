import { at, type Json, jsonOf, listOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Changes, Found, Note, World } from './types.ts';

/** How users are led, as a Canary says it. */
export interface Routing {
  readonly provider: string;
  /** Fields of `spec.service` beside name and ports. */
  readonly service: Json;
  /** Fields of `spec` beside the service. */
  readonly spec: Json;
  /** Users are led by shares. */
  readonly hasWeights: boolean;
}

export interface RoutingContext {
  readonly trafficRouting: Json;
  readonly namespace: string | undefined;
  /** The service that users come by. */
  readonly apex: string;
  readonly canaryService: string | undefined;
  readonly world: World;
  readonly changes: Changes;
  /** Fields count from `spec.strategy.canary`. */
  readonly say: (level: Note['level'], field: string, text: string) => void;
}

type Answer = Routing | { readonly refused: string; readonly field: string };

const plain = (provider: string, more: Partial<Routing> = {}): Routing => ({
  provider,
  service: {},
  spec: {},
  hasWeights: true,
  ...more,
});

const common = new Set(['managedRoutes', 'maxTrafficWeight', 'plugins']);

/** What `trafficRouting` of a Rollout comes to, and the edits of routes that it takes. */
export function convertRouting(context: RoutingContext): Answer {
  const { trafficRouting, say } = context;
  const plugins = jsonOf(trafficRouting['plugins']);
  const kinds = [...Object.keys(trafficRouting).filter((kind) => !common.has(kind)), ...Object.keys(plugins)];
  const [kind, ...more] = kinds;
  for (const field of ['managedRoutes', 'maxTrafficWeight'])
    if (trafficRouting[field] !== undefined)
      say(
        'told',
        `trafficRouting.${field}`,
        `${field} has no equal: weights are percents, and header routes come from analysis.match`,
      );
  if (kind === undefined) return plain('kubernetes', { hasWeights: false });
  if (more.length > 0)
    return { refused: `users come in by ${kinds.join(' and ')}: a Canary has one provider`, field: 'trafficRouting' };
  const isPlugin = Object.hasOwn(plugins, kind);
  const field = isPlugin ? `trafficRouting.plugins["${kind}"]` : `trafficRouting.${kind}`;
  const given = jsonOf(isPlugin ? plugins[kind] : trafficRouting[kind]);
  const convert = converters.get(kind);
  if (convert) return convert(given, field, context);
  const where = isPlugin ? `the plugin ${kind}` : kind;
  return { refused: `${where} has no equal; "serin providers" lists what users can be led by`, field };
}

const converters: ReadonlyMap<string, (given: Json, field: string, context: RoutingContext) => Answer> = new Map([
  ['nginx', nginx],
  ['istio', istio],
  ['smi', smi],
  ['traefik', traefik],
  ['apisix', apisix],
  ['argoproj-labs/gatewayAPI', gatewayApi],
  ['argoproj-labs/contour', contour],
]);

function nginx(given: Json, field: string, { say }: RoutingContext): Answer {
  const names = [
    textOf(given['stableIngress']),
    ...((given['stableIngresses'] as unknown[] | undefined) ?? []).map(textOf),
  ];
  const [ingress, ...more] = names.filter((name) => name !== undefined);
  if (ingress === undefined) return { refused: 'names no stableIngress', field };
  if (more.length > 0)
    say(
      'by-hand',
      `${field}.stableIngresses`,
      `a Canary has one ingressRef: users of ${more.join(', ')} would all stay with the primary; join the Ingresses`,
    );
  for (const name of ['additionalIngressAnnotations', 'canaryIngressAnnotations'])
    if (given[name] !== undefined)
      say('by-hand', `${field}.${name}`, `${name}: users under test are told by analysis.match`);
  if (given['annotationPrefix'] !== undefined)
    say(
      'by-hand',
      `${field}.annotationPrefix`,
      `set --ingress-annotations-prefix=${textOf(given['annotationPrefix']) ?? ''}`,
    );
  return plain('nginx', {
    spec: { ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: ingress } },
  });
}

/** Fields of a VirtualService's HTTP route that `spec.service` has, too. */
const routeFields = ['match', 'rewrite', 'timeout', 'retries', 'headers', 'corsPolicy'];

function istio(given: Json, field: string, context: RoutingContext): Answer {
  const { world, namespace, changes, say } = context;
  const virtual = [jsonOf(given['virtualService']), ...listOf(given['virtualServices'])].filter(
    ({ name }) => name !== undefined,
  );
  const [first, ...more] = virtual;
  if (!first) return { refused: 'names no VirtualService', field };
  const name = textOf(first['name']) ?? '';
  if (more.length > 0)
    say(
      'by-hand',
      `${field}.virtualServices`,
      'Serin makes one VirtualService: put all hosts and gateways into spec.service of the Canary',
    );
  const found = world.find('VirtualService', name, namespace);
  const rule = istioRule(given, field, context);
  if (!found) {
    say(
      'by-hand',
      field,
      `VirtualService ${name} is not in these files: write its hosts and gateways into spec.service of the Canary, and delete it`,
    );
    return plain('istio', { service: rule });
  }
  const { hosts, gateways, http } = jsonOf(found.object['spec']);
  const routes = listOf(http);
  const [route] = routes;
  const taken = Object.fromEntries(
    routeFields.flatMap((one) => (route?.[one] === undefined ? [] : [[one, route[one]]])),
  );
  if (routes.length > 1)
    say(
      'by-hand',
      field,
      `VirtualService ${name} has ${routes.length} HTTP routes, the Canary's has one: what only others have is lost`,
    );
  const left = Object.keys(route ?? {}).filter((one) => !['name', 'route', ...routeFields].includes(one));
  const others = Object.keys(jsonOf(found.object['spec'])).filter(
    (one) => !['hosts', 'gateways', 'http'].includes(one),
  );
  if (left.length + others.length > 0)
    say('by-hand', field, `of VirtualService ${name} these have no equal: ${[...left, ...others].join(', ')}`);
  changes.set(found, { kind: 'replace', by: [] });
  return plain('istio', {
    service: {
      ...rule,
      ...(Array.isArray(hosts) ? { hosts } : {}),
      ...(Array.isArray(gateways) ? { gateways } : {}),
      ...taken,
    },
  });
}

/** The DestinationRule is Serin's, too. */
function istioRule(given: Json, field: string, { world, namespace, changes, say }: RoutingContext): Json {
  const name = textOf(at(given, 'destinationRule', 'name'));
  const found = name === undefined ? undefined : world.find('DestinationRule', name, namespace);
  if (!found) {
    if (name !== undefined)
      say(
        'by-hand',
        `${field}.destinationRule`,
        `DestinationRule ${name} is not in these files: delete it, and write its trafficPolicy into spec.service`,
      );
    return {};
  }
  changes.set(found, { kind: 'replace', by: [] });
  const policy = at(found.object, 'spec', 'trafficPolicy');
  return policy === undefined ? {} : { trafficPolicy: policy };
}

function smi(given: Json, field: string, { world, namespace, changes, say }: RoutingContext): Answer {
  const split = textOf(given['trafficSplitName']);
  const found = split === undefined ? undefined : world.find('TrafficSplit', split, namespace);
  if (found) changes.set(found, { kind: 'replace', by: [] });
  say(
    'told',
    field,
    'provider smi:v1alpha1, whose TrafficSplit is the one of Argo Rollouts; where the mesh is Linkerd, "linkerd" is the same with its metrics',
  );
  return plain('smi:v1alpha1');
}

function traefik(given: Json, field: string, { apex, world, namespace, changes, say }: RoutingContext): Answer {
  const name = textOf(given['weightedTraefikServiceName']);
  if (name === undefined) return { refused: 'names no weightedTraefikServiceName', field };
  const found = world.find('TraefikService', name, namespace);
  if (found) changes.set(found, { kind: 'replace', by: [] });
  else
    say(
      'told',
      field,
      `TraefikService ${name} is not in these files: delete it once nobody is led by it; Serin makes one named ${apex}`,
    );
  if (name === apex) return plain('traefik');
  const routes = world.all.filter(
    ({ object }) => object.kind === 'IngressRoute' && object.metadata.namespace === namespace,
  );
  let isLed = false;
  for (const one of routes) {
    const to = withTraefikService(one, name, apex);
    if (!to) continue;
    isLed = true;
    changes.set(one, { kind: 'edit', to, text: `leads to TraefikService ${apex}, which Serin makes` });
  }
  if (!isLed)
    say(
      'by-hand',
      field,
      `no IngressRoute in these files leads to TraefikService ${name}: lead yours to ${apex}, kind TraefikService`,
    );
  return plain('traefik');
}

function withTraefikService({ object }: Found, from: string, to: string): KubeObject | undefined {
  const text = JSON.stringify(object);
  const edited = structuredClone(object);
  for (const route of listOf(at(edited, 'spec', 'routes')))
    for (const service of listOf(route['services']) as Record<string, unknown>[])
      if (service['kind'] === 'TraefikService' && service['name'] === from) service['name'] = to;
  return JSON.stringify(edited) === text ? undefined : edited;
}

function apisix(given: Json, field: string, { say }: RoutingContext): Answer {
  const name = textOf(at(given, 'route', 'name'));
  if (name === undefined) return { refused: 'names no route', field };
  if (at(given, 'route', 'rules') !== undefined)
    say('told', `${field}.route.rules`, 'all rules that lead to the app are split');
  return plain('apisix', { spec: { routeRef: { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', name } } });
}

/** Names of routes, and the kinds that they are of. */
const routeKinds = [
  ['httpRoute', 'httpRoutes', 'HTTPRoute'],
  ['grpcRoute', 'grpcRoutes', 'GRPCRoute'],
  ['tcpRoute', 'tcpRoutes', 'TCPRoute'],
  ['tlsRoute', 'tlsRoutes', 'TLSRoute'],
] as const;

function gatewayApi(
  given: Json,
  field: string,
  { apex, canaryService, world, namespace, changes, say }: RoutingContext,
): Answer {
  const named = routeKinds.flatMap(([one, many, kind]) => [
    ...(textOf(given[one]) === undefined ? [] : [{ kind, name: textOf(given[one]) ?? '' }]),
    ...listOf(given[many]).map(({ name }) => ({ kind, name: textOf(name) ?? '' })),
  ]);
  const [route, ...more] = named;
  if (!route) return { refused: 'names no route', field };
  if (more.length > 0)
    say('by-hand', field, `a Canary has one routeRef: ${more.map(({ name }) => name).join(', ')} would not be split`);
  const found = world.find(route.kind, route.name, namespace);
  const edited = found && withoutBackend(found.object, canaryService);
  if (found && edited)
    changes.set(found, {
      kind: 'edit',
      to: edited,
      text: `leads to ${apex} alone: Serin puts primary and canary in its place`,
    });
  if (!found)
    say(
      'by-hand',
      field,
      `${route.kind} ${route.name} is not in these files: its rules have to lead to ${apex}, and to ${canaryService ?? 'the canary'} no more`,
    );
  const ref = route.kind === 'HTTPRoute' ? { name: route.name } : { kind: route.kind, name: route.name };
  return plain('gatewayapi:v1', { service: { routeRef: ref } });
}

/** Serin puts primary and canary in the place of the app. */
function withoutBackend(object: KubeObject, canary: string | undefined): KubeObject | undefined {
  const edited = structuredClone(object);
  let isEdited = false;
  for (const rule of listOf(at(edited, 'spec', 'rules')) as Record<string, unknown>[]) {
    const backends = listOf(rule['backendRefs']) as Record<string, unknown>[];
    const kept = backends.filter(({ name }) => name !== canary);
    if (kept.length === backends.length) continue;
    isEdited = true;
    // Alone, it gets everything.
    if (kept.length === 1 && kept[0]) delete kept[0]['weight'];
    rule['backendRefs'] = kept;
  }
  return isEdited ? edited : undefined;
}

function contour(_given: Json, field: string, { apex, say }: RoutingContext): Answer {
  say('by-hand', field, `Serin makes an HTTPProxy ${apex}; yours has to include it, instead of naming services`);
  return plain('contour');
}
