import type { Json } from './json.ts';
import { asArray, clone, equal, isObject, objectsIn } from './json.ts';
import type { Resolve, Schema } from './schema.ts';
import { memberSchema } from './schema.ts';

/** Kubernetes' strategic merge patch: like a JSON merge patch, but lists that have a merge key are merged by it. */
export function strategicMerge(schema: Schema | undefined, live: unknown, patch: Json, resolve: Resolve): Json {
  const known = resolve(schema);
  const directive = patch.$patch;
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  const merged: Json = isObject(live) ? { ...live } : {};
  const retained = Array.isArray(patch.$retainKeys) ? new Set(patch.$retainKeys) : undefined;
  if (retained) for (const key of Object.keys(merged)) if (!retained.has(key)) delete merged[key];
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith('$setElementOrder/')) continue;
    const primitive = /^\$deleteFromPrimitiveList\/(.+)$/.exec(key)?.[1];
    if (primitive !== undefined) {
      merged[primitive] = asArray(merged[primitive]).filter(
        (item) => !asArray(value).some((gone) => equal(gone, item)),
      );
      continue;
    }
    if (value === null) delete merged[key];
    else merged[key] = mergeMember(resolve(memberSchema(known, key)), merged[key], value, resolve);
  }
  for (const [key, order] of Object.entries(patch)) {
    const field = /^\$setElementOrder\/(.+)$/.exec(key)?.[1];
    if (field === undefined || !Array.isArray(merged[field])) continue;
    const mergeKey = resolve(memberSchema(known, field))?.['x-kubernetes-patch-merge-key'];
    const before = isObject(live) ? asArray(live[field]) : [];
    merged[field] = inOrder(asArray(merged[field]), asArray(order), before, mergeKey);
  }
  return merged;
}

function mergeMember(schema: Schema | undefined, live: unknown, patch: unknown, resolve: Resolve): unknown {
  if (isObject(patch)) {
    const replaces = schema?.['x-kubernetes-patch-strategy']?.split(',').includes('replace') ?? false;
    return strategicMerge(schema, replaces ? undefined : live, patch, resolve);
  }
  if (!Array.isArray(patch)) return clone(patch);
  const merges = schema?.['x-kubernetes-patch-strategy']?.split(',').includes('merge') ?? false;
  if (!merges) return patch.filter((item) => !isMarker(item)).map(clone);
  const mergeKey = schema?.['x-kubernetes-patch-merge-key'];
  if (mergeKey === undefined) {
    const merged = [...asArray(live)];
    for (const item of patch) if (!merged.some((has) => equal(has, item))) merged.push(item);
    return inOrder(merged, patch, asArray(live), undefined);
  }
  return mergeByKey(schema?.items, asArray(live), patch, mergeKey, resolve);
}

const isMarker = (item: unknown): boolean => isObject(item) && Object.keys(item).length === 1 && '$patch' in item;

function mergeByKey(
  schema: Schema | undefined,
  live: readonly unknown[],
  patch: readonly unknown[],
  mergeKey: string,
  resolve: Resolve,
): unknown[] {
  const replaced = patch.some((item) => isMarker(item) && isObject(item) && item.$patch === 'replace');
  let merged: Json[] = replaced ? [] : objectsIn(live).map((item) => ({ ...item }));
  for (const item of objectsIn(patch)) {
    if (isMarker(item)) continue;
    const isSame = (other: Json): boolean => equal(other[mergeKey], item[mergeKey]);
    if (item.$patch === 'delete') {
      merged = merged.filter((other) => !isSame(other));
      continue;
    }
    const place = merged.findIndex(isSame);
    const result = strategicMerge(schema, place < 0 ? undefined : merged[place], item, resolve);
    if (place < 0) merged.push(result);
    else merged[place] = result;
  }
  return inOrder(merged, patch, live, mergeKey);
}

/** Items that the order names stand in that order; the others go before the first of them that they preceded in live. */
function inOrder(
  items: readonly unknown[],
  order: readonly unknown[],
  live: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const keyOf = (item: unknown): string =>
    JSON.stringify(mergeKey !== undefined && isObject(item) ? item[mergeKey] : item);
  const wanted = order.map(keyOf);
  const places = live.map(keyOf);
  const named = items.filter((item) => wanted.includes(keyOf(item)));
  named.sort((a, b) => wanted.indexOf(keyOf(a)) - wanted.indexOf(keyOf(b)));
  const others = items.filter((item) => !wanted.includes(keyOf(item)));
  const sorted: unknown[] = [];
  while (others.length > 0 || named.length > 0) {
    const [left, right] = [places.indexOf(keyOf(others[0])), places.indexOf(keyOf(named[0]))];
    const takesOther = named.length === 0 || (others.length > 0 && left >= 0 && right >= 0 && left < right);
    sorted.push(takesOther ? others.shift() : named.shift());
  }
  return sorted;
}

function withoutDirectives(patch: Json): Json {
  return Object.fromEntries(
    Object.entries(patch)
      .filter(([key]) => !key.startsWith('$'))
      .map(([key, value]) => [key, clone(value)]),
  );
}
