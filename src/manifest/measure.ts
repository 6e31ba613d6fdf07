/** Objects may not be deeper: whoever reads them follows each level, and no kind has a tenth of that. */
export const maxDepth = 200;
/** Values in an object; each costs something whatever its length. */
export const maxValues = 50_000;
/** What etcd takes unless it is told otherwise; JSON of it, in characters. */
export const maxLength = 1.5 * 1024 * 1024;

/**
 * Why a value is more than an object in a cluster can be; undefined where it is not. Stops where that is certain: aliases of YAML can stand for
 * far more than what was written.
 */
export function excessOf(value: unknown): string | undefined {
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
    return !isDeep && isNumber && length <= maxLength && values <= maxValues;
  };
  if (fits(value, 1)) return undefined;
  if (isDeep) return `is deeper than ${maxDepth} levels`;
  if (!isNumber) return 'holds a number that is none (.inf or .nan)';
  return values > maxValues ? `holds more than ${maxValues} values` : 'is larger than 1.5 MiB, which no cluster stores';
}

/** About as many characters as the value has as JSON, for values that `excessOf` lets through. */
export function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let length = 2;
  for (const [name, member] of Object.entries(value)) length += name.length + 3 + lengthOf(member);
  return length;
}
