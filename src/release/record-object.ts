import { sha256Hex } from '../lib/hash.ts';
import { type AppKey, partsOf, readKey } from '../lib/key.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { parseRecord, renderRecord } from './record.ts';
import { releaseId } from './release-id.ts';
import type { AppId, ReleaseRecord } from './types.ts';

/*
 * The record of an app's release as an object of the agent's own namespace. It is a Secret, so that whoever could forge one can read the
 * Git credentials there as well, and `view` shows no hashes of configs.
 */

const secret = { apiVersion: 'v1', kind: 'Secret' } as const;
const namePrefix = 'serin-release-';
const typeOfSecret = 'serin.dev/release';
/** On all of them, and on the one that says since when they are kept. */
export const recordLabel = 'serin.dev/release-record';
/** The app that a record is of, for people; what counts is the name. */
const appAnnotation = 'serin.dev/canary';
/** Says that the annotations of an agent of before have been looked at: they never are again. */
export const sinceName = 'serin-releases';
const dataKey = 'release';

/** Names of apps are too long to stand in one name together. */
export function recordRef(key: AppKey, namespace: string): ObjectRef {
  return { ...secret, namespace, name: `${namePrefix}${sha256Hex(key).slice(0, 32)}` };
}

export function recordObject(key: AppKey, namespace: string, record: ReleaseRecord) {
  const { apiVersion, kind, name } = recordRef(key, namespace);
  const metadata = { namespace, name, labels: { [recordLabel]: 'true' }, annotations: { [appAnnotation]: key } };
  const data = { [dataKey]: Buffer.from(renderRecord(record)).toString('base64') };
  return { apiVersion, kind, metadata, type: typeOfSecret, data };
}

export function sinceObject(namespace: string): KubeObject {
  const metadata = { namespace, name: sinceName, labels: { [recordLabel]: 'true' } };
  return { ...secret, metadata, type: 'serin.dev/releases' };
}

/** Undefined where it is none of ours: a copy of another app's, or a release that is not named as its content and commit name it. */
export function readRecordObject({
  metadata,
  ...object
}: KubeObject): { readonly key: AppKey; readonly record: ReleaseRecord } | undefined {
  const key = readKey(metadata.annotations?.[appAnnotation] ?? '');
  if (!key || metadata.name !== recordRef(key, '').name) return undefined;
  const encoded = (object['data'] as Readonly<Record<string, unknown>> | undefined)?.[dataKey];
  if (typeof encoded !== 'string') return undefined;
  const record = parseRecord(Buffer.from(encoded, 'base64').toString('utf8'));
  if (!record || !isNamedRight(partsOf(key), record)) return undefined;
  const waiting = record.unwritten?.filter((release) => isNamedRight(partsOf(key), release)) ?? [];
  const { unwritten: _all, ...own } = record;
  return { key, record: { ...own, ...(waiting.length === 0 ? {} : { unwritten: waiting }) } };
}

/** A record that was taken over from elsewhere, or edited, names a release that is none. */
export function isNamedRight(app: AppId, { id, content, revision, outcome }: ReleaseRecord): boolean {
  const { state } = outcome ?? {};
  const isOwn = !state || (state.content === content && state.revision === revision);
  return isOwn && id === releaseId(app, content, revision);
}
