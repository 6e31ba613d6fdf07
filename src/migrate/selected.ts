import { at, textsOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Found, World } from './types.ts';

/** Of Flagger's and Serin's `--selector-labels`, at its default. */
const selectorLabels = ['app', 'name', 'app.kubernetes.io/name'];

/** The label by which a primary's pods differ. Undefined: the Deployment selects by none of them. */
export function primaryLabel(deployment: KubeObject): string | undefined {
  const selector = textsOf(at(deployment, 'spec', 'selector', 'matchLabels'));
  return selectorLabels.find((label) => own(selector, label) !== undefined);
}

const selectors: Readonly<Record<string, readonly string[]>> = {
  Service: ['spec', 'selector'],
  PodDisruptionBudget: ['spec', 'selector', 'matchLabels'],
  NetworkPolicy: ['spec', 'podSelector', 'matchLabels'],
  PodMonitor: ['spec', 'selector', 'matchLabels'],
};

/** Whether an object's selector is one of pods with these labels. */
export function leadsTo(object: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  const selector = Object.entries(selectorOf(object));
  return selector.length > 0 && selector.every(([key, value]) => own(labels, key) === value);
}

function selectorOf(object: KubeObject): Record<string, string> {
  const path = own(selectors, object.kind);
  return path === undefined ? {} : textsOf(at(object, ...path));
}

export interface Missed {
  readonly found: Found;
  /** What becomes of it, and what to do. */
  readonly text: string;
}

/**
 * What selects a Deployment's pods and not its primary's: at rest it selects none. `except`: names of Services that are settled otherwise.
 */
export function missingThePrimary(
  deployment: KubeObject,
  world: World,
  except: readonly (string | undefined)[],
): readonly Missed[] {
  const label = primaryLabel(deployment);
  const { namespace, name } = deployment.metadata;
  const labels = textsOf(at(deployment, 'spec', 'template', 'metadata', 'labels'));
  if (label === undefined) return [];
  const primary = `${label}: ${own(labels, label) ?? name}-primary`;
  return world.all.flatMap((found): Missed[] => {
    const { object } = found;
    const isOther =
      object.metadata.namespace !== namespace || (object.kind === 'Service' && except.includes(object.metadata.name));
    if (isOther || !leadsTo(object, labels) || own(selectorOf(object), label) === undefined) return [];
    const what = `${object.kind} ${object.metadata.name}`;
    const text =
      object.kind === 'Service'
        ? `${what} selects pods that are none at rest: users are with the primary, whose pods have ${primary}. Lead it there`
        : `${what} selects the new version’s pods only: write one for the primary’s, which have ${primary}`;
    return [{ found, text }];
  });
}
