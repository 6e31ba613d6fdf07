import { own } from '../../lib/own.ts';
import { type Fields, fieldsOf, type Finding, isFields, listOf } from './finding.ts';
import { isPort, wrongLabel, wrongPortName, wrongTarget } from './ports.ts';
import { quantityOf } from './quantity.ts';

export interface PodContext {
  /** Path of the pod's spec. */
  readonly field: string;
  /** What the kind lets a pod do when it has ended. */
  readonly restartPolicies: readonly string[];
  /** Volumes that come from somewhere else than the spec. */
  readonly claims: readonly unknown[];
}

/** What an API server refuses of the pods of a workload although each of its fields can be read. */
export function checkPodSpec(pod: Fields, context: PodContext): readonly Finding[] {
  const { field, restartPolicies, claims } = context;
  const findings: Finding[] = [];
  const restart = pod['restartPolicy'];
  if (!restartPolicies.includes((restart ?? 'Always') as string))
    findings.push({
      field: `${field}.restartPolicy`,
      message: restart === undefined ? 'is missing' : `${JSON.stringify(restart)} is not possible here`,
      hint: `write ${restartPolicies.join(' or ')}`,
    });
  const volumes = new Set<unknown>(claims);
  listOf(pod, 'volumes').forEach((volume, index) => {
    if (!isFields(volume)) return;
    const place = `${field}.volumes[${index}]`;
    const { name, ...sources } = volume;
    volumes.add(name);
    if (typeof name === 'string') findings.push(...at(`${place}.name`, wrongLabel(name)));
    const named = Object.keys(sources).filter((source) => sources[source] !== null);
    if (named.length > 1)
      findings.push({ field: place, message: `has more than one source: ${named.slice(0, 5).join(', ')}` });
  });
  listOf(pod, 'tolerations').forEach((toleration, index) => {
    if (!isFields(toleration) || toleration['operator'] !== 'Exists' || !toleration['value']) return;
    findings.push({
      field: `${field}.tolerations[${index}].value`,
      message: 'cannot go together with operator Exists',
      hint: 'leave out the value, or write operator: Equal',
    });
  });
  for (const list of ['initContainers', 'containers'])
    listOf(pod, list).forEach((container, index) => {
      if (isFields(container)) findings.push(...checkContainer(container, `${field}.${list}[${index}]`, volumes));
    });
  return findings;
}

function checkContainer(container: Fields, place: string, volumes: ReadonlySet<unknown>): readonly Finding[] {
  const { name } = container;
  return [
    ...(typeof name === 'string' && name !== '' ? at(`${place}.name`, wrongLabel(name)) : []),
    ...checkPorts(container, place),
    ...checkEnv(container, place),
    ...checkEnvFrom(container, place),
    ...checkResources(fieldsOf(container, 'resources'), `${place}.resources`),
    ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((probe) => checkProbe(container, probe, place)),
    ...listOf(container, 'volumeMounts').flatMap((mount, index): readonly Finding[] => {
      const volume = isFields(mount) ? mount['name'] : undefined;
      if (typeof volume !== 'string' || volumes.has(volume)) return [];
      const message = `there is no volume ${JSON.stringify(volume.slice(0, 80))}`;
      return [{ field: `${place}.volumeMounts[${index}].name`, message }];
    }),
  ];
}

function checkPorts(container: Fields, place: string): readonly Finding[] {
  const names = new Set<string>();
  return listOf(container, 'ports').flatMap((port, index): readonly Finding[] => {
    if (!isFields(port)) return [];
    const field = `${place}.ports[${index}]`;
    const { name, containerPort } = port;
    const findings: Finding[] = [];
    if (typeof containerPort === 'number' && !isPort(containerPort))
      findings.push({ field: `${field}.containerPort`, message: `${containerPort} is no port number` });
    if (typeof name !== 'string' || name === '') return findings;
    findings.push(...at(`${field}.name`, wrongPortName(name)));
    if (names.has(name)) findings.push({ field: `${field}.name`, message: `${name.slice(0, 80)} is there twice` });
    names.add(name);
    return findings;
  });
}

function checkEnvFrom(container: Fields, place: string): readonly Finding[] {
  return listOf(container, 'envFrom').flatMap((entry, index): readonly Finding[] => {
    if (!isFields(entry)) return [];
    const named = ['configMapRef', 'secretRef'].filter((source) => isFields(entry[source]));
    if (named.length === 1) return [];
    return [
      {
        field: `${place}.envFrom[${index}]`,
        message: `must name one source, not ${named.length}`,
        hint: 'configMapRef or secretRef',
      },
    ];
  });
}

const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'];

function checkEnv(container: Fields, place: string): readonly Finding[] {
  return listOf(container, 'env').flatMap((entry, index): readonly Finding[] => {
    if (!isFields(entry)) return [];
    const field = `${place}.env[${index}]`;
    const { name, value, valueFrom } = entry;
    const findings: Finding[] = [];
    if (typeof name === 'string' && !/^[ -<>-~]+$/.test(name))
      findings.push({
        field: `${field}.name`,
        message: 'is no name of a variable',
        hint: 'use letters, digits and "_"',
      });
    if (!isFields(valueFrom)) return findings;
    const named = sources.filter((source) => valueFrom[source] !== undefined && valueFrom[source] !== null);
    if (value !== undefined && value !== null && value !== '')
      findings.push({
        field: `${field}.valueFrom`,
        message: 'cannot go together with a value',
        hint: 'leave out one of them',
      });
    else if (named.length !== 1)
      findings.push({
        field: `${field}.valueFrom`,
        message: `must name one source, not ${named.length}`,
        hint: `one of ${sources.slice(0, 4).join(', ')}`,
      });
    return findings;
  });
}

function checkResources(resources: Fields, place: string): readonly Finding[] {
  const limits = fieldsOf(resources, 'limits');
  const requests = fieldsOf(resources, 'requests');
  const wrong = (['limits', 'requests'] as const).flatMap((list) =>
    Object.entries(fieldsOf(resources, list)).flatMap(([name, value]): readonly Finding[] => {
      const field = `${place}.${list}["${name}"]`;
      const amount = quantityOf(value);
      if (amount === undefined)
        return typeof value === 'string'
          ? [
              {
                field,
                message: `${JSON.stringify(value.slice(0, 80))} is no quantity`,
                hint: 'write it like 500m, 1, 256Mi or 2Gi',
              },
            ]
          : [];
      return amount < 0 ? [{ field, message: 'is less than nothing' }] : [];
    }),
  );
  const above = Object.entries(requests).flatMap(([name, value]): readonly Finding[] => {
    const [request, limit] = [quantityOf(value), quantityOf(own(limits, name))];
    if (request === undefined || limit === undefined || request <= limit) return [];
    return [
      {
        field: `${place}.requests["${name}"]`,
        message: `${String(value)} is more than the limit, ${String(own(limits, name))}`,
      },
    ];
  });
  return [...wrong, ...above];
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

function checkProbe(container: Fields, name: string, place: string): readonly Finding[] {
  const probe = container[name];
  if (!isFields(probe)) return [];
  const field = `${place}.${name}`;
  const findings: Finding[] = [];
  const named = handlers.filter((handler) => probe[handler] !== undefined && probe[handler] !== null);
  if (named.length !== 1)
    findings.push({
      field,
      message: named.length === 0 ? 'does not say what to ask' : `asks in several ways: ${named.join(', ')}`,
      hint: `write one of ${handlers.join(', ')}`,
    });
  for (const handler of ['httpGet', 'tcpSocket']) {
    const { port } = fieldsOf(probe, handler);
    findings.push(...at(`${field}.${handler}.port`, wrongTarget(port)));
  }
  const { successThreshold } = probe;
  if (name !== 'readinessProbe' && typeof successThreshold === 'number' && successThreshold > 1)
    findings.push({ field: `${field}.successThreshold`, message: `must be 1, not ${successThreshold}` });
  return findings;
}

function at(field: string, wrong: Omit<Finding, 'field'> | undefined): readonly Finding[] {
  return wrong ? [{ field, ...wrong }] : [];
}
