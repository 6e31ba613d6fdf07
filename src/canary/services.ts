import type { KubeObject } from '../manifest/types.ts';
import { at, type Json, jsonOf, listOf, numberOf, textOf, textsOf } from './json.ts';
import { sameJson } from '../lib/same-json.ts';
import type { SelectorLabel } from './labels.ts';
import { isControlledBy, ownerOf } from './owner.ts';
import type { CanarySpec, CustomMetadata } from './types.ts';

export type ServiceRole = 'apex' | 'primary' | 'canary';

export interface ServiceInput {
  readonly spec: CanarySpec;
  readonly canary: KubeObject;
  readonly target: KubeObject;
  readonly selector: SelectorLabel;
  readonly role: ServiceRole;
  /** Whose pods it leads to. */
  readonly leadsTo: 'primary' | 'canary';
  readonly live: KubeObject | undefined;
}

/** Tell Flux to leave generated objects alone. */
const handsOff: Readonly<Record<string, string>> = {
  'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
  'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
};

export function serviceName({ service }: CanarySpec, role: ServiceRole): string {
  return role === 'apex' ? service.name : `${service.name}-${role}`;
}

/** All that a Service that stands is rendered from, but itself. No object of the cluster that would be kept for nothing is among it. */
type Ingredients = readonly unknown[];

/** Most looks find everything as the one before did. */
const lastRendered = new WeakMap<KubeObject, { readonly ingredients: Ingredients; readonly object: KubeObject }>();

/** One of the three generated Services as it should be; the very `live` object where nothing differs. */
export function renderService(input: ServiceInput): KubeObject {
  const { spec, canary, target, selector, role, leadsTo, live } = input;
  if (!live) return rendered(input);
  const ports = spec.service.portDiscovery ? target : undefined;
  const ingredients: Ingredients = [spec, canary.metadata.uid, ports, selector.label, selector.value, role, leadsTo];
  const before = lastRendered.get(live);
  if (before?.ingredients.every((ingredient, index) => ingredient === ingredients[index])) return before.object;
  const object = rendered(input);
  lastRendered.set(live, { ingredients, object });
  return object;
}

function rendered(input: ServiceInput): KubeObject {
  const { spec, canary, selector, role, leadsTo, live } = input;
  const name = serviceName(spec, role);
  const podSelector = { [selector.label]: leadsTo === 'primary' ? `${selector.value}-primary` : selector.value };
  const custom: CustomMetadata = spec.service[role];
  const labels = { ...custom.labels, [selector.label]: name };
  const annotations = { ...custom.annotations, ...handsOff };
  const ports = portsOf(input);
  if (!live) {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: spec.namespace, labels, annotations, ownerReferences: [ownerOf(canary)] },
      spec: {
        type: 'ClusterIP',
        selector: podSelector,
        ports,
        ...(spec.service.headless ? { clusterIP: 'None' } : {}),
        ...(spec.service.trafficDistribution ? { trafficDistribution: spec.service.trafficDistribution } : {}),
      },
    };
  }
  const wanted = {
    ...live,
    metadata: isControlledBy(live, canary)
      ? { ...live.metadata, ...ownMetadata(spec, live, labels, annotations) }
      : live.metadata,
    spec: {
      ...jsonOf(live['spec']),
      selector: podSelector,
      ports: mergePorts(listOf(at(live, 'spec', 'ports')), ports),
    },
  };
  if (sameJson(wanted, live)) return live;
  // A Service that stood before the Canary keeps its own labels and annotations.
  return { ...wanted, metadata: { ...wanted.metadata, annotations: { ...wanted.metadata.annotations, ...handsOff } } };
}

/** The selector that kubectl's users gave a Service before a Canary took it over; undefined where none is known that leads to the target. */
export function selectorBefore(service: KubeObject, target: KubeObject): Record<string, string> | undefined {
  const noted = service.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  const selector = textsOf(at(parsed(noted ?? ''), 'spec', 'selector'));
  const labels = textsOf(at(target, 'spec', 'template', 'metadata', 'labels'));
  const entries = Object.entries(selector);
  return entries.length > 0 && entries.every(([key, value]) => labels[key] === value) ? selector : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Forced, except for the keys that the Canary says others own. */
function ownMetadata(
  { service }: CanarySpec,
  live: KubeObject,
  labels: Record<string, string>,
  annotations: Record<string, string>,
): { labels: Record<string, string>; annotations: Record<string, string> } {
  const keptOf = (member: 'labels' | 'annotations'): Record<string, string> => {
    const keys = at(service.raw, 'unmanagedMetadata', member);
    const present = textsOf(live.metadata[member]);
    const kept = Array.isArray(keys)
      ? keys.filter((key): key is string => typeof key === 'string' && key in present)
      : [];
    return Object.fromEntries(kept.map((key) => [key, present[key] ?? '']));
  };
  return { labels: { ...labels, ...keptOf('labels') }, annotations: { ...annotations, ...keptOf('annotations') } };
}

function portsOf({ spec, target }: ServiceInput): readonly Json[] {
  const { port, portName, targetPort, appProtocol, portDiscovery } = spec.service;
  const main = {
    name: portName,
    port,
    protocol: 'TCP',
    targetPort,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
  return portDiscovery ? [main, ...discoveredPorts(target, targetPort)] : [main];
}

/** All container ports except the main one and those of mesh sidecars. */
function discoveredPorts(target: KubeObject, mainPort: number | string): readonly Json[] {
  return listOf(at(target, 'spec', 'template', 'spec', 'containers'))
    .filter((container) => !['istio-proxy', 'envoy'].includes(textOf(container['name']) ?? ''))
    .flatMap((container) =>
      listOf(container['ports']).flatMap((entry, index) => {
        const number = numberOf(entry['containerPort']);
        const name = textOf(entry['name']);
        const isMain = typeof mainPort === 'number' ? number === mainPort : name === mainPort;
        if (number === undefined || isMain) return [];
        const ownName = name ?? `tcp-${textOf(container['name']) ?? ''}-${index}`;
        return [{ name: ownName, port: number, protocol: 'TCP', targetPort: number }];
      }),
    );
}

/** The order of ports means nothing, and node ports were given by the cluster. */
function mergePorts(live: readonly Json[], wanted: readonly Json[]): readonly Json[] {
  const merged = wanted.map((port) => {
    const same = live.find(({ name }) => name === port['name']);
    return same?.['nodePort'] === undefined ? port : { ...port, nodePort: same['nodePort'] };
  });
  const sorted = (ports: readonly Json[]): readonly Json[] =>
    [...ports].sort((a, b) => Number(a['port']) - Number(b['port']));
  return sameJson(sorted(live), sorted(merged)) ? live : merged;
}
