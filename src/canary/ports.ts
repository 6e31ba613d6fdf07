import { sameJson } from '../lib/same-json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { at, type Json, listOf, numberOf, textOf } from '../lib/json.ts';
import { isControlledBy } from './owner.ts';
import type { CanarySpec } from './types.ts';

export interface PortsInput {
  readonly spec: CanarySpec;
  readonly canary: KubeObject;
  /** Whose containers' ports `portDiscovery` adds. */
  readonly workload: KubeObject;
  /** The apex Service as it stands; absent: there is none yet. */
  readonly apex: KubeObject | undefined;
  /** The Service that the ports are for, as it stands. Absent: there is none yet. */
  readonly live?: KubeObject | undefined;
}

export interface ServicePorts {
  /** As an API server takes them: one for each number and protocol, with names of their own. */
  readonly ports: readonly Json[];
  /** What is not as somebody might expect, each a sentence. */
  readonly remarks: readonly string[];
}

/** Containers that a mesh puts into pods; nobody asks them by way of a Service. */
const sidecars = new Set([
  'istio-proxy',
  'envoy',
  'linkerd-proxy',
  'kuma-sidecar',
  'consul-dataplane',
  'consul-connect-envoy-sidecar',
  'envoy-sidecar',
]);

/** Longest name of a Service's port. */
const longestName = 63;

/**
 * The ports of the generated Services: that of the Canary, those that the apex Service had before the Canary took it over, and with
 * `portDiscovery` those of the containers. Of a Service that stood before, users go on to find what they know: ports, names, and what the
 * Canary does not say otherwise of its own port.
 */
export function servicePorts({ spec, canary, workload, apex, live }: PortsInput): ServicePorts {
  const { port, targetPort, appProtocol, portDiscovery, raw } = spec.service;
  const before = adoptedPorts(apex, canary);
  const known = before.find((entry) => isSamePort(entry, port, 'TCP'));
  const further = before.filter((entry) => entry !== known);
  const remarks: string[] = [];
  const names = new Set<unknown>();
  const name = nameOfMain(spec, known, further);
  // Users are not led to a port that nobody has because of a slip of the pen.
  const standing =
    deadTargetPort(spec, workload) === undefined
      ? undefined
      : listOf(at(live, 'spec', 'ports')).find((entry) => isSamePort(entry, port, 'TCP'))?.['targetPort'];
  const main: Json = {
    name,
    port,
    protocol: 'TCP',
    targetPort: standing ?? (isSaid(raw['targetPort']) ? targetPort : (known?.['targetPort'] ?? targetPort)),
    ...(appProtocol !== undefined
      ? { appProtocol }
      : known?.['appProtocol']
        ? { appProtocol: known['appProtocol'] }
        : {}),
  };
  names.add(name);
  const former = textOf(known?.['name']);
  if (former !== undefined && former !== name)
    remarks.push(`port ${port} of the Service, ${former} so far, is called ${name}: what names it has to follow`);
  const kept = further.flatMap((entry): readonly Json[] => {
    const number = numberOf(entry['port']);
    if (number === undefined) return [];
    const protocol = textOf(entry['protocol']) ?? 'TCP';
    const wanted = textOf(entry['name']);
    const own = freeName(wanted ?? `${protocol.toLowerCase()}-${number}`, number, names);
    if (wanted !== undefined && own !== wanted)
      remarks.push(
        `port ${number} of the Service, ${wanted} so far, is called ${own}: the Canary calls its own port so`,
      );
    names.add(own);
    return [{ ...entry, name: own, protocol }];
  });
  const ports = [main, ...kept];
  if (portDiscovery) ports.push(...discovered(workload, ports, names, remarks));
  return { ports, remarks };
}

/** Why the port of the generated Services leads nowhere: no container has one of this name. Undefined: it leads somewhere, or it is a number. */
export function deadTargetPort({ service: { targetPort } }: CanarySpec, target: KubeObject): string | undefined {
  if (typeof targetPort !== 'string') return undefined;
  const names = ['containers', 'initContainers'].flatMap((list) =>
    listOf(at(target, 'spec', 'template', 'spec', list)).flatMap(({ ports }) =>
      listOf(ports).flatMap(({ name }) => textOf(name) ?? []),
    ),
  );
  if (names.includes(targetPort)) return undefined;
  const has = names.length === 0 ? 'none has a name' : `there is ${names.slice(0, 10).join(', ')}`;
  return `no container of ${target.kind} ${target.metadata.name} has a port called ${targetPort} (${has})`;
}

/** Ports of a Service that stood before the Canary. */
function adoptedPorts(apex: KubeObject | undefined, canary: KubeObject): readonly Json[] {
  return apex && !isControlledBy(apex, canary) ? listOf(at(apex, 'spec', 'ports')) : [];
}

/** Whether the generated Services get more ports than that of the Canary. */
export function hasSeveralPorts({ service }: CanarySpec, apex: KubeObject | undefined, canary: KubeObject): boolean {
  if (service.portDiscovery) return true;
  return adoptedPorts(apex, canary).some((entry) => !isSamePort(entry, service.port, 'TCP'));
}

const isSaid = (value: unknown): boolean => value !== undefined && value !== null && value !== '' && value !== 0;

function isSamePort(entry: Json, port: number, protocol: string): boolean {
  return entry['port'] === port && (textOf(entry['protocol']) ?? 'TCP') === protocol;
}

function nameOfMain({ service }: CanarySpec, known: Json | undefined, further: readonly Json[]): string {
  const { portName, port, raw } = service;
  if (isSaid(raw['portName'])) return portName;
  const before = textOf(known?.['name']);
  if (before !== undefined) return before;
  return further.some(({ name }) => name === portName) ? `${portName}-${port}` : portName;
}

/** All container ports except the main one, those that are there already, and those of mesh sidecars. */
function discovered(
  workload: KubeObject,
  others: readonly Json[],
  names: Set<unknown>,
  remarks: string[],
): readonly Json[] {
  const mainTarget = others[0]?.['targetPort'];
  const found: Json[] = [];
  let isMainFound = false;
  for (const container of listOf(at(workload, 'spec', 'template', 'spec', 'containers'))) {
    const owner = textOf(container['name']) ?? '';
    if (sidecars.has(owner)) continue;
    listOf(container['ports']).forEach((entry, index) => {
      const number = numberOf(entry['containerPort']);
      if (number === undefined) return;
      const protocol = textOf(entry['protocol']) ?? 'TCP';
      const name = textOf(entry['name']);
      const isMain =
        protocol === 'TCP' && (typeof mainTarget === 'number' ? number === mainTarget : name === mainTarget);
      // By a name the first container that has it is reached.
      if (isMain && (typeof mainTarget === 'number' || !isMainFound)) {
        isMainFound = true;
        return;
      }
      const taken = [...others, ...found].find((port) => isSamePort(port, number, protocol));
      if (taken) {
        const leadsThere = taken['targetPort'] === number || (name !== undefined && taken['targetPort'] === name);
        if (leadsThere && (name === undefined || taken['name'] === name)) return;
        const shown = name === undefined ? '' : ` ${name}`;
        remarks.push(
          `port${shown} ${number}/${protocol} of container ${owner} is left out: port ${String(taken['name'])} has this number already`,
        );
        return;
      }
      const wanted = name ?? `${protocol.toLowerCase()}-${owner}-${index}`;
      const own = freeName(wanted, number, names);
      if (name !== undefined && own !== name)
        remarks.push(
          `port ${name} ${number}/${protocol} of container ${owner} is called ${own}: another port is called ${name}`,
        );
      names.add(own);
      found.push({ name: own, port: number, protocol, targetPort: number });
    });
  }
  return found;
}

/** The name, or one like it that no other port has. */
function freeName(name: string, number: number, names: ReadonlySet<unknown>): string {
  const short = (length: number): string => name.slice(0, length).replace(/-+$/, '');
  const plain = short(longestName);
  if (!names.has(plain)) return plain;
  for (let count = 0; ; count += 1) {
    const end = count === 0 ? `-${number}` : `-${number}-${count}`;
    const other = `${short(longestName - end.length)}${end}`;
    if (!names.has(other)) return other;
  }
}

/** The order of ports means nothing, and node ports were given by the cluster. */
export function mergePorts(live: readonly Json[], wanted: readonly Json[]): readonly Json[] {
  const merged = wanted.map((port) => {
    const same =
      live.find(({ name }) => name === port['name']) ??
      live.find((entry) => isSamePort(entry, Number(port['port']), textOf(port['protocol']) ?? 'TCP'));
    return same?.['nodePort'] === undefined ? port : { ...port, nodePort: same['nodePort'] };
  });
  const sorted = (ports: readonly Json[]): readonly Json[] =>
    [...ports].sort(
      (a, b) =>
        Number(a['port']) - Number(b['port']) ||
        ((textOf(a['protocol']) ?? '') < (textOf(b['protocol']) ?? '') ? -1 : 1),
    );
  return sameJson(sorted(live), sorted(merged)) ? live : merged;
}
