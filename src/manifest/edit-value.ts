import { isRecord } from '../lib/json.ts';
import { groupOf } from './types.ts';

export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
export const isObject = isRecord;

const identityKeys = ['name', 'mountPath', 'containerPort', 'port', 'key', 'ip', 'topologyKey'] as const;

/** What makes an item of a list the same item after a change: an object its name, others one field; plain values are themselves. */
function identityOf(item: unknown): string {
  if (!isObject(item)) return JSON.stringify(toText(item));
  const { apiVersion, kind, metadata } = item;
  if (typeof apiVersion === 'string' && typeof kind === 'string' && isObject(metadata))
    return JSON.stringify([groupOf(apiVersion), kind, metadata['namespace'] ?? '', metadata['name'] ?? '']);
  const key = identityKeys.find((name) => Object.hasOwn(item, name));
  return JSON.stringify(key === undefined ? 'item' : [key, toText(item[key])]);
}

/** The identities of a list's items; undefined where two items cannot be told apart. */
export function identitiesOf(list: readonly unknown[]): readonly string[] | undefined {
  const identities = list.map(identityOf);
  return new Set(identities).size === list.length ? identities : undefined;
}

const toText = (value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
