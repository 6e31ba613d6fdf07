import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { asArray, asObject, asString, ensure, objectsIn } from '../json.ts';
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

function addressDefaults(spec: Json, before: Json, objects: Objects): void {
  if (spec.clusterIP === undefined) spec.clusterIP = asString(before.clusterIP) || freeAddress(objects);
  fallback(spec, 'clusterIPs', [spec.clusterIP]);
  fallback(spec, 'internalTrafficPolicy', 'Cluster');
  fallback(spec, 'ipFamilyPolicy', 'SingleStack');
  fallback(spec, 'ipFamilies', ['IPv4']);
}

export const serviceRules: KindRules = {
  prepare: (object, live, { objects }) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'type', 'ClusterIP');
    fallback(spec, 'sessionAffinity', 'None');
    for (const port of objectsIn(spec.ports)) {
      fallback(port, 'protocol', 'TCP');
      fallback(port, 'targetPort', port.port);
    }
    if (spec.type !== 'ExternalName') addressDefaults(spec, asObject(live?.spec), objects);
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') {
      fallback(spec, 'externalTrafficPolicy', 'Cluster');
      if (spec.type === 'LoadBalancer') fallback(spec, 'allocateLoadBalancerNodePorts', true);
      for (const port of objectsIn(spec.ports)) fallback(port, 'nodePort', freeNodePort(objects));
    }
    fallback(object, 'status', { loadBalancer: {} });
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
    const before = asObject(live?.spec);
    if (live && before.type !== 'ExternalName' && spec.type !== 'ExternalName' && before.clusterIP !== spec.clusterIP) {
      causes.push(wrong('spec.clusterIPs[0]', asArray(spec.clusterIPs), 'may not change once set'));
    }
    return causes;
  },
};
