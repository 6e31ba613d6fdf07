import type { Json } from '../json.ts';
import { clone } from '../json.ts';
import type { Resolve, Schema } from '../schema.ts';
import { memberSchema } from '../schema.ts';
import type { FieldSet } from './field-set.ts';
import type { Part } from './shape.ts';
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

/**
 * The configuration's order counts. Items that only live has stay before the common item that they preceded; those
 * before any common one come first.
 */
function mergeItems(schema: Schema | undefined, live: unknown, config: unknown, resolve: Resolve): unknown[] {
  const old = partsOf(schema, live, resolve) ?? new Map<string, Part>();
  const now = partsOf(schema, config, resolve) ?? new Map<string, Part>();
  const left = [...old.keys()];
  const right = [...now.keys()];
  const merged: unknown[] = [];
  while (left.length > 0 || right.length > 0) {
    const [mine] = left;
    const nextCommon = right.find((step) => old.has(step));
    if (mine !== undefined && !now.has(mine)) {
      merged.push(clone(old.get(mine)?.value));
      left.shift();
    } else if (mine !== undefined && mine !== nextCommon) {
      // A common item that is taken when the configuration comes to it.
      left.shift();
    } else {
      const step = right.shift() ?? '';
      const part = now.get(step);
      merged.push(mergeApplied(part?.schema, old.get(step)?.value, part?.value, resolve));
      if (mine === step) left.shift();
    }
  }
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
