import { badRequest } from '../failure.ts';
import { asObject, ensure, equal, isObject } from '../json.ts';
import { configMapCauses, secretCauses } from '../limits.ts';
import type { KindRules } from './contract.ts';
import { fallback, immutable, wrong } from './contract.ts';

export const namespaceRules: KindRules = {
  prepare: (object, live) => {
    const metadata = ensure(object, 'metadata');
    ensure(metadata, 'labels')['kubernetes.io/metadata.name'] = metadata.name;
    if (live) {
      object.spec = live.spec;
      return;
    }
    object.spec = {};
    object.status = { phase: 'Active' };
  },
  allocate: (object, live) => {
    if (!live) object.spec = { finalizers: ['kubernetes'] };
  },
};

const dataKey = /^[-._a-zA-Z0-9]+$/;
const badKey = (field: string, key: string) =>
  wrong(
    `${field}[${key}]`,
    key,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
  );

const frozenFields: KindRules['check'] = (object, live) => {
  const keys = [...Object.keys(asObject(object.data)), ...Object.keys(asObject(object.binaryData))];
  const causes = keys.filter((key) => !dataKey.test(key)).map((key) => badKey('data', key));
  if (live?.immutable !== true) return causes;
  for (const field of ['data', 'binaryData']) {
    if (!equal(object[field], live[field])) {
      causes.push({
        reason: 'FieldValueForbidden',
        field,
        message: 'Forbidden: field is immutable when `immutable` is set',
      });
    }
  }
  return causes;
};

export const configRules: KindRules = {
  check: (object, live) => [...(frozenFields?.(object, live) ?? []), ...configMapCauses(object)],
};

const isBase64 = (value: unknown): boolean =>
  typeof value === 'string' &&
  /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value.replaceAll(/[\r\n]/g, ''));

export const secretRules: KindRules = {
  prepare: (object) => {
    fallback(object, 'type', 'Opaque');
    if (!Object.values(asObject(object.data)).every(isBase64)) {
      throw badRequest('Secret in version "v1" cannot be handled as a Secret: illegal base64 data');
    }
    if (!isObject(object.stringData)) return;
    const data = ensure(object, 'data');
    for (const [key, value] of Object.entries(object.stringData)) {
      data[key] = Buffer.from(String(value), 'utf8').toString('base64');
    }
    delete object.stringData;
  },
  check: (object, live) => [
    ...(frozenFields?.(object, live) ?? []),
    ...secretCauses(object),
    ...(live ? immutable('type', live.type, object.type) : []),
  ],
};
