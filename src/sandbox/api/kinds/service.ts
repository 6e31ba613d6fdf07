import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, asString, ensure, objectsIn } from '../json.ts';
import type { Objects } from '../objects.ts';
import type { KindRules } from './contract.ts';
import { fallback, required, wrong } from './contract.ts';

function freeAddress(objects: Objects): string {
  const taken = new Set(objects.list('/services').map((service) => asObject(service.spec).clusterIP));
  for (let number = 2; number < 65_000; number += 1) {
    const address = `10.96.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new Error('no free service address');
}

function freeNodePort(objects: Objects): number {
  const taken = new Set(
    objects
      .list('/services')
      .flatMap((service) => objectsIn(asObject(service.spec).ports).map((port) => port.nodePort)),
  );
  let port = 30_000;
  while (taken.has(port)) port += 1;
  return port;
}

const addressFields = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'];

/** What was given out once stays, unless the client says otherwise or the type no longer has it. */
function keepAllocated(spec: Json, before: Json): void {
  if (spec.type !== 'ExternalName') {
    if (before.clusterIP !== undefined && spec.clusterIP !== undefined && spec.clusterIP !== before.clusterIP) {
      spec.clusterIPs ??= [spec.clusterIP];
    }
    for (const field of addressFields) if (before[field] !== undefined) fallback(spec, field, before[field]);
  }
  const ports = objectsIn(spec.ports);
  const earlier = objectsIn(before.ports);
  if (hasNodePorts(spec)) {
    for (const port of ports) {
      const same = earlier.find((one) => one.port === port.port && one.protocol === port.protocol);
      if (same?.nodePort !== undefined) fallback(port, 'nodePort', same.nodePort);
    }
  } else if (hasNodePorts(before)) {
    delete spec.externalTrafficPolicy;
    delete spec.allocateLoadBalancerNodePorts;
    for (const port of ports) delete port.nodePort;
  }
}

const hasNodePorts = (spec: Json): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';

export const serviceRules: KindRules = {
  prepare: (object, live) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'type', 'ClusterIP');
    fallback(spec, 'sessionAffinity', 'None');
    for (const port of objectsIn(spec.ports)) {
      fallback(port, 'protocol', 'TCP');
      fallback(port, 'targetPort', port.port);
    }
    if (spec.type !== 'ExternalName') fallback(spec, 'internalTrafficPolicy', 'Cluster');
    if (hasNodePorts(spec)) {
      fallback(spec, 'externalTrafficPolicy', 'Cluster');
      if (spec.type === 'LoadBalancer') fallback(spec, 'allocateLoadBalancerNodePorts', true);
    }
    keepAllocated(spec, asObject(live?.spec));
    fallback(object, 'status', { loadBalancer: {} });
  },
  allocate: (object, _live, { objects }) => {
    const spec = ensure(object, 'spec');
    if (spec.type === 'ExternalName') return;
    fallback(spec, 'clusterIP', freeAddress(objects));
    fallback(spec, 'clusterIPs', [spec.clusterIP]);
    fallback(spec, 'ipFamilies', ['IPv4']);
    fallback(spec, 'ipFamilyPolicy', 'SingleStack');
    if (!hasNodePorts(spec)) return;
    let free = freeNodePort(objects);
    for (const port of objectsIn(spec.ports)) {
      if (port.nodePort === undefined) port.nodePort = free++;
    }
  },
  check: (object, live) => {
    const spec = asObject(object.spec);
    const causes: Cause[] = [];
    const ports = objectsIn(spec.ports);
    if (ports.length === 0 && spec.type !== 'ExternalName' && spec.clusterIP !== 'None')
      causes.push(required('spec.ports'));
    ports.forEach((port, index) => {
      const field = `spec.ports[${index}]`;
      if (ports.length > 1 && asString(port.name) === '') causes.push(required(`${field}.name`));
      if (typeof port.port === 'number' && (port.port < 1 || port.port > 65_535)) {
        causes.push(wrong(`${field}.port`, port.port, 'must be between 1 and 65535, inclusive'));
      }
    });
    const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
    if (!types.includes(String(spec.type))) {
      const supported = types.map((type) => `"${type}"`).join(', ');
      const message = `Unsupported value: ${JSON.stringify(spec.type)}: supported values: ${supported}`;
      causes.push({ reason: 'FieldValueNotSupported', field: 'spec.type', message });
    }
    if (!live && spec.clusterIP === undefined && spec.clusterIPs !== undefined) {
      causes.push(wrong('spec.clusterIPs', spec.clusterIPs, 'must be empty when `clusterIP` is not specified'));
    }
    const before = asObject(live?.spec);
    if (live && before.type !== 'ExternalName' && spec.type !== 'ExternalName' && before.clusterIP !== spec.clusterIP) {
      causes.push(wrong('spec.clusterIPs[0]', [spec.clusterIP], 'may not change once set'));
    }
    return causes;
  },
};
