import type { KubeObject } from '../types.ts';
import { fieldsOf, type Finding, isFields, listOf } from './finding.ts';

export function checkService(object: KubeObject): readonly Finding[] {
  if (object.apiVersion !== 'v1' || object.kind !== 'Service') return [];
  const spec = object['spec'];
  if (!isFields(spec)) return [{ field: 'spec', message: 'is missing' }];
  if (spec['type'] === 'ExternalName') {
    return typeof spec['externalName'] === 'string' ? [] : [{ field: 'spec.externalName', message: 'is missing' }];
  }
  const ports = listOf(spec, 'ports');
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
    if (ports.length > 1 && typeof name !== 'string') {
      findings.push({
        field: `${place}.name`,
        message: 'is missing',
        hint: 'a Service with several ports needs names for them',
      });
    } else if (name !== undefined && names.has(name))
      findings.push({ field: `${place}.name`, message: `${shown(name)} is there twice` });
    names.add(name);
    return findings;
  });
}

export function checkAutoscaler(object: KubeObject): readonly Finding[] {
  if (!object.apiVersion.startsWith('autoscaling/') || object.kind !== 'HorizontalPodAutoscaler') return [];
  const spec = object['spec'];
  const findings: Finding[] = [];
  const { kind, name } = fieldsOf(spec, 'scaleTargetRef');
  if (typeof kind !== 'string' || typeof name !== 'string') {
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

const isPort = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
