import { equal, isObject } from '../json.ts';
import type { Resolve, Schema } from '../schema.ts';
import type { FieldSet } from './field-set.ts';
import { emptySet, setOf } from './field-set.ts';
import { partsOf } from './shape.ts';

const member: FieldSet = { self: true, children: new Map() };

/** The fields that a configuration states, and thereby its applier owns. */
export function fieldSetOf(schema: Schema | undefined, value: unknown, resolve: Resolve): FieldSet {
  const parts = partsOf(schema, value, resolve);
  if (!parts) return member;
  return setOf(
    false,
    [...parts].map(([step, part]) => {
      const below = fieldSetOf(part.schema, part.value, resolve);
      const isEmptyMap = isObject(part.value) && Object.keys(part.value).length === 0;
      return [step, part.declared && !isEmptyMap ? below : { ...below, self: true }] as const;
    }),
  );
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

const nothing: Comparison = { added: emptySet, modified: emptySet, removed: emptySet };

/** Everything under a value that came or went as a whole. */
function everything(schema: Schema | undefined, value: unknown, resolve: Resolve): FieldSet {
  const parts = partsOf(schema, value, resolve);
  if (!parts) return member;
  return setOf(
    true,
    [...parts].map(([step, part]) => [step, everything(part.schema, part.value, resolve)] as const),
  );
}

export function compare(schema: Schema | undefined, before: unknown, after: unknown, resolve: Resolve): Comparison {
  if (before === undefined && after === undefined) return nothing;
  if (before === undefined) return { ...nothing, added: everything(schema, after, resolve) };
  if (after === undefined) return { ...nothing, removed: everything(schema, before, resolve) };
  if (equal(before, after)) return nothing;
  // A list or map that is there but null is an empty one.
  if (before === null && typeof after === 'object') {
    return compare(schema, Array.isArray(after) ? [] : {}, after, resolve);
  }
  const old = partsOf(schema, before, resolve);
  const now = partsOf(schema, after, resolve);
  if (!old || !now) return { ...nothing, modified: member };
  const steps = [...new Set([...old.keys(), ...now.keys()])].map((step) => {
    const part = now.get(step) ?? old.get(step);
    return [step, compare(part?.schema, old.get(step)?.value, now.get(step)?.value, resolve)] as const;
  });
  const pick = (which: keyof Comparison): FieldSet =>
    setOf(
      false,
      steps.map(([step, comparison]) => [step, comparison[which]] as const),
    );
  return { added: pick('added'), modified: pick('modified'), removed: pick('removed') };
}
