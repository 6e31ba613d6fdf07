import type { KubeObject } from '../types.ts';
import { type Finding, isFields } from './finding.ts';

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const key = /^[-._a-zA-Z0-9]+$/;

/** ConfigMap and Secret data. Values are never shown. */
export function checkConfig(object: KubeObject): readonly Finding[] {
  if (object.apiVersion !== 'v1') return [];
  if (object.kind === 'ConfigMap')
    return [...checkMap(object, 'data', 'text'), ...checkMap(object, 'binaryData', 'base64')];
  if (object.kind === 'Secret')
    return [...checkMap(object, 'data', 'base64'), ...checkMap(object, 'stringData', 'text')];
  return [];
}

function checkMap(object: KubeObject, field: string, encoding: 'text' | 'base64'): readonly Finding[] {
  const map = object[field];
  if (map === undefined || map === null) return [];
  if (!isFields(map)) return [{ field, message: 'must be a map' }];
  return Object.entries(map).flatMap(([name, value]): readonly Finding[] => {
    const place = `${field}["${name}"]`;
    if (!key.test(name) || name.length > 253) {
      return [{ field: place, message: 'is no valid key', hint: 'use letters, digits, "-", "_" and "."' }];
    }
    if (value !== null && typeof value !== 'string')
      return [{ field: place, message: 'must be text', hint: 'put the value in quotes' }];
    if (encoding === 'base64' && typeof value === 'string' && !base64.test(value.replace(/\s/g, ''))) {
      const hint = object.kind === 'Secret' ? 'encode it, or move it to stringData' : 'encode it, or move it to data';
      return [{ field: place, message: 'is not base64', hint }];
    }
    return [];
  });
}
