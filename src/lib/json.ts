import { setOwn } from './own.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Whether it is an object with members: no array, not null. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Members of an object; of anything else none. */
export function jsonOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

/** Items of an array that are objects; of anything else none. */
export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null).map(jsonOf) : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A map of strings, as labels are; other members are left out. */
export function textsOf(value: unknown): Record<string, string> {
  const members = jsonOf(value);
  const texts: Record<string, string> = {};
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (typeof member === 'string') setOwn(texts, name, member);
  }
  return texts;
}

/** Follows members of objects: `at(deployment, 'spec', 'template')`. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => jsonOf(found)[name], value);
}
