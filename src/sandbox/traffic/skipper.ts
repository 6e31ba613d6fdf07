import type { StoredObject } from '../types.ts';
import { fieldsOf, numberOf } from './read.ts';

const WEIGHTS = 'zalando.org/backend-weights';
const PREDICATE = 'zalando.org/skipper-predicate';

/** Whether Skipper takes no request by this Ingress. */
export function isDisabled({ metadata }: StoredObject): boolean {
  return (metadata.annotations?.[PREDICATE] ?? '').includes('False()');
}

/** How much more than its path Skipper thinks of a route: that with more conditions is taken. */
export function routeWeight({ metadata }: StoredObject): number {
  const [, weight] = /\bWeight\((\d{1,6})\)/.exec(metadata.annotations?.[PREDICATE] ?? '') ?? [];
  return numberOf(weight) ?? 0;
}

/** Weight by Service; undefined where the Ingress divides nothing. */
export function backendWeights({ metadata }: StoredObject): ReadonlyMap<string, number> | undefined {
  const text = metadata.annotations?.[WEIGHTS];
  if (text === undefined) return undefined;
  try {
    return new Map(Object.entries(fieldsOf(JSON.parse(text))).map(([name, weight]) => [name, numberOf(weight) ?? 0]));
  } catch {
    return undefined;
  }
}
