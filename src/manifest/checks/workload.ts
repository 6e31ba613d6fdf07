import { own } from '../../lib/own.ts';
import type { KubeObject } from '../types.ts';
import { type Fields, fieldsOf, type Finding, isAbsent, isFields, listOf } from './finding.ts';
import { isLabelValue } from './names.ts';
import { wrongShare } from './others.ts';
import { checkPodSpec, type PodContext } from './pod.ts';

const selecting = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet']);

/** What the API server refuses of workloads, and what would never get pods. */
export function checkWorkload(object: KubeObject): readonly Finding[] {
  const { apiVersion, kind } = object;
  if (apiVersion === 'v1' && kind === 'Pod') {
    const pod = fieldsOf(object, 'spec');
    return checkPodSpec(pod, { field: 'spec', restartPolicies: ['Always', 'OnFailure', 'Never'], claims: [] });
  }
  if (apiVersion === 'batch/v1' && kind === 'Job')
    return checkPod(fieldsOf(object['spec'], 'template'), 'spec.template', { restartPolicies: ends, claims: [] });
  if (apiVersion === 'batch/v1' && kind === 'CronJob') {
    const job = fieldsOf(fieldsOf(object['spec'], 'jobTemplate'), 'spec');
    const context = { restartPolicies: ends, claims: [] };
    return checkPod(fieldsOf(job, 'template'), 'spec.jobTemplate.spec.template', context);
  }
  if (apiVersion !== 'apps/v1' || !selecting.has(kind)) return [];
  const spec = object['spec'];
  if (!isFields(spec)) return [{ field: 'spec', message: 'is missing' }];
  const findings: Finding[] = [];
  const { replicas } = spec;
  if (replicas !== undefined && replicas !== null && !(Number.isInteger(replicas) && Number(replicas) >= 0)) {
    findings.push({
      field: 'spec.replicas',
      message: `${JSON.stringify(replicas)} is no number of pods`,
      hint: 'write a whole number',
    });
  }
  const claims = listOf(spec, 'volumeClaimTemplates').map((claim) => fieldsOf(claim, 'metadata')['name']);
  const context = { restartPolicies: ['Always'], claims };
  return [
    ...findings,
    ...checkStrategy(spec),
    ...checkSelector(spec),
    ...checkTemplateLabels(fieldsOf(spec, 'template')),
    ...checkPod(fieldsOf(spec, 'template'), 'spec.template', context),
  ];
}

/** What pods of jobs may do when they have ended. */
const ends = ['OnFailure', 'Never'];

function checkStrategy(spec: Fields): readonly Finding[] {
  const { revisionHistoryLimit } = spec;
  const { type, rollingUpdate } = fieldsOf(spec, 'strategy');
  const findings: Finding[] = [];
  if (typeof revisionHistoryLimit === 'number' && revisionHistoryLimit < 0)
    findings.push({ field: 'spec.revisionHistoryLimit', message: `${revisionHistoryLimit} is less than nothing` });
  if (type === 'Recreate' && isFields(rollingUpdate))
    findings.push({
      field: 'spec.strategy.rollingUpdate',
      message: 'cannot go together with type Recreate',
      hint: 'leave it out',
    });
  else if (isFields(rollingUpdate)) {
    for (const name of ['maxSurge', 'maxUnavailable'])
      findings.push(...wrongShare(rollingUpdate[name], `spec.strategy.rollingUpdate.${name}`));
  }
  return findings;
}

function checkTemplateLabels(template: Fields): readonly Finding[] {
  return Object.entries(fieldsOf(fieldsOf(template, 'metadata'), 'labels'))
    .filter(([, value]) => typeof value === 'string' && !isLabelValue(value))
    .map(([key, value]) => ({
      field: `spec.template.metadata.labels["${key}"]`,
      message: `${JSON.stringify(value).slice(0, 80)} is no valid label value`,
    }));
}

function checkSelector(spec: Fields): readonly Finding[] {
  const selector = fieldsOf(spec, 'selector');
  const wanted = fieldsOf(selector, 'matchLabels');
  if (Object.keys(wanted).length === 0 && listOf(selector, 'matchExpressions').length === 0) {
    return [
      {
        field: 'spec.selector',
        message: 'is missing or empty',
        hint: 'give it matchLabels that the pod template carries',
      },
    ];
  }
  const labels = fieldsOf(fieldsOf(fieldsOf(spec, 'template'), 'metadata'), 'labels');
  const missing = Object.entries(wanted).find(([name, value]) => own(labels, name) !== value);
  if (!missing) return [];
  const [name, value] = missing;
  const message = `the pod template does not carry ${name}: ${String(value)}`;
  return [{ field: 'spec.selector.matchLabels', message, hint: 'selector and template labels must agree' }];
}

function checkPod(template: Fields, field: string, context: Omit<PodContext, 'field'>): readonly Finding[] {
  const pod = fieldsOf(template, 'spec');
  const containers = listOf(pod, 'containers');
  if (containers.length === 0) return [{ field: `${field}.spec.containers`, message: 'there is no container' }];
  const seen = new Set<unknown>();
  const refused = checkPodSpec(pod, { field: `${field}.spec`, ...context });
  const named = (['initContainers', 'containers'] as const).flatMap((list) =>
    listOf(pod, list).flatMap((container, index): readonly Finding[] => {
      const place = `${field}.spec.${list}[${index}]`;
      if (!isFields(container)) return [{ field: place, message: 'is no container' }];
      const { name, image } = container;
      const findings: Finding[] = [];
      if (isAbsent(name)) findings.push({ field: `${place}.name`, message: 'is missing' });
      else if (seen.has(name)) findings.push({ field: `${place}.name`, message: `"${String(name)}" is there twice` });
      seen.add(name);
      if (isAbsent(image)) findings.push({ field: `${place}.image`, message: 'is missing' });
      return [...findings, ...checkEnv(container, place)];
    }),
  );
  return [...named, ...refused];
}

function checkEnv(container: Fields, place: string): readonly Finding[] {
  return listOf(container, 'env').flatMap((entry, index): readonly Finding[] => {
    if (!isFields(entry) || typeof entry['name'] !== 'string')
      return [{ field: `${place}.env[${index}].name`, message: 'is missing' }];
    const { value } = entry;
    if (value === undefined || value === null || typeof value === 'string') return [];
    return [
      {
        field: `${place}.env[${index}].value`,
        message: `${entry['name']} must be text`,
        hint: 'put the value in quotes',
      },
    ];
  });
}
