import type { ObjectRef } from '../../manifest/types.ts';
import type { FieldChecks } from './field-checks.ts';
import { targetKindOf, targets } from '../targets/registry.ts';
import type { CanarySpec, TargetKind } from '../types.ts';

const field = 'spec.targetRef';
/** Flagger takes any other word for a Deployment; here it is refused, because it can only be a slip. */
const kinds = ['Deployment', 'DaemonSet', 'Service'] as const;

export interface ParsedTarget {
  /** In the version that the agent speaks. */
  readonly target: ObjectRef;
  readonly targetKind: TargetKind;
  /** As written, for messages. */
  readonly written: string;
}

export function parseTarget(value: unknown, namespace: string, check: FieldChecks): ParsedTarget {
  const ref = check.record(value, field);
  const kind = check.oneOf(ref['kind'], `${field}.kind`, kinds) ?? 'Deployment';
  const apiVersion = check.text(ref['apiVersion'], `${field}.apiVersion`) ?? '';
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) check.note(`${field}.name`, 'is required', `name the ${kind} that is to be released`);
  const targetKind = targetKindOf(kind, apiVersion);
  return {
    target: { ...targets[targetKind].ref, namespace, name: name ?? '' },
    targetKind,
    written: `${apiVersion || targets[targetKind].ref.apiVersion}/${kind}`,
  };
}

/** What cannot go together with this kind of target; Flagger's words where Flagger refuses it too. */
export function checkTarget(
  { targetKind, target, written }: ParsedTarget,
  { provider, service }: Pick<CanarySpec, 'provider' | 'service'>,
  hasAutoscaler: boolean,
  check: FieldChecks,
): void {
  const isKnative = targetKind === 'Knative';
  if (isKnative && provider !== 'knative')
    check.note('spec.provider', `can't use ${provider} provider with Knative Service as target`);
  if (!isKnative && provider === 'knative')
    check.note(field, `can't use ${written} as target if provider is set to knative`);
  if (isKnative && hasAutoscaler) check.note('spec.autoscalerRef', `can't use autoscaler with Knative Service`);
  if (targetKind !== 'Service') return;
  // Flagger would make one that scales nothing.
  if (hasAutoscaler) check.note('spec.autoscalerRef', `can't use autoscaler with Service as target`);
  // Flagger would route to Services that it never makes.
  if (service.name !== target.name)
    check.note(
      'spec.service.name',
      'must be the name of the Service that is released',
      `write ${target.name}, or leave it out`,
    );
  // Flagger would analyse what has had all the traffic from the beginning.
  if (provider === 'kubernetes')
    check.note(
      'spec.provider',
      'kubernetes cannot divide the traffic of a Service that is released itself',
      'name a mesh or an ingress',
    );
}
