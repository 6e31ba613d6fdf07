import type { KubeObject } from '../manifest/types.ts';
import { at, textsOf } from './json.ts';

export interface SelectorLabel {
  readonly label: string;
  readonly value: string;
}

/** The label that tells primary from canary: the first of `names` that the target selects its pods by. */
export function selectorLabelOf(target: KubeObject, names: readonly string[]): SelectorLabel | undefined {
  const labels = textsOf(at(target, 'spec', 'selector', 'matchLabels'));
  const label = names.find((name) => labels[name] !== undefined);
  return label === undefined ? undefined : { label, value: labels[label] ?? '' };
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
