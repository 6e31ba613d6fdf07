import { fieldsOf, type Fields, listOf, numberOf, textOf, textsOf } from './read.ts';
import {
  type Decision,
  type HostRank,
  hostRank,
  isPathPrefix,
  noEdits,
  type RouteRequest,
  type Surroundings,
} from './route.ts';

/** VirtualServices of Gloo that hand a prefix on to a RouteTable; its first route that takes the request decides. */
export function decideGloo(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  for (const { metadata, spec } of around.objects.glooVirtualServices) {
    const { domains, routes } = fieldsOf(fieldsOf(spec).virtualHost);
    if (!textsOf(domains).some((domain) => hostRank(domain, request.host) === rank)) continue;
    for (const route of listOf(routes)) {
      const prefixes = listOf(route.matchers).map(({ prefix }) => textOf(prefix));
      if (prefixes.length > 0 && !prefixes.some((prefix) => isPathPrefix(prefix, request.path))) continue;
      const ref = fieldsOf(fieldsOf(route.delegateAction).ref);
      return decideTable(textOf(ref.namespace) || (metadata.namespace ?? ''), textOf(ref.name), request, around);
    }
  }
  return undefined;
}

function decideTable(namespace: string, name: string, request: RouteRequest, around: Surroundings): Decision {
  const table = around.objects.routeTables.find(
    ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
  );
  const routes = listOf(fieldsOf(table?.spec).routes);
  const at = routes.findIndex(({ matchers }) => takes(listOf(matchers), request));
  if (!table || at < 0) return { kind: 'answer', status: 404, reason: `RouteTable ${name} takes no such request` };
  const { destinations } = fieldsOf(fieldsOf(routes[at]?.routeAction).multi);
  const choices = listOf(destinations).map((destination, index) => ({
    id: String(index),
    weight: numberOf(destination.weight) ?? 0,
    destination: fieldsOf(destination.destination),
  }));
  const chosen = around.pick(`${table.metadata.uid}/${at}`, choices);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no destination has a weight' };
  const to = targetOf(chosen.destination, around);
  if (!to) return { kind: 'answer', status: 503, reason: 'there is no such Upstream' };
  // Upstreams are clusters of Envoy, named after the object and where it stands.
  const { name: upstream, namespace: of } = fieldsOf(chosen.destination.upstream);
  if (upstream === undefined) return { kind: 'forward', to, edits: noEdits };
  const labels = { envoy_cluster_name: `${textOf(upstream)}_${textOf(of)}` };
  return { kind: 'forward', to, edits: noEdits, account: { proxy: 'envoy', labels } };
}

function targetOf(destination: Fields, { objects }: Surroundings): (Decision & { kind: 'forward' })['to'] | undefined {
  const kube = fieldsOf(destination.kube);
  if (destination.kube !== undefined) {
    const ref = fieldsOf(kube.ref);
    return { namespace: textOf(ref.namespace), service: textOf(ref.name), port: numberOf(kube.port) ?? 80 };
  }
  const { name, namespace } = fieldsOf(destination.upstream);
  const upstream = objects.upstreams.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const { serviceName, serviceNamespace, servicePort } = fieldsOf(fieldsOf(upstream?.spec).kube);
  if (!upstream) return undefined;
  return { namespace: textOf(serviceNamespace), service: textOf(serviceName), port: numberOf(servicePort) ?? 80 };
}

/** Of several matchers one has to match, and all of it. */
function takes(matchers: readonly Fields[], request: RouteRequest): boolean {
  if (matchers.length === 0) return true;
  return matchers.some(
    ({ headers, queryParameters }) =>
      listOf(headers).every(({ name, value, regex }) =>
        agrees(request.headers[textOf(name).toLowerCase()], textOf(value), regex === true),
      ) &&
      listOf(queryParameters).every(({ name, value, regex }) =>
        agrees(request.query.get(textOf(name)) ?? undefined, textOf(value), regex === true),
      ),
  );
}

function agrees(given: string | readonly string[] | undefined, wanted: string, isRegex: boolean): boolean {
  if (given === undefined) return false;
  const text = typeof given === 'string' ? given : given.join(',');
  if (!isRegex) return wanted === '' || text === wanted;
  try {
    return new RegExp(`^(?:${wanted})$`).test(text);
  } catch {
    return false;
  }
}
