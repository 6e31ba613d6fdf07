import { namespacedName } from '../../lib/key.ts';
import { groupOf, type KubeObject, type Manifest } from '../types.ts';
import { type Fields, fieldsOf, type Finding, isFields, listOf } from './finding.ts';

export interface Told {
  readonly manifest: Manifest;
  readonly finding: Finding;
}

/** Ports that lead nowhere. Only where both ends are in Git: what is elsewhere is not known. */
export function checkReferences(manifests: readonly Manifest[]): readonly Told[] {
  const services = new Map<string, KubeObject>();
  const workloads = new Map<string, KubeObject[]>();
  const released = new Set<string>();
  for (const { object } of manifests) {
    const { namespace = '', name } = object.metadata;
    if (object.apiVersion === 'v1' && object.kind === 'Service')
      services.set(namespacedName({ namespace, name }), object);
    if (object.kind === 'Canary' && groupOf(object.apiVersion) === 'flagger.app')
      for (const own of servicesOfCanary(object)) released.add(namespacedName({ namespace, name: own }));
    if (Object.keys(podLabelsOf(object)).length === 0) continue;
    const found = workloads.get(namespace);
    if (found) found.push(object);
    else workloads.set(namespace, [object]);
  }
  return manifests.flatMap((manifest): readonly Told[] => {
    const { object } = manifest;
    const namespace = object.metadata.namespace ?? '';
    const findings =
      object.apiVersion === 'v1' && object.kind === 'Service'
        ? deadTargetPorts(object, workloads.get(namespace) ?? [])
        : object.kind === 'Ingress' && groupOf(object.apiVersion) === 'networking.k8s.io'
          ? deadBackends(object, (name) => {
              const key = namespacedName({ namespace, name });
              // A Canary may give it other ports.
              return released.has(key) ? undefined : services.get(key);
            })
          : [];
    return findings.map((finding) => ({ manifest, finding }));
  });
}

function servicesOfCanary(canary: KubeObject): readonly string[] {
  const name = fieldsOf(canary['spec'], 'service')['name'] ?? fieldsOf(canary['spec'], 'targetRef')['name'];
  return typeof name === 'string' ? [name, `${name}-primary`, `${name}-canary`] : [];
}

const templateOf = (object: KubeObject): Fields => fieldsOf(object['spec'], 'template');

function podLabelsOf(object: KubeObject): Fields {
  if (object.kind === 'Pod') return isFields(object.metadata.labels) ? object.metadata.labels : {};
  return fieldsOf(fieldsOf(templateOf(object), 'metadata'), 'labels');
}

/** Names that a Service leads to, in no container of the pods that it selects. */
function deadTargetPorts(service: KubeObject, workloads: readonly KubeObject[]): readonly Finding[] {
  const selector = Object.entries(fieldsOf(service['spec'], 'selector'));
  if (selector.length === 0) return [];
  const selected = workloads.filter((object) => {
    const labels = podLabelsOf(object);
    return selector.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
  });
  if (selected.length === 0) return [];
  const names = new Set(selected.flatMap((object) => portNamesOf(object)));
  return listOf(service['spec'], 'ports').flatMap((port, index): readonly Finding[] => {
    const target = isFields(port) ? port['targetPort'] : undefined;
    if (typeof target !== 'string' || names.has(target) || /^\d+$/.test(target)) return [];
    const [first] = selected;
    const message = `no container of ${first?.kind ?? ''} ${first?.metadata.name ?? ''} has a port called ${target}`;
    return [{ field: `spec.ports[${index}].targetPort`, message, ...known(names), severity: 'warning' }];
  });
}

function portNamesOf(object: KubeObject): readonly string[] {
  const pod = object.kind === 'Pod' ? object['spec'] : fieldsOf(templateOf(object), 'spec');
  return ['containers', 'initContainers'].flatMap((list) =>
    listOf(pod, list).flatMap((container) =>
      listOf(container, 'ports').flatMap((port) =>
        isFields(port) && typeof port['name'] === 'string' ? [port['name']] : [],
      ),
    ),
  );
}

function known(names: ReadonlySet<unknown>): { hint?: string } {
  return names.size === 0 ? {} : { hint: `it has ${[...names].slice(0, 10).map(String).join(', ')}` };
}

/** Ports of a Service that an Ingress asks for, and that the Service does not have; undefined: it is not known what it has. */
export function deadBackends(
  ingress: KubeObject,
  serviceOf: (name: string) => KubeObject | undefined,
): readonly Finding[] {
  return backendFields(ingress).flatMap(({ field, backend }): readonly Finding[] => {
    const { name, port } = fieldsOf(backend, 'service');
    const service = typeof name === 'string' ? serviceOf(name) : undefined;
    if (!service || !isFields(port)) return [];
    const ports = listOf(service['spec'], 'ports').filter(isFields);
    const [member, wanted] = port['name'] === undefined ? ['port', port['number']] : ['name', port['name']];
    if (wanted === undefined || ports.some((one) => one[member] === wanted)) return [];
    const message = `the Service ${String(name)} has no port ${JSON.stringify(wanted)}`;
    const has = new Set(ports.map((one) => one[member]).filter((one) => one !== undefined));
    return [{ field: `${field}.service.port`, message, ...known(has), severity: 'warning' }];
  });
}

/** Names of the Services that an Ingress leads to. */
export function backendsOf(ingress: KubeObject): readonly string[] {
  return backendFields(ingress).flatMap(({ backend }) => {
    const { name } = fieldsOf(backend, 'service');
    return typeof name === 'string' ? [name] : [];
  });
}

interface Backend {
  readonly field: string;
  readonly backend: Fields;
}

function backendFields(ingress: KubeObject): readonly Backend[] {
  const spec = ingress['spec'];
  const backends: Backend[] = [];
  if (isFields(spec) && isFields(spec['defaultBackend']))
    backends.push({ field: 'spec.defaultBackend', backend: spec['defaultBackend'] });
  listOf(spec, 'rules').forEach((rule, ruleIndex) =>
    listOf(fieldsOf(rule, 'http'), 'paths').forEach((path, index) =>
      backends.push({
        field: `spec.rules[${ruleIndex}].http.paths[${index}].backend`,
        backend: fieldsOf(path, 'backend'),
      }),
    ),
  );
  return backends;
}
