import { perObject } from '../lib/memo.ts';
import type { KubeObject } from '../manifest/types.ts';
import { at, listOf, numberOf, textsOf } from '../lib/json.ts';

/** Flagger's, in this order. */
export const defaultSelectorLabels: readonly string[] = ['app', 'name', 'app.kubernetes.io/name'];

/** By which labels a target selects its pods. */
export interface SelectorLabel {
  /** The one that tells primary from canary. */
  readonly label: string;
  readonly value: string;
  /** All others; the pods of primary and canary have them alike. Absent: there are none. */
  readonly others?: Readonly<Record<string, string>>;
}

/** The label that tells primary from canary: the first of `names` that the target selects its pods by. */
export function selectorLabelOf(target: KubeObject, names: readonly string[]): SelectorLabel | undefined {
  const labels = textsOf(at(target, 'spec', 'selector', 'matchLabels'));
  const label = names.find((name) => Object.hasOwn(labels, name));
  if (label === undefined) return undefined;
  const { [label]: value = '', ...rest } = { ...onlyValues(target), ...labels };
  // The primary's pods do not get Flux's own labels.
  const others = withoutToolkit(rest);
  return Object.keys(others).length === 0 ? { label, value } : { label, value, others };
}

/** Expressions that allow one value only say what a label says; a Service can follow no others. */
function onlyValues(target: KubeObject): Record<string, string> {
  const entries = listOf(at(target, 'spec', 'selector', 'matchExpressions')).flatMap(({ key, operator, values }) =>
    typeof key === 'string' && operator === 'In' && Array.isArray(values) && values.length === 1
      ? [[key, values[0] as unknown] as const]
      : [],
  );
  return textsOf(Object.fromEntries(entries));
}

export interface PodsOf {
  readonly selector: SelectorLabel;
  readonly leadsTo: 'primary' | 'canary';
  /** Absent: it is not made yet. */
  readonly primary: KubeObject | undefined;
  /** The Service that leads to them; absent: it is not made yet. */
  readonly service: KubeObject | undefined;
}

/**
 * By which labels a Service leads to all pods of the target or its primary, and to no others. A primary may have been made when the target
 * selected its pods by other labels than now; its own pods say which of them they have.
 */
export function podLabels({ selector, leadsTo, primary, service }: PodsOf): Record<string, string> {
  const { label, value, others = {} } = selector;
  if (leadsTo === 'canary') return { ...others, [label]: value };
  const own = { [label]: `${value}-primary` };
  if (!primary) return { ...others, ...own };
  const carried = textsOf(at(primary, 'spec', 'template', 'metadata', 'labels'));
  const fixed = textsOf(at(primary, 'spec', 'selector', 'matchLabels'));
  const live = textsOf(at(service, 'spec', 'selector'));
  const isSure = (key: string): boolean =>
    fixed[key] === carried[key] || live[key] === carried[key] || !isRollingOut(primary);
  const kept = Object.keys(others).filter((key) => Object.hasOwn(carried, key) && isSure(key));
  return { ...Object.fromEntries(kept.map((key) => [key, carried[key] ?? ''])), ...own };
}

/** Some of its pods may not be those of its template. */
function isRollingOut({ metadata, status }: KubeObject): boolean {
  const count = (name: string): number => numberOf(at(status, name)) ?? 0;
  const updated = count('updatedReplicas') + count('updatedNumberScheduled');
  return (
    (metadata.generation ?? 0) > count('observedGeneration') ||
    updated < count('replicas') + count('currentNumberScheduled')
  );
}

/** Whether whatever has the labels `wanted` has those of `some` too. */
export function isPartOf(some: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(some).every(([key, value]) => Object.hasOwn(wanted, key) && wanted[key] === value);
}

/** A label's value is no longer than this. */
const longestValue = 63;

/** Why no primary can be told by this label: its pods could not be made. Undefined where one can. */
export function labelProblem({ label, value }: SelectorLabel): string | undefined {
  const primary = `${value}-primary`;
  if (primary.length <= longestValue) return undefined;
  return `the label ${label} of the primary, ${primary}, would be longer than ${longestValue} characters: choose a shorter value`;
}

/** Labels or annotations whose key begins with one of `prefixes` (`*`: all); Flux's own never pass. */
export function includedByPrefix(
  values: Readonly<Record<string, string>>,
  prefixes: readonly string[],
): Record<string, string> {
  const wanted = Object.entries(values).filter(([key]) =>
    prefixes.some((prefix) => prefix === '*' || (prefix !== '' && key.startsWith(prefix))),
  );
  return withoutToolkit(Object.fromEntries(wanted));
}

/** Flux would take generated objects for its own and prune them. */
export function withoutToolkit(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !key.includes('toolkit.fluxcd.io')));
}

/** Of the pods that a workload makes. */
export const labelsOf = perObject((workload: KubeObject) =>
  textsOf(at(workload, 'spec', 'template', 'metadata', 'labels')),
);
