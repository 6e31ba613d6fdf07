import type { Json } from '../json.ts';
import { asArray, asObject, asString, objectsIn } from '../json.ts';
import { ageOf } from './age.ts';
import type { Cell, Layout } from './columns.ts';
import { layout } from './columns.ts';
import { selectorText } from './workloads.ts';

const name: Cell = (object) => object.metadata.name;
const age: Cell = (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs);

const balancers = (object: Json): readonly string[] =>
  objectsIn(asObject(asObject(object.status).loadBalancer).ingress).map(
    (entry) => asString(entry.ip) || asString(entry.hostname),
  );

function externalIp(service: Json): string {
  const spec = asObject(service.spec);
  const outside = asArray(spec.externalIPs).map(String);
  if (spec.type === 'ExternalName') return asString(spec.externalName);
  if (spec.type !== 'LoadBalancer') return outside.join(',') || '<none>';
  return [...balancers(service), ...outside].join(',') || '<pending>';
}

function servicePorts(service: Json): string {
  const ports = objectsIn(asObject(service.spec).ports).map((port) => {
    const node = Number(port.nodePort ?? 0) > 0 ? `:${String(port.nodePort as number)}` : '';
    return `${String(port.port as number)}${node}/${asString(port.protocol) || 'TCP'}`;
  });
  return ports.join(',') || '<none>';
}

export const serviceLayout: Layout = layout({
  Name: name,
  Type: (service) => asString(asObject(service.spec).type),
  'Cluster-IP': (service) => asString(asObject(service.spec).clusterIP) || '<none>',
  'External-IP': externalIp,
  'Port(s)': servicePorts,
  Age: age,
  '*Selector': (service) => selectorText({ matchLabels: asObject(service.spec).selector }),
});

/** The first three, then how many more. */
function brief(items: readonly string[], none = '<none>', shown = 3): string {
  if (items.length === 0) return none;
  const rest = items.length - shown;
  return rest > 0 ? `${items.slice(0, shown).join(',')} + ${rest} more...` : items.join(',');
}

export const endpointsLayout: Layout = layout({
  Name: name,
  Endpoints: (object) =>
    brief(
      objectsIn(object.subsets).flatMap((subset) => {
        const ports = objectsIn(subset.ports);
        const addresses = objectsIn(subset.addresses).map((address) => asString(address.ip));
        if (ports.length === 0) return addresses;
        return ports.flatMap((port) => addresses.map((ip) => `${ip}:${String(port.port as number)}`));
      }),
    ),
  Age: age,
});

export const endpointSliceLayout: Layout = layout({
  Name: name,
  AddressType: (slice) => asString(slice.addressType),
  Ports: (slice) =>
    brief(
      objectsIn(slice.ports).map((port) => String((port.port as number | undefined) ?? '*')),
      '<unset>',
    ),
  Endpoints: (slice) =>
    brief(
      objectsIn(slice.endpoints).flatMap((endpoint) => asArray(endpoint.addresses).map(String)),
      '<unset>',
    ),
  Age: age,
});

export const ingressLayout: Layout = layout({
  Name: name,
  Class: (ingress) => asString(asObject(ingress.spec).ingressClassName) || '<none>',
  Hosts: (ingress) =>
    brief(
      objectsIn(asObject(ingress.spec).rules).map((rule) => asString(rule.host) || '*'),
      '*',
    ),
  Address: (ingress) => balancers(ingress).join(','),
  Ports: (ingress) => (asArray(asObject(ingress.spec).tls).length > 0 ? '80, 443' : '80'),
  Age: age,
});

export const ingressClassLayout: Layout = layout({
  Name: name,
  Controller: (object) => asString(asObject(object.spec).controller),
  Parameters: (object) => {
    const parameters = asObject(asObject(object.spec).parameters);
    const kind = [asString(parameters.kind), asString(parameters.apiGroup)].filter((part) => part !== '').join('.');
    return kind === '' ? '<none>' : `${kind}/${asString(parameters.name)}`;
  },
  Age: age,
});
