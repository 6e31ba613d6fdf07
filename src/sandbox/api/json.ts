/** A JSON object of unknown shape. */
export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** The value as an object; an empty one when it is something else. */
export function asObject(value: unknown): Json {
  return isObject(value) ? value : {};
}

export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Objects in an array; other members are passed over. */
export function objectsIn(value: unknown): readonly Json[] {
  return asArray(value).filter(isObject);
}

export function clone<T>(value: T): T {
  if (Array.isArray(value)) return value.map((member: unknown) => clone(member)) as T;
  if (!isObject(value)) return value;
  const copy: Json = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member !== undefined) copy[key] = clone(member);
  }
  return copy as T;
}

/** Equal as JSON: the order of members does not matter, an undefined member is an absent one. */
export function equal(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, i) => equal(item, right[i]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  for (const key of Object.keys(left)) if (!equal(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** Stored objects are shared by all readers, so nobody may write to them. */
export function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}

/** The value under `path`, undefined where the path ends early. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const step of path) here = isObject(here) ? here[step] : undefined;
  return here;
}

/** The object under `path`, made where it is absent. */
export function ensure(value: Json, ...path: readonly string[]): Json {
  let here = value;
  for (const step of path) {
    const next = here[step];
    if (isObject(next)) here = next;
    else here = here[step] = {};
  }
  return here;
}
