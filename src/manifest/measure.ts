import { inMiB } from './limits.ts';

/** Objects may not be deeper: whoever reads them follows each level, and no kind has a tenth of that. */
export const maxDepth = 200;
/** Values in an object; each costs something whatever its length. */
const maxValues = 50_000;

/**
 * Why a value is more than an object in a cluster can be; undefined where it is not. `maxLength`: of its JSON, in characters. Stops after
 * `maxValues`: aliases of YAML can stand for far more than what was written.
 */
export function excessOf(value: unknown, maxLength: number): string | undefined {
  let length = 0;
  let values = 0;
  let isDeep = false;
  let isNumber = true;
  const fits = (part: unknown, depth: number): boolean => {
    values += 1;
    if (typeof part === 'number' && !Number.isFinite(part)) isNumber = false;
    if (typeof part === 'string') length += part.length + 3;
    else if (typeof part !== 'object' || part === null) length += 5;
    else if (depth > maxDepth) isDeep = true;
    else if (Array.isArray(part)) {
      length += 2;
      for (const item of part) if (!fits(item, depth + 1)) break;
    } else {
      length += 2;
      for (const name in part) {
        if (!Object.hasOwn(part, name)) continue;
        length += name.length + 3;
        if (!fits((part as Record<string, unknown>)[name], depth + 1)) break;
      }
    }
    return !isDeep && isNumber && values <= maxValues;
  };
  if (fits(value, 1) && length <= maxLength) return undefined;
  if (isDeep) return `is deeper than ${maxDepth} levels`;
  if (!isNumber) return 'holds a number that is none (.inf or .nan)';
  if (values > maxValues) return `holds more than ${maxValues} values`;
  return `is too large (${inMiB(length)} as JSON, more than the ${inMiB(maxLength)} of --max-object-size)`;
}

/** About as many characters as the value has as JSON, for values that `excessOf` lets through. */
export function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let length = 2;
  for (const [name, member] of Object.entries(value)) length += name.length + 3 + lengthOf(member);
  return length;
}

/** How many values there are in it, itself among them. */
export function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let values = 1;
  for (const member of Object.values(value)) values += valuesIn(member);
  return values;
}
