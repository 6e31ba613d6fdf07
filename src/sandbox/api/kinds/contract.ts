import type { Clock } from '../../../lib/clock.ts';
import type { StoredObject } from '../../types.ts';
import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { equal } from '../json.ts';
import type { Objects } from '../objects.ts';

interface Surroundings {
  readonly objects: Objects;
  readonly clock: Clock;
}

/** What one kind adds to its schema. */
export interface KindRules {
  /** Fills in what a client may leave out. */
  prepare?(object: Json, live: StoredObject | undefined, around: Surroundings): void;
  /** Gives out what belongs to no manager: addresses, finalizers of the system. Runs last. */
  allocate?(object: Json, live: StoredObject | undefined, around: Surroundings): void;
  check?(object: Json, live: StoredObject | undefined): readonly Cause[];
}

/** Sets a field that is absent. */
export function fallback(object: Json, key: string, value: unknown): void {
  if (object[key] === undefined) object[key] = value;
}

export function required(field: string, message = ''): Cause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: message === '' ? 'Required value' : `Required value: ${message}`,
  };
}

export function wrong(field: string, value: unknown, message: string): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${message}` };
}

/** The cause when a field that never changes has changed. */
export function immutable(field: string, before: unknown, after: unknown): readonly Cause[] {
  return equal(before, after) ? [] : [wrong(field, after, 'field is immutable')];
}
