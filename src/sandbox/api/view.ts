import type { StoredObject } from '../types.ts';
import type { Json } from './json.ts';
import type { Resource } from './resource.ts';
import { apiVersionOf } from './resource.ts';

/** Names of the same field in core events and in events.k8s.io. */
const eventFields: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function rename(object: Json, from: 0 | 1, to: 0 | 1): Json {
  const renamed = { ...object };
  for (const pair of eventFields) {
    if (!(pair[from] in renamed)) continue;
    renamed[pair[to]] = renamed[pair[from]];
    delete renamed[pair[from]];
  }
  return renamed;
}

/** A stored object as this version of its kind shows it. */
export function shown(resource: Resource, object: StoredObject): StoredObject {
  const apiVersion = apiVersionOf(resource);
  if (object.apiVersion === apiVersion) return object;
  const converted = resource.storage === '/events' ? rename(object, 0, 1) : object;
  return { ...converted, apiVersion, kind: resource.kind } as StoredObject;
}

/** What came in, as it is stored: events as core events, everything else as written (versions convert without change). */
export function toStored(resource: Resource, object: Json): Json {
  if (resource.storage !== '/events' || resource.group === '') return object;
  return { ...rename(object, 1, 0), apiVersion: 'v1' };
}
