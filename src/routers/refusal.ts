import { jsonOf, numberOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { type Json, listOf } from './objects.ts';

/** Kind, name and namespace, as messages have them. */
export function whatOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}.${metadata.namespace ?? ''}`;
}

/** One of these conditions is False, of this version of the object. What was said of an older one counts no more. */
export function falseCondition(live: KubeObject | undefined, types: readonly string[]): Json | undefined {
  const status = jsonOf(live?.['status']);
  return listOf(status['conditions']).find(
    ({ type, status: state, observedGeneration }) =>
      types.includes(String(type)) &&
      state === 'False' &&
      !isStale(live, observedGeneration ?? status['observedGeneration']),
  );
}

/** What was observed is an older version of the object. Where either is not known, it is not. */
export function isStale(live: KubeObject | undefined, observed: unknown): boolean {
  const generation = live?.metadata.generation;
  const seen = numberOf(typeof observed === 'string' ? Number(observed) : observed);
  return generation !== undefined && seen !== undefined && seen < generation;
}

/** In the controller's own words. */
export function reasonOf({ message, reason }: Json): string {
  return textOf(message) ?? textOf(reason) ?? 'no reason given';
}
