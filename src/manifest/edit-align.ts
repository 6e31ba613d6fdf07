import { isDeepStrictEqual } from 'node:util';
import { type Spot, spotsIn } from './edit-tree.ts';
import { identitiesOf, isList, isObject } from './edit-value.ts';

/** One entry of a map or list as it is to be. */
export interface Slot {
  /** Which of the present entries it is; undefined where it comes anew. */
  readonly from: number | undefined;
  readonly key: string | number;
  readonly value: unknown;
  /** The same entry where the text may be taken from, and as the release wrote it. */
  readonly base: Spot | undefined;
  readonly judged: Spot | undefined;
}

/** `keys` are the present entries', in their order; undefined stands for a merge key. */
export function alignMap(
  keys: readonly (string | undefined)[],
  present: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, unknown>>,
  base: Spot | undefined,
  judged: Spot | undefined,
): readonly Slot[] {
  const [old, tried] = [spotsIn(base), spotsIn(judged)];
  const places = new Map(keys.map((key, at) => [key, at]));
  const slotOf = (key: string): Slot => ({
    from: places.get(key),
    key,
    value: expected[key],
    base: old.get(key),
    judged: tried.get(key),
  });
  const added = new Map<string | undefined, Slot[]>();
  let last: string | undefined;
  for (const key of Object.keys(expected)) {
    if (places.has(key)) last = key;
    // What a merge key gives already needs no entry of its own.
    else if (!(Object.hasOwn(present, key) && isDeepStrictEqual(present[key], expected[key]))) {
      const list = added.get(last) ?? [];
      added.set(last, [...list, slotOf(key)]);
    }
  }
  const slots = [...(added.get(undefined) ?? [])];
  for (const [at, key] of keys.entries()) {
    if (key === undefined) slots.push({ from: at, key: at, value: undefined, base: undefined, judged: undefined });
    else if (Object.hasOwn(expected, key)) slots.push(slotOf(key), ...(added.get(key) ?? []));
  }
  return slots;
}

export function alignList(
  present: readonly unknown[],
  expected: readonly unknown[],
  base: Spot | undefined,
  judged: Spot | undefined,
): readonly Slot[] {
  const froms = sourcesOf(present, expected, base !== undefined && judged !== undefined);
  const old = finderOf(base);
  const tried = finderOf(judged);
  return expected.map((value, at) => {
    const from = froms[at];
    const tip = from === undefined ? undefined : present[from];
    return { from, key: at, value, base: old(value, at), judged: from === undefined ? undefined : tried(tip, from) };
  });
}

/** For each expected item the present one that it is made of. `mayRename`: it is known which comments came with the release. */
function sourcesOf(
  present: readonly unknown[],
  expected: readonly unknown[],
  mayRename: boolean,
): readonly (number | undefined)[] {
  const [here, wanted] = [identitiesOf(present), identitiesOf(expected)];
  if (here && wanted) {
    const places = new Map(here.map((identity, at) => [identity, at]));
    const froms = wanted.map((identity) => places.get(identity));
    if (!mayRename) return froms;
    const used = new Set(froms);
    // An item of another name in the same place: renamed.
    return froms.map((from, at) => {
      const place = (froms[at - 1] ?? -1) + 1;
      if (from !== undefined || (at > 0 && froms[at - 1] === undefined)) return from;
      if (used.has(place) || !isLike(present[place], expected[at])) return undefined;
      used.add(place);
      return place;
    });
  }
  let head = 0;
  while (head < present.length && head < expected.length && isDeepStrictEqual(present[head], expected[head])) head += 1;
  let tail = 0;
  const most = Math.min(present.length, expected.length) - head;
  while (tail < most && isDeepStrictEqual(present.at(-1 - tail), expected.at(-1 - tail))) tail += 1;
  return expected.map((_, at) => {
    if (at < head) return at;
    if (at >= expected.length - tail) return at - expected.length + present.length;
    return at < present.length - tail ? at : undefined;
  });
}

function isLike(present: unknown, expected: unknown): boolean {
  if (!isObject(present) || !isObject(expected)) return false;
  const keys = Object.keys(expected);
  const common = keys.filter((key) => Object.hasOwn(present, key)).length;
  return common * 2 >= Math.max(keys.length, Object.keys(present).length);
}

/** Finds an item by what it is, else in the same place. */
function finderOf(spot: Spot | undefined): (value: unknown, at: number) => Spot | undefined {
  const spots = spotsIn(spot);
  const list = isList(spot?.value) ? spot.value : [];
  const identities = identitiesOf(list);
  const places = new Map(identities?.map((identity, at) => [identity, at]));
  return (value, at) => {
    const [identity] = identitiesOf([value]) ?? [];
    return identities ? spots.get(places.get(identity ?? '') ?? -1) : spots.get(at);
  };
}
