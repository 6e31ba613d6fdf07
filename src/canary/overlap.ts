import { isTakenOver } from './footprint.ts';
import { perObject } from '../lib/memo.ts';
import type { KubeObject } from '../manifest/types.ts';
import { isControlledBy } from './owner.ts';
import { at, textOf, textsOf } from '../lib/json.ts';
import { isPartOf, labelsOf, podLabels, type SelectorLabel, selectorLabelOf } from './labels.ts';

/** A workload with pods of its own, by the labels of its template. */
export interface Workload {
  readonly object: KubeObject;
  /** A Canary releases it, so that it has a primary too, or is going to have one. */
  readonly isReleased: boolean;
}

export interface OverlapInput {
  readonly target: KubeObject;
  readonly selector: SelectorLabel;
  /** Those of the target's namespace that may be mixed with it; the target and its primary may be among them. */
  readonly workloads: readonly Workload[];
  /** The agent's setting. */
  readonly selectorLabels: readonly string[];
}

/**
 * Why the users of a target and of another workload would be answered by each other's pods: the first workload whose pods the generated
 * Services select too, or whose own Canary's Services select the target's. Undefined: there is none.
 */
export function overlapOf(input: OverlapInput): string | undefined {
  const { target, selector, workloads, selectorLabels } = input;
  if (selector.label === '') return undefined;
  const own = labelsOf(target);
  const taken = (['canary', 'primary'] as const).map((leadsTo) => labelsLedTo(selector, leadsTo));
  for (const { object, isReleased } of workloads) {
    if (isSame(object, target)) continue;
    const labels = labelsOf(object);
    const led = taken.find((wanted) => isPartOf(wanted, labels));
    if (led) return said(object, led, target);
    const others = isReleased ? selectorsBy(selectorLabels)(object) : undefined;
    const back = others && labelsLedTo(others, 'canary');
    if (back && isPartOf(back, own)) return said(object, back, target);
  }
  return undefined;
}

function said({ kind, metadata: { name } }: KubeObject, labels: Readonly<Record<string, string>>, target: KubeObject) {
  const shared = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return (
    `users of ${target.kind} ${target.metadata.name} and of ${kind} ${name} would be answered by each other's pods, which both have ` +
    `${shared.join(', ')}: give their spec.selector.matchLabels a label that differs`
  );
}

function labelsLedTo(selector: SelectorLabel, leadsTo: 'primary' | 'canary'): Record<string, string> {
  return podLabels({ selector, leadsTo, primary: undefined, service: undefined });
}

/** The same labels for as long as the agent runs, in most agents. */
const selectorsBy = perObject((names: readonly string[]) =>
  perObject((workload: KubeObject) => selectorLabelOf(workload, names)),
);

/** The target itself, or its primary. */
function isSame({ kind, metadata: { name } }: KubeObject, target: KubeObject): boolean {
  return kind === target.kind && (name === target.metadata.name || name === `${target.metadata.name}-primary`);
}

/**
 * Why the Service that a Canary would take over is not one of its target: its users would be led to others than they ask for. Undefined:
 * it may be taken.
 */
export function foreignApex(service: KubeObject | undefined, target: KubeObject, canary: KubeObject) {
  if (!service || isControlledBy(service, canary)) return undefined;
  const { name } = service.metadata;
  const instead = 'choose another spec.service.name, or let it lead to the target';
  const elsewhere = at(service, 'spec', 'type') === 'ExternalName' ? textOf(at(service, 'spec', 'externalName')) : '';
  if (elsewhere !== '') return `the Service ${name} leads to ${elsewhere ?? 'a name elsewhere'}: ${instead}`;
  const selector = textsOf(at(service, 'spec', 'selector'));
  if (isTakenOver(service, target) || isPartOf(selector, labelsOf(target))) return undefined;
  const led = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return `the Service ${name} leads to other pods (${led.join(', ')}) than those of ${target.kind} ${target.metadata.name}: ${instead}`;
}
