import type { StoredObject } from '../types.ts';
import type { Pod, Service } from './kinds.ts';
import type { Lookup } from './lookup.ts';
import { keyOf, type Objects, randomSuffix, selects, splitKey } from './objects.ts';
import { isActive, isReady } from './replica-sets.ts';

/** Where the ports of one Service lead now. */
export interface ServiceTargets {
  readonly clusterIp: string | undefined;
  readonly ports: readonly {
    readonly port: number;
    readonly targets: readonly { readonly name: string; readonly port: number }[];
  }[];
}

const managedBy = 'endpoints.kubernetes.io/managed-by';

/** Keeps Endpoints, EndpointSlices and the table of `namespace/service` up to date. */
export interface Endpoints {
  readonly table: ReadonlyMap<string, ServiceTargets>;
  /** Only the table; cheap, so that no request goes to a pod that is known to be leaving. */
  readonly refresh: (key: string) => void;
  readonly reconcile: (key: string) => void;
  /** The Services whose endpoints a pod may be or may have been part of. */
  readonly servicesOf: (pod: StoredObject, previous: StoredObject | undefined) => readonly string[];
}

interface Inspected {
  readonly service: Service;
  readonly pods: readonly Pod[];
}

export function createEndpoints(objects: Objects, lookup: Lookup): Endpoints {
  const table = new Map<string, ServiceTargets>();
  const forget = (key: string): void => {
    const { namespace, name } = splitKey(key);
    table.delete(key);
    const endpoints = objects.get('Endpoints', namespace, name);
    if (endpoints?.metadata.labels?.[managedBy] !== undefined) objects.remove(endpoints);
  };
  const inspect = (key: string): Inspected | undefined => {
    const { namespace, name } = splitKey(key);
    const service = objects.get('Service', namespace, name);
    const selector = service?.spec.selector;
    const [pair] = Object.entries(selector ?? {});
    if (!service || !selector || !pair) return undefined;
    const pods = lookup
      .labelled(namespace, ...pair)
      .filter((pod) => selects({ matchLabels: selector }, pod.metadata.labels) && pod.status?.podIP)
      .filter((pod) => pod.metadata.deletionTimestamp || isActive(pod))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    table.set(key, targetsOf(service, pods));
    return { service, pods };
  };
  return {
    table,
    refresh: (key) => {
      if (!inspect(key)) table.delete(key);
    },
    reconcile(key) {
      const found = inspect(key);
      if (!found) return forget(key);
      writeEndpoints(objects, found.service, found.pods);
      writeSlice(objects, lookup, found);
    },
    servicesOf: (pod, previous) => {
      const services = [pod, ...(previous ? [previous] : [])].flatMap((one) => lookup.servicesFor(one));
      return [...new Set(services.map(keyOf))];
    },
  };
}

function serves(service: Service, pod: Pod): boolean {
  return !pod.metadata.deletionTimestamp && (isReady(pod) || service.spec.publishNotReadyAddresses === true);
}

function targetPort(pod: Pod, port: { port: number; targetPort?: number | string }): number | undefined {
  const wanted = port.targetPort ?? port.port;
  if (typeof wanted === 'number') return wanted;
  return pod.spec.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === wanted)?.containerPort;
}

function targetsOf(service: Service, pods: readonly Pod[]): ServiceTargets {
  const ready = pods.filter((pod) => serves(service, pod));
  const { clusterIP, ports = [] } = service.spec;
  return {
    clusterIp: clusterIP === 'None' ? undefined : clusterIP,
    ports: ports.map((port) => ({
      port: port.port,
      targets: ready.flatMap((pod) => {
        const target = targetPort(pod, port);
        return target === undefined ? [] : [{ name: pod.metadata.name, port: target }];
      }),
    })),
  };
}

interface EndpointPort {
  name?: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

/** Ports as seen by the first pod; pods of one Service that number a named port differently are not told apart. */
function endpointPorts(service: Service, pods: readonly Pod[]): readonly EndpointPort[] {
  const [first] = pods;
  return (service.spec.ports ?? []).flatMap((port) => {
    const target = first && targetPort(first, port);
    if (target === undefined) return [];
    const { name, protocol = 'TCP', appProtocol } = port;
    return [{ ...(name ? { name } : {}), port: target, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
}

const refOf = ({ metadata }: Pod) => ({
  kind: 'Pod',
  name: metadata.name,
  namespace: metadata.namespace,
  uid: metadata.uid,
});

function writeEndpoints(objects: Objects, service: Service, pods: readonly Pod[]): void {
  const { name, namespace, labels = {} } = service.metadata;
  const present = pods.filter((pod) => !pod.metadata.deletionTimestamp);
  const addresses = (ready: boolean) =>
    present
      .filter((pod) => serves(service, pod) === ready)
      .map((pod) => ({ ip: pod.status?.podIP ?? '', nodeName: pod.spec.nodeName ?? '', targetRef: refOf(pod) }));
  const [ready, notReady] = [addresses(true), addresses(false)];
  const subset = {
    ...(ready.length > 0 ? { addresses: ready } : {}),
    ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
    ports: endpointPorts(service, present),
  };
  const subsets = present.length > 0 ? [subset] : undefined;
  const managed = { ...labels, [managedBy]: 'endpoint-controller' };
  const existing = objects.get('Endpoints', namespace, name);
  if (!existing) {
    objects.create('Endpoints', { metadata: { name, namespace, labels: managed }, ...(subsets ? { subsets } : {}) });
    return;
  }
  objects.change<'Endpoints'>(existing, (draft) => {
    draft.metadata.labels = managed;
    if (subsets) draft['subsets'] = subsets;
    else delete draft['subsets'];
  });
}

function writeSlice(objects: Objects, lookup: Lookup, { service, pods }: Inspected): void {
  const { name, namespace, uid, labels = {} } = service.metadata;
  const managed = {
    ...labels,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': name,
  };
  const endpoints = pods.map((pod) => ({
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: serves(service, pod),
      serving: isReady(pod),
      terminating: pod.metadata.deletionTimestamp !== undefined,
    },
    nodeName: pod.spec.nodeName ?? '',
    targetRef: refOf(pod),
  }));
  const ports = endpointPorts(service, pods).map((port) => ({ name: '', ...port }));
  const existing = lookup.owned('EndpointSlice', uid)[0];
  if (existing) {
    objects.change<'EndpointSlice'>(existing, (draft) => {
      draft.metadata.labels = managed;
      draft['endpoints'] = endpoints;
      draft['ports'] = ports;
    });
    return;
  }
  const owner = { apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true };
  objects.create('EndpointSlice', {
    metadata: {
      name: `${name}-${randomSuffix()}`,
      generateName: `${name}-`,
      namespace,
      labels: managed,
      ownerReferences: [owner],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  });
}
