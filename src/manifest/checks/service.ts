import type { KubeObject } from '../types.ts';
import { type Fields, fieldsOf, type Finding, isAbsent, isFields, listOf } from './finding.ts';
import { isPort, wrongLabel, wrongTarget } from './ports.ts';

export function checkService(object: KubeObject): readonly Finding[] {
  if (object.apiVersion !== 'v1' || object.kind !== 'Service') return [];
  const spec = object['spec'];
  if (!isFields(spec)) return [{ field: 'spec', message: 'is missing' }];
  if (spec['type'] === 'ExternalName') return checkExternal(spec['externalName']);
  const ports = listOf(spec, 'ports');
  const { type = 'ClusterIP', clusterIP, externalTrafficPolicy } = spec;
  const reach: Finding[] = [];
  if (clusterIP === 'None' && type !== 'ClusterIP')
    reach.push({ field: 'spec.clusterIP', message: `None cannot go together with type ${String(type)}` });
  if (externalTrafficPolicy && type === 'ClusterIP' && listOf(spec, 'externalIPs').length === 0)
    reach.push({
      field: 'spec.externalTrafficPolicy',
      message: 'cannot go together with type ClusterIP',
      hint: 'leave it out',
    });
  return [...reach, ...checkPorts(spec, ports)];
}

const qualified = /^(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\.?$/;

function checkExternal(name: unknown): readonly Finding[] {
  const field = 'spec.externalName';
  if (isAbsent(name)) return [{ field, message: 'is missing' }];
  if (typeof name !== 'string' || subdomain.test(name)) return [];
  return [
    { field, message: `${shown(name).slice(0, 80)} is no host name`, hint: 'write it without a scheme or a port' },
  ];
}

function checkPorts(spec: Fields, ports: readonly unknown[]): readonly Finding[] {
  const { type = 'ClusterIP' } = spec;
  if (ports.length === 0) {
    return spec['clusterIP'] === 'None' ? [] : [{ field: 'spec.ports', message: 'there is no port' }];
  }
  const names = new Set<unknown>();
  return ports.flatMap((entry, index): readonly Finding[] => {
    const place = `spec.ports[${index}]`;
    if (!isFields(entry)) return [{ field: place, message: 'is no port' }];
    const { name, port } = entry;
    const findings: Finding[] = [];
    if (!isPort(port)) findings.push({ field: `${place}.port`, message: `${shown(port)} is no port number` });
    if (ports.length > 1 && isAbsent(name)) {
      findings.push({
        field: `${place}.name`,
        message: 'is missing',
        hint: 'a Service with several ports needs names for them',
      });
    } else if (name !== undefined && names.has(name))
      findings.push({ field: `${place}.name`, message: `${shown(name)} is there twice` });
    names.add(name);
    const of = (member: string, wrong: Omit<Finding, 'field'> | undefined): void => {
      if (wrong) findings.push({ field: `${place}.${member}`, ...wrong });
    };
    if (typeof name === 'string' && name !== '') of('name', wrongLabel(name));
    of('targetPort', wrongTarget(entry['targetPort']));
    const protocol = entry['appProtocol'];
    if (typeof protocol === 'string' && protocol !== '' && !qualified.test(protocol))
      of('appProtocol', {
        message: `${shown(protocol).slice(0, 80)} is no name of a protocol`,
        hint: 'write it like http or kubernetes.io/h2c',
      });
    if (entry['nodePort'] && type === 'ClusterIP')
      of('nodePort', {
        message: 'cannot go together with type ClusterIP',
        hint: 'leave it out, or write type: NodePort',
      });
    return findings;
  });
}

export function checkAutoscaler(object: KubeObject): readonly Finding[] {
  if (!object.apiVersion.startsWith('autoscaling/') || object.kind !== 'HorizontalPodAutoscaler') return [];
  const spec = object['spec'];
  const findings: Finding[] = [];
  const { kind, name } = fieldsOf(spec, 'scaleTargetRef');
  if (isAbsent(kind) || isAbsent(name)) {
    findings.push({ field: 'spec.scaleTargetRef', message: 'kind or name is missing' });
  }
  const { minReplicas, maxReplicas } = isFields(spec) ? spec : {};
  if (typeof maxReplicas !== 'number' || maxReplicas < 1) {
    findings.push({ field: 'spec.maxReplicas', message: `${shown(maxReplicas)} is no number of pods` });
  } else if (typeof minReplicas === 'number' && minReplicas > maxReplicas) {
    findings.push({ field: 'spec.minReplicas', message: `${minReplicas} is more than maxReplicas, ${maxReplicas}` });
  }
  return findings;
}

const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
