import { isDeepStrictEqual } from 'node:util';
import { identitiesOf, isList, isObject } from './edit-value.ts';

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
  return identitiesOf(list)?.map((key, at) => [key, list[at]] as const);
}

function undoEntries(base: Entries, judged: Entries, tip: Entries): Entries {
  const before = new Map(base);
  const changed = new Map(judged);
  const kept: (readonly [string, unknown])[] = [];
  for (const [key, value] of tip) {
    if (!changed.has(key)) kept.push([key, value]);
    else if (before.has(key)) kept.push([key, undoChanges(before.get(key), changed.get(key), value)]);
    else if (!isDeepStrictEqual(changed.get(key), value)) kept.push([key, value]);
  }
  const present = new Set(tip.map(([key]) => key));
  const places = new Map(kept.map(([key], at) => [key, at]));
  // Back to where it stood: behind the last of its former predecessors that is there.
  const back = new Map<number, (readonly [string, unknown])[]>();
  let last = -1;
  for (const [key, value] of base) {
    last = Math.max(last, places.get(key) ?? -1);
    if (changed.has(key) || present.has(key)) continue;
    const list = back.get(last);
    if (list) list.push([key, value]);
    else back.set(last, [[key, value]]);
  }
  return [...(back.get(-1) ?? []), ...kept.flatMap((entry, at) => [entry, ...(back.get(at) ?? [])])];
}
