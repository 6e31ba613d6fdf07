import { own } from '../../lib/own.ts';
import { groupOf, type KubeObject } from '../types.ts';
import { type Fields, fieldsOf, type Finding, isFields, listOf } from './finding.ts';

/** What an API server refuses of Ingresses, policies, budgets, CronJobs, claims and configs although their fields can be read. */
export function checkOthers(object: KubeObject): readonly Finding[] {
  const spec = fieldsOf(object, 'spec');
  switch (`${groupOf(object.apiVersion)}/${object.kind}`) {
    case 'networking.k8s.io/Ingress':
      return checkIngress(object, spec);
    case 'networking.k8s.io/NetworkPolicy':
      return checkBlocks(spec);
    case 'policy/PodDisruptionBudget':
      return checkBudget(spec);
    case 'batch/CronJob':
      return checkSchedule(spec['schedule']);
    case '/PersistentVolumeClaim':
      return listOf(spec, 'accessModes').length > 0
        ? []
        : [{ field: 'spec.accessModes', message: 'is missing or empty', hint: 'write for example [ReadWriteOnce]' }];
    case '/ConfigMap':
      return Object.keys(fieldsOf(object, 'data'))
        .filter((key) => Object.hasOwn(fieldsOf(object, 'binaryData'), key))
        .map((key) => ({ field: `data["${key}"]`, message: 'is in binaryData, too' }));
    case '/Secret':
      return checkSecret(object);
    default:
      return [];
  }
}

const host = /^(?:\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function checkIngress(object: KubeObject, spec: Fields): readonly Finding[] {
  const rules = listOf(spec, 'rules');
  if (rules.length === 0 && !isFields(spec['defaultBackend']))
    return [{ field: 'spec', message: 'has neither rules nor a defaultBackend' }];
  const findings = [...checkBackend(fieldsOf(spec, 'defaultBackend'), 'spec.defaultBackend')];
  rules.forEach((rule, ruleIndex) => {
    if (!isFields(rule)) return;
    const place = `spec.rules[${ruleIndex}]`;
    const name = rule['host'];
    if (typeof name === 'string' && name !== '' && !(host.test(name) && name.length <= 253))
      findings.push({
        field: `${place}.host`,
        message: `${JSON.stringify(name.slice(0, 80))} is no host name`,
        hint: 'use small letters, without a port or a scheme',
      });
    listOf(fieldsOf(rule, 'http'), 'paths').forEach((path, index) => {
      const field = `${place}.http.paths[${index}]`;
      const { path: asked, pathType, backend } = isFields(path) ? path : {};
      if ((pathType === 'Prefix' || pathType === 'Exact') && !(typeof asked === 'string' && asked.startsWith('/')))
        findings.push({ field: `${field}.path`, message: 'must begin with "/"' });
      if (isFields(backend)) findings.push(...checkBackend(backend, `${field}.backend`));
    });
  });
  return object.apiVersion === 'networking.k8s.io/v1' ? findings : [];
}

function checkBackend(backend: Fields, place: string): readonly Finding[] {
  const { service } = backend;
  if (!isFields(service)) return [];
  const { name, number } = fieldsOf(service, 'port');
  const isNamed = name !== undefined && name !== null && name !== '';
  const isNumbered = number !== undefined && number !== null && number !== 0;
  if (isNamed === isNumbered)
    return [
      {
        field: `${place}.service.port`,
        message: isNamed ? 'has a name and a number' : 'has neither a name nor a number',
        hint: 'write one of them',
      },
    ];
  return [];
}

function checkBlocks(spec: Fields): readonly Finding[] {
  return (['ingress', 'egress'] as const).flatMap((list) =>
    listOf(spec, list).flatMap((rule, ruleIndex) => {
      const side = list === 'egress' ? 'to' : `from`;
      return listOf(rule, side).flatMap((peer, index): readonly Finding[] => {
        const { cidr } = fieldsOf(peer, 'ipBlock');
        if (typeof cidr !== 'string' || /^[0-9a-fA-F.:]+\/\d{1,3}$/.test(cidr)) return [];
        const field = `spec.${list}[${ruleIndex}].${side}[${index}].ipBlock.cidr`;
        return [
          { field, message: `${JSON.stringify(cidr.slice(0, 80))} is no range`, hint: 'write it like 10.0.0.0/8' },
        ];
      });
    }),
  );
}

function checkBudget(spec: Fields): readonly Finding[] {
  const { minAvailable, maxUnavailable } = spec;
  const isThere = (value: unknown): boolean => value !== undefined && value !== null;
  if (isThere(minAvailable) && isThere(maxUnavailable))
    return [
      { field: 'spec.maxUnavailable', message: 'cannot go together with minAvailable', hint: 'leave out one of them' },
    ];
  return (['minAvailable', 'maxUnavailable'] as const).flatMap((field) => wrongShare(spec[field], `spec.${field}`));
}

/** A number of pods, or a share such as `25%`. */
export function wrongShare(value: unknown, field: string): readonly Finding[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'number' && value >= 0) return [];
  if (typeof value === 'string' && /^\d+%$/.test(value)) return [];
  return [
    {
      field,
      message: `${JSON.stringify(value)} is no number of pods`,
      hint: 'write a whole number, or a share like 25%',
    },
  ];
}

const macros = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

function checkSchedule(schedule: unknown): readonly Finding[] {
  if (typeof schedule !== 'string') return [];
  const fields = schedule.trim().split(/\s+/);
  if (macros.has(schedule) || schedule.startsWith('@every ')) return [];
  if (fields.length === 5 && fields.every((one) => /^[\d*/,\-?A-Za-z]+$/.test(one))) return [];
  return [
    {
      field: 'spec.schedule',
      message: `${JSON.stringify(schedule.slice(0, 80))} is no schedule`,
      hint: 'write five fields, for example "0 3 * * *"',
    },
  ];
}

const neededKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

/** Values are never shown. */
function checkSecret(object: KubeObject): readonly Finding[] {
  const type = object['type'];
  const needed = (typeof type === 'string' ? own(neededKeys, type) : undefined) ?? [];
  const has = (key: string): boolean =>
    Object.hasOwn(fieldsOf(object, 'data'), key) || Object.hasOwn(fieldsOf(object, 'stringData'), key);
  return needed
    .filter((key) => !has(key))
    .map((key) => ({ field: 'data', message: `a Secret of type ${String(type)} needs the key ${key}` }));
}
