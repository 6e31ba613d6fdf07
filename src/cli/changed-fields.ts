import type { KubeObject } from '../manifest/types.ts';

/** A field of an object, written like `spec.containers[0].image`. Undefined: it is not there. */
export interface FieldChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What the server writes by itself. */
const ofServer = new Set(['managedFields', 'resourceVersion', 'uid', 'generation', 'creationTimestamp', 'selfLink']);
const mostFields = 200;
const hidden = '***';

/** What differs between two states of an object, but for what the server writes. Of a Secret only which keys change. */
export function changedFields(before: KubeObject, after: KubeObject): readonly FieldChange[] {
  const isSecret = after.kind === 'Secret' && after.apiVersion === 'v1';
  const changes: FieldChange[] = [];
  const add = (field: string, from: unknown, to: unknown): void => {
    if (changes.length >= mostFields) return;
    const isHidden = isSecret && /^(?:data|stringData)\b|last-applied-configuration/.test(field);
    const shown = (value: unknown): unknown => (value === undefined || !isHidden ? value : hidden);
    changes.push({ field, from: shown(from), to: shown(to) });
  };
  const compare = (field: string, from: unknown, to: unknown): void => {
    if (isMap(from) && isMap(to)) {
      for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
        if (field === 'metadata' && ofServer.has(key)) continue;
        if (field === '' && key === 'status') continue;
        const name = /^[\w-]+$/.test(key) ? key : `["${key}"]`;
        const path = field === '' ? name : name.startsWith('[') ? `${field}${name}` : `${field}.${name}`;
        compare(path, own(from, key), own(to, key));
      }
    } else if (Array.isArray(from) && Array.isArray(to)) {
      for (let at = 0; at < Math.max(from.length, to.length); at += 1) compare(`${field}[${at}]`, from[at], to[at]);
    } else if (from !== to) add(field, from, to);
  };
  compare('', before, after);
  return changes;
}

const own = (map: Record<string, unknown>, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined);

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
