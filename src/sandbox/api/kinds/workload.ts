import type { StoredObject } from '../../types.ts';
import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, ensure, equal, isObject } from '../json.ts';
import { matchesSelector } from '../selectors.ts';
import type { KindRules } from './contract.ts';
import { fallback, immutable, required, wrong } from './contract.ts';
import { podSpecCauses, podSpecDefaults } from './pod.ts';

function templateDefaults(spec: Json): void {
  podSpecDefaults(ensure(spec, 'template', 'spec'));
  ensure(spec, 'template', 'metadata');
}

function workloadCauses(object: Json, live: StoredObject | undefined): readonly Cause[] {
  const spec = asObject(object.spec);
  const template = asObject(spec.template);
  const causes: Cause[] = [];
  if (!isObject(spec.selector) || Object.keys(spec.selector).length === 0) {
    if (isObject(spec.selector))
      causes.push(wrong('spec.selector', spec.selector, 'empty selector is invalid for deployment'));
  } else if (!matchesSelector(spec.selector, asObject(asObject(template.metadata).labels))) {
    const labels = asObject(asObject(template.metadata).labels);
    causes.push(wrong('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  if (live) causes.push(...immutable('spec.selector', asObject(live.spec).selector, spec.selector));
  if (typeof spec.replicas === 'number' && spec.replicas < 0) {
    causes.push(wrong('spec.replicas', spec.replicas, 'must be greater than or equal to 0'));
  }
  const restart = asObject(template.spec).restartPolicy;
  if (restart !== 'Always') {
    const message = `Unsupported value: ${JSON.stringify(restart)}: supported values: "Always"`;
    causes.push({ reason: 'FieldValueNotSupported', field: 'spec.template.spec.restartPolicy', message });
  }
  return [...causes, ...podSpecCauses(asObject(template.spec), 'spec.template.spec')];
}

export const deploymentRules: KindRules = {
  prepare: (object) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'replicas', 1);
    fallback(spec, 'revisionHistoryLimit', 10);
    fallback(spec, 'progressDeadlineSeconds', 600);
    const strategy = ensure(spec, 'strategy');
    fallback(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') {
      const rolling = ensure(strategy, 'rollingUpdate');
      fallback(rolling, 'maxUnavailable', '25%');
      fallback(rolling, 'maxSurge', '25%');
    }
    templateDefaults(spec);
  },
  check: (object, live) => {
    const strategy = asObject(asObject(object.spec).strategy);
    const causes = [...workloadCauses(object, live)];
    const known = ['RollingUpdate', 'Recreate'];
    if (!known.includes(String(strategy.type))) {
      const message = `Unsupported value: ${JSON.stringify(strategy.type)}: supported values: "Recreate", "RollingUpdate"`;
      causes.push({ reason: 'FieldValueNotSupported', field: 'spec.strategy.type', message });
    } else if (strategy.type === 'Recreate' && strategy.rollingUpdate !== undefined) {
      const message = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
      causes.push({ reason: 'FieldValueForbidden', field: 'spec.strategy.rollingUpdate', message });
    }
    const rolling = asObject(strategy.rollingUpdate);
    const isZero = (value: unknown): boolean => value === 0 || value === '0%';
    if (isZero(rolling.maxUnavailable) && isZero(rolling.maxSurge)) {
      causes.push(wrong('spec.strategy.rollingUpdate.maxUnavailable', 0, 'may not be 0 when `maxSurge` is 0'));
    }
    return causes;
  },
};

export const replicaSetRules: KindRules = {
  prepare: (object) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'replicas', 1);
    templateDefaults(spec);
  },
  check: workloadCauses,
};

export const daemonSetRules: KindRules = {
  prepare: (object) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'revisionHistoryLimit', 10);
    const strategy = ensure(spec, 'updateStrategy');
    fallback(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') {
      const rolling = ensure(strategy, 'rollingUpdate');
      fallback(rolling, 'maxUnavailable', 1);
      fallback(rolling, 'maxSurge', 0);
    }
    templateDefaults(spec);
  },
  check: (object, live) =>
    asObject(object.spec).selector === undefined ? [required('spec.selector')] : workloadCauses(object, live),
};

/** Stored only: nothing makes its pods. */
/** What may change of a StatefulSet. */
const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function statefulSetCauses(object: Json, live: StoredObject | undefined): readonly Cause[] {
  const spec = asObject(object.spec);
  const causes = [...workloadCauses(object, undefined)];
  const { type, rollingUpdate } = asObject(spec.updateStrategy);
  if (type === 'OnDelete' && rollingUpdate !== undefined)
    causes.push(
      wrong('spec.updateStrategy.rollingUpdate', rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"),
    );
  const fixed = (from: Json): Json =>
    Object.fromEntries(Object.entries(from).filter(([key]) => !changeable.includes(key)));
  if (live && !equal(fixed(asObject(live.spec)), fixed(spec))) {
    const names = changeable.map((name) => `'${name}'`);
    const listed = `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
    const message = `Forbidden: updates to statefulset spec for fields other than ${listed} are forbidden`;
    causes.push({ reason: 'FieldValueForbidden', field: 'spec', message });
  }
  return causes;
}

export const statefulSetRules: KindRules = {
  prepare: (object) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'replicas', 1);
    fallback(spec, 'revisionHistoryLimit', 10);
    fallback(spec, 'podManagementPolicy', 'OrderedReady');
    const retention = ensure(spec, 'persistentVolumeClaimRetentionPolicy');
    fallback(retention, 'whenDeleted', 'Retain');
    fallback(retention, 'whenScaled', 'Retain');
    const strategy = ensure(spec, 'updateStrategy');
    fallback(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') fallback(ensure(strategy, 'rollingUpdate'), 'partition', 0);
    templateDefaults(spec);
  },
  check: statefulSetCauses,
};
