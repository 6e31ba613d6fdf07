import { isDeepStrictEqual } from 'node:util';
import { isList, isObject } from '../manifest/edit-value.ts';

/** Asked once for each smallest part in which two values differ, in an order that depends on the values alone. True: that part as in the first. */
export type Choose = () => boolean;

/** The second value, with the parts that are chosen as in the first. Undefined: nothing is there. */
export function mixed(base: unknown, judged: unknown, choose: Choose): unknown {
  if (isDeepStrictEqual(base, judged)) return judged;
  if (isObject(base) && isObject(judged)) return mixedMaps(base, judged, choose);
  if (isList(base) && isList(judged)) {
    const [before, after] = keysOfBoth(base, judged);
    if (before && after) return mixedLists([base, before], [judged, after], choose);
    // Each place for itself, where none came and none went.
    if (base.length === judged.length) return judged.map((item, at) => mixed(base[at], item, choose));
  }
  return choose() ? base : judged;
}

/** In how many parts two values differ. */
export function partsIn(base: unknown, judged: unknown): number {
  let count = 0;
  mixed(base, judged, () => {
    count += 1;
    return false;
  });
  return count;
}

function mixedMaps(
  base: Readonly<Record<string, unknown>>,
  judged: Readonly<Record<string, unknown>>,
  choose: Choose,
): unknown {
  const result: [string, unknown][] = [];
  for (const [key, value] of Object.entries(judged)) {
    if (Object.hasOwn(base, key)) result.push([key, mixed(base[key], value, choose)]);
    // A list that is new is many things that are new.
    else if (isList(value) && value.length > 1) {
      const left = value.filter(() => !choose());
      if (left.length > 0) result.push([key, left]);
    } else if (!choose()) result.push([key, value]);
  }
  for (const [key, value] of Object.entries(base)) {
    if (Object.hasOwn(judged, key)) continue;
    if (isList(value) && value.length > 1) {
      const left = value.filter(() => choose());
      if (left.length > 0) result.push([key, left]);
    } else if (choose()) result.push([key, value]);
  }
  return Object.fromEntries(result);
}

type Keyed = readonly [items: readonly unknown[], keys: readonly string[]];

function mixedLists([base, before]: Keyed, [judged, after]: Keyed, choose: Choose): unknown {
  const result: unknown[] = [];
  const was = new Map(before.map((key, at) => [key, base[at]]));
  const is = new Set(after);
  const gone: { readonly key: string | undefined; readonly item: unknown }[] = [];
  for (const [at, key] of before.entries()) if (!is.has(key)) gone.push({ key: before[at - 1], item: base[at] });
  const back = (key: string | undefined): void => {
    for (const one of gone) if (one.key === key && choose()) result.push(one.item);
  };
  back(undefined);
  for (const [at, key] of after.entries()) {
    const item = judged[at];
    if (!was.has(key)) {
      if (!choose()) result.push(item);
    } else result.push(mixed(was.get(key), item, choose));
    back(key);
  }
  // What stood behind something that went as well.
  for (const one of gone) if (one.key !== undefined && !is.has(one.key) && choose()) result.push(one.item);
  return result;
}

type Keys = readonly string[] | undefined;

/** What tells the items of two lists apart. Undefined: nothing does. Where items of one name stand in one of them, which fields they have does so as well. */
function keysOfBoth(base: readonly unknown[], judged: readonly unknown[]): readonly [Keys, Keys] {
  for (const keyOf of [keyOfItem, keyWithFields]) {
    const [before, after] = [base.map(keyOf), judged.map(keyOf)];
    if ([before, after].every((keys) => new Set(keys).size === keys.length && !keys.includes('')))
      return [before, after];
  }
  return [undefined, undefined];
}

function keyWithFields(item: unknown): string {
  const key = keyOfItem(item);
  return key === '' || !isObject(item) ? key : JSON.stringify([key, Object.keys(item).toSorted()]);
}

/** Of a variable and of an image its name, of an entry of a kustomization its name, file or target. The empty string: nothing. */
function keyOfItem(item: unknown): string {
  if (typeof item === 'string')
    return /^[^=\n]*=/.exec(item)?.[0] ?? /^([\w./-]+)(?::[\w.-]+|@sha256:\w+)$/.exec(item)?.[1] ?? item;
  if (!isObject(item)) return '';
  const { name, path, target, op, apiVersion, kind } = item;
  if (typeof op === 'string') return '';
  if (typeof name === 'string') return JSON.stringify([apiVersion, kind, name]);
  if (typeof path === 'string') return JSON.stringify([path]);
  return isObject(target) ? JSON.stringify(target) : '';
}
