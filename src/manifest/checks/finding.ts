import type { KubeObject } from '../types.ts';

/** One thing wrong with a field of an object. Severity absent: error. */
export interface Finding {
  readonly field: string;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: 'error' | 'warning';
}

export type ObjectCheck = (object: KubeObject) => readonly Finding[];

export type Fields = Readonly<Record<string, unknown>>;

/** Nothing is written there, or only blanks. What is no text is told where the fields of its kind are checked. */
export const isAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'string' && value.trim() === '');

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of a member; empty where it is absent or no map. */
export function fieldsOf(parent: unknown, name: string): Fields {
  const value = isFields(parent) ? parent[name] : undefined;
  return isFields(value) ? value : {};
}

export function listOf(parent: unknown, name: string): readonly unknown[] {
  const value = isFields(parent) ? parent[name] : undefined;
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
