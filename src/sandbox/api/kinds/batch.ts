import type { StoredObject } from '../../types.ts';
import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, asString, ensure } from '../json.ts';
import type { KindRules } from './contract.ts';
import { fallback, immutable, required, wrong } from './contract.ts';
import { podSpecCauses, podSpecDefaults } from './pod.ts';

/** The pod template has to say that its pods end; nothing is assumed for it. */
function templateDefaults(spec: Json): void {
  const template = ensure(spec, 'template', 'spec');
  const policy = template.restartPolicy;
  podSpecDefaults(template);
  if (policy === undefined) delete template.restartPolicy;
  ensure(spec, 'template', 'metadata');
}

function templateCauses(spec: Json, field: string): readonly Cause[] {
  const template = asObject(asObject(spec.template).spec);
  const ends = template.restartPolicy === 'OnFailure' || template.restartPolicy === 'Never';
  return [
    ...(ends ? [] : [required(`${field}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')]),
    ...podSpecCauses(template, `${field}.template.spec`),
  ];
}

export const jobRules: KindRules = {
  prepare(object) {
    const spec = ensure(object, 'spec');
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    fallback(spec, 'parallelism', 1);
    fallback(spec, 'backoffLimit', 6);
    fallback(spec, 'completionMode', 'NonIndexed');
    fallback(spec, 'suspend', false);
    fallback(spec, 'manualSelector', false);
    fallback(spec, 'podReplacementPolicy', 'TerminatingOrFailed');
    templateDefaults(spec);
    if (spec.manualSelector === true) return;
    const metadata = ensure(object, 'metadata');
    const [uid, name] = [asString(metadata.uid), asString(metadata.name)];
    const labels = {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': name,
      'controller-uid': uid,
      'job-name': name,
    };
    Object.assign(ensure(object, 'metadata', 'labels'), labels);
    Object.assign(ensure(spec, 'template', 'metadata', 'labels'), labels);
    fallback(spec, 'selector', { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } });
  },
  check: (object, live) => [...templateCauses(asObject(object.spec), 'spec'), ...changedForever(object, live)],
};

function changedForever(object: Json, live: StoredObject | undefined): readonly Cause[] {
  if (!live) return [];
  const [before, after] = [asObject(live.spec), asObject(object.spec)];
  return ['selector', 'template', 'completions', 'completionMode'].flatMap((field) =>
    immutable(`spec.${field}`, before[field], after[field]),
  );
}

const schedule = /^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every \S+|(\S+\s+){4}\S+)$/;

export const cronJobRules: KindRules = {
  prepare(object) {
    const spec = ensure(object, 'spec');
    fallback(spec, 'concurrencyPolicy', 'Allow');
    fallback(spec, 'suspend', false);
    fallback(spec, 'successfulJobsHistoryLimit', 3);
    fallback(spec, 'failedJobsHistoryLimit', 1);
    ensure(spec, 'jobTemplate', 'metadata');
    templateDefaults(ensure(spec, 'jobTemplate', 'spec'));
  },
  check(object) {
    const spec = asObject(object.spec);
    const text = asString(spec.schedule);
    return [
      ...(text === '' ? [required('spec.schedule')] : []),
      ...(text !== '' && !schedule.test(text.trim())
        ? [
            wrong(
              'spec.schedule',
              text,
              `expected exactly 5 fields, found ${text.trim().split(/\s+/).length}: [${text}]`,
            ),
          ]
        : []),
      ...templateCauses(asObject(asObject(spec.jobTemplate).spec), 'spec.jobTemplate.spec'),
    ];
  },
};
