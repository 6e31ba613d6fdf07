import type { Json } from '../json.ts';
import { clone } from '../json.ts';
import type { Resolve, Schema } from '../schema.ts';
import { memberSchema } from '../schema.ts';
import type { FieldSet } from './field-set.ts';
import { partsOf, shapeOf } from './shape.ts';

/** The live value with everything that the configuration states. */
export function mergeApplied(schema: Schema | undefined, live: unknown, config: unknown, resolve: Resolve): unknown {
  const shape = shapeOf(schema, config);
  const liveShape = shapeOf(schema, live);
  if (shape.kind === 'leaf' || liveShape.kind !== shape.kind) return clone(config);
  if (shape.kind === 'map') {
    const merged: Json = { ...(live as Json) };
    for (const [key, value] of Object.entries(shape.value)) {
      if (value === null) delete merged[key];
      else merged[key] = mergeApplied(resolve(memberSchema(schema, key)), merged[key], value, resolve);
    }
    return merged;
  }
  return mergeItems(schema, live, config, resolve);
}

/** The configuration's order counts; items that only live has stay where they were before the next common one. */
function mergeItems(schema: Schema | undefined, live: unknown, config: unknown, resolve: Resolve): unknown[] {
  const old = [...(partsOf(schema, live, resolve) ?? [])];
  const now = partsOf(schema, config, resolve) ?? new Map();
  const merged: unknown[] = [];
  let passed = 0;
  const passTo = (end: number): void => {
    for (; passed < end; passed += 1) {
      const [step, part] = old[passed] ?? [];
      if (step !== undefined && part && !now.has(step)) merged.push(clone(part.value));
    }
  };
  for (const [step, part] of now) {
    const place = old.findIndex(([oldStep]) => oldStep === step);
    if (place >= passed) passTo(place);
    merged.push(mergeApplied(part.schema, old[place]?.[1].value, part.value, resolve));
  }
  passTo(old.length);
  return merged;
}

/** The value without what `last` names and nobody in `keep` cares for any more. */
export function withoutAbandoned(
  schema: Schema | undefined,
  value: unknown,
  last: FieldSet,
  keep: FieldSet,
  resolve: Resolve,
): unknown {
  const parts = partsOf(schema, value, resolve);
  if (!parts) return value;
  const kept = [...parts].flatMap(([step, part]): readonly (readonly [string, unknown])[] => {
    const before = last.children.get(step);
    if (!before) return [[step, part.value]];
    const still = keep.children.get(step);
    return still ? [[step, withoutAbandoned(part.schema, part.value, before, still, resolve)]] : [];
  });
  return Array.isArray(value)
    ? kept.map(([, item]) => item)
    : Object.fromEntries(kept.map(([step, item]) => [step.slice(2), item]));
}
