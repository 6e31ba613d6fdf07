import { isDeepStrictEqual } from 'node:util';
import { identityOf, isList, isObject } from '../manifest/edit-object.ts';

/**
 * What an object is to be once the change from `base` to `judged` is taken back from `tip`: fields that nobody touched since go back,
 * what was changed afterwards stays. Lists are matched by their items' names.
 */
export function undoChanges(base: unknown, judged: unknown, tip: unknown): unknown {
  if (isDeepStrictEqual(judged, tip)) return base;
  if (isDeepStrictEqual(base, judged) || isDeepStrictEqual(base, tip)) return tip;
  if (isObject(base) && isObject(judged) && isObject(tip)) {
    const entries = undoEntries(Object.entries(base), Object.entries(judged), Object.entries(tip));
    return Object.fromEntries(entries);
  }
  if (isList(base) && isList(judged) && isList(tip)) {
    const [before, with_, now] = [base, judged, tip].map(keyed);
    if (before && with_ && now) return undoEntries(before, with_, now).map(([, item]) => item);
  }
  // Both changed the same field in different ways: the later one was meant.
  return tip;
}

type Entries = readonly (readonly [string, unknown])[];

/** Undefined where two items cannot be told apart. */
function keyed(list: readonly unknown[]): Entries | undefined {
  const entries = list.map((item) => [identityOf(item), item] as const);
  return new Set(entries.map(([key]) => key)).size === list.length ? entries : undefined;
}

function undoEntries(base: Entries, judged: Entries, tip: Entries): Entries {
  const before = new Map(base);
  const changed = new Map(judged);
  const result: (readonly [string, unknown])[] = [];
  for (const [key, value] of tip) {
    if (!changed.has(key)) result.push([key, value]);
    else if (before.has(key)) result.push([key, undoChanges(before.get(key), changed.get(key), value)]);
    else if (!isDeepStrictEqual(changed.get(key), value)) result.push([key, value]);
  }
  const present = new Set(tip.map(([key]) => key));
  base.forEach(([key, value], at) => {
    if (changed.has(key) || present.has(key)) return;
    // Back to where it stood: behind the nearest neighbour that is there.
    const earlier = new Set(base.slice(0, at).map(([name]) => name));
    const neighbour = result.findLastIndex(([name]) => earlier.has(name));
    result.splice(neighbour + 1, 0, [key, value]);
  });
  return result;
}
