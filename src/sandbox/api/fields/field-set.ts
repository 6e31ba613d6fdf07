import type { Json } from '../json.ts';
import { asObject } from '../json.ts';

/** A set of paths in an object, as managedFields writes it: `f:` a field, `k:` a list item by its keys, `v:` by its value. */
export interface FieldSet {
  /** The path that leads here is itself a member. */
  readonly self: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const emptySet: FieldSet = { self: false, children: new Map() };
export const isEmpty = (set: FieldSet): boolean => !set.self && set.children.size === 0;

/** Leaves out children without members. */
export function setOf(self: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { self, children: new Map([...children].filter(([, child]) => !isEmpty(child))) };
}

export function decodeSet(fields: unknown): FieldSet {
  const entries = Object.entries(asObject(fields));
  const children = entries.filter(([key]) => key !== '.').map(([key, child]) => [key, decodeMember(child)] as const);
  return setOf(
    entries.some(([key]) => key === '.'),
    children,
  );
}
function decodeMember(fields: unknown): FieldSet {
  return Object.keys(asObject(fields)).length === 0 ? { self: true, children: new Map() } : decodeSet(fields);
}

export function encodeSet(set: FieldSet): Json {
  const encoded: Json = {};
  if (set.self && set.children.size > 0) encoded['.'] = {};
  for (const [key, child] of [...set.children].sort(([a], [b]) => (a < b ? -1 : 1))) encoded[key] = encodeSet(child);
  return encoded;
}

function combine(a: FieldSet, b: FieldSet, both: (a: FieldSet, b: FieldSet) => FieldSet, self: boolean): FieldSet {
  const keys = new Set([...a.children.keys(), ...b.children.keys()]);
  return setOf(
    self,
    [...keys].map((key) => [key, both(a.children.get(key) ?? emptySet, b.children.get(key) ?? emptySet)] as const),
  );
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  return isEmpty(b) ? a : combine(a, b, union, a.self || b.self);
}
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? emptySet : combine(a, b, intersection, a.self && b.self);
}
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? a : combine(a, b, difference, a.self && !b.self);
}

/** Without what lies at or beneath these top-level paths. */
export function without(set: FieldSet, ...paths: readonly (readonly string[])[]): FieldSet {
  return paths.reduce((left, path) => cut(left, path), set);
}
function cut(set: FieldSet, [step, ...rest]: readonly string[]): FieldSet {
  const child = step === undefined ? undefined : set.children.get(step);
  if (step === undefined || !child) return set;
  const others = [...set.children].filter(([key]) => key !== step);
  return setOf(set.self, rest.length === 0 ? others : [...others, [step, cut(child, rest)]]);
}

/** All members in the spelling of conflict messages: `.spec.template.spec.containers[name="app"].image`. */
export function pathsOf(set: FieldSet, prefix = ''): readonly string[] {
  const here = set.self ? [prefix] : [];
  return [...here, ...[...set.children].flatMap(([key, child]) => pathsOf(child, `${prefix}${spell(key)}`))];
}
function spell(key: string): string {
  const text = key.slice(2);
  if (key.startsWith('f:')) return `.${text}`;
  if (key.startsWith('v:')) return `[=${text}]`;
  const keys = Object.entries(JSON.parse(text) as Json).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `[${keys.join(',')}]`;
}
