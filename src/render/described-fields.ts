import { parseGoDuration } from '../lib/duration.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { type Fields, Unusable } from './described.ts';

/** Whether a field says nothing. */
export const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (isList(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

/** Each throws Unusable, which names the field, where it is written as something else. */
export function mapOf(value: unknown, field: string): Fields {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new Unusable(`${field} is no map`);
  return value;
}

export function listOf(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!isList(value)) throw new Unusable(`${field} is no list`);
  return value;
}

export const mapsOf = (value: unknown, field: string): readonly Fields[] =>
  listOf(value, field).map((one) => mapOf(one, field));

export function textOf(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new Unusable(`${field} is no text`);
  return value;
}

export const textsIn = (value: unknown, field: string): readonly string[] =>
  listOf(value, field).map((one) => textOf(one, field) ?? '');

export function textsOf(value: unknown, field: string): Readonly<Record<string, string>> {
  const map = mapOf(value, field);
  for (const [key, text] of Object.entries(map))
    if (typeof text !== 'string') throw new Unusable(`${field}.${key.slice(0, 60)} is no text: put it into quotes`);
  return map as Readonly<Record<string, string>>;
}

/** `./apps/prod`, `/apps/prod` and `apps/prod/` are one. */
export function folderIn(path: string, field: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Unusable(`${field} ${path.slice(0, 200)} is not in the repository`);
  return parts.join('/');
}

/** `5m`, in milliseconds. Undefined: nothing that can be read. */
export function durationOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? parseGoDuration(value) : undefined;
  return ms !== undefined && ms > 0 ? ms : undefined;
}
