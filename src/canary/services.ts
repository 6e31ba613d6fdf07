import { own } from '../lib/own.ts';
import type { KubeObject } from '../manifest/types.ts';
import { at, type Json, jsonOf, listOf, textsOf } from '../lib/json.ts';
import { sameJson } from '../lib/same-json.ts';
import { podLabels, type SelectorLabel } from './labels.ts';
import { isControlledBy, ownerOf } from './owner.ts';
import { mergePorts, servicePorts } from './ports.ts';
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
  /** Absent: it is not made yet. */
  readonly primary?: KubeObject | undefined;
  /** The apex Service as it stands. Absent: it is not made yet. */
  readonly apex?: KubeObject | undefined;
  readonly live: KubeObject | undefined;
}

/** Tell Flux to leave generated objects alone. */
const handsOff: Readonly<Record<string, string>> = {
  'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
  'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
};

function serviceName({ service }: CanarySpec, role: ServiceRole): string {
  return role === 'apex' ? service.name : `${service.name}-${role}`;
}

/** All that a Service that stands is rendered from, but itself. No object of the cluster that would be kept for nothing is among it. */
type Ingredients = readonly unknown[];

/** Most looks find everything as the one before did. */
const lastRendered = new WeakMap<KubeObject, { readonly ingredients: Ingredients; readonly object: KubeObject }>();

/** One of the three generated Services as it should be; the very `live` object where nothing differs. */
export function renderService(input: ServiceInput): KubeObject {
  const { spec, canary, selector, leadsTo, primary, apex, role, live } = input;
  const pods = podLabels({ selector, leadsTo, primary, service: live });
  if (!live) return rendered(input, pods);
  const { portDiscovery, targetPort } = spec.service;
  const asked = portDiscovery || typeof targetPort === 'string' ? workloadOf(input) : undefined;
  const before = apex && !isControlledBy(apex, canary) ? JSON.stringify(at(apex, 'spec', 'ports')) : undefined;
  const ingredients: Ingredients = [spec, canary.metadata.uid, asked, JSON.stringify(pods), before, role];
  const last = lastRendered.get(live);
  if (last?.ingredients.every((ingredient, index) => ingredient === ingredients[index])) return last.object;
  const object = rendered(input, pods);
  lastRendered.set(live, { ingredients, object });
  return object;
}

function rendered(input: ServiceInput, pods: Readonly<Record<string, string>>): KubeObject {
  const { spec, canary, selector, role, live } = input;
  const name = serviceName(spec, role);
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
        selector: pods,
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
      selector: pods,
      ports: mergePorts(listOf(at(live, 'spec', 'ports')), ports),
    },
  };
  if (sameJson(wanted, live)) return live;
  // A Service that stood before the Canary keeps its own labels and annotations.
  return { ...wanted, metadata: { ...wanted.metadata, annotations: { ...wanted.metadata.annotations, ...handsOff } } };
}

/** Whoever is led to the primary finds the ports that its version has. */
function workloadOf({ leadsTo, primary, target }: ServiceInput): KubeObject {
  return leadsTo === 'primary' ? (primary ?? target) : target;
}

function portsOf(input: ServiceInput): readonly Json[] {
  const { spec, canary, apex, role, live } = input;
  const { ports } = servicePorts({ spec, canary, workload: workloadOf(input), apex, live });
  // A number on the nodes belongs to one Service only.
  return role === 'apex' ? ports : ports.map(({ nodePort: _own, ...port }) => port);
}

/** The selector that kubectl's users gave a Service before a Canary took it over; undefined where none is known that leads to the target. */
export function selectorBefore(service: KubeObject, target: KubeObject): Record<string, string> | undefined {
  const noted = service.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  const selector = textsOf(at(parsed(noted ?? ''), 'spec', 'selector'));
  const labels = textsOf(at(target, 'spec', 'template', 'metadata', 'labels'));
  const entries = Object.entries(selector);
  return entries.length > 0 && entries.every(([key, value]) => own(labels, key) === value) ? selector : undefined;
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
      ? keys.filter((key): key is string => typeof key === 'string' && Object.hasOwn(present, key))
      : [];
    return Object.fromEntries(kept.map((key) => [key, present[key] ?? '']));
  };
  return { labels: { ...labels, ...keptOf('labels') }, annotations: { ...annotations, ...keptOf('annotations') } };
}
