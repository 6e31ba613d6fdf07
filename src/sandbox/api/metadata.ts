import type { StoredObject } from '../types.ts';
import type { Cause } from './failure.ts';
import type { Json } from './json.ts';
import { asArray, asObject, asString, clone, equal } from './json.ts';
import { annotationCauses } from './limits.ts';
import type { Resource } from './resource.ts';

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/** What is wrong with an object's name; nothing for a good one. */
export function nameCauses(resource: Resource, name: string): readonly Cause[] {
  const field = 'metadata.name';
  if (name === '') {
    return [{ reason: 'FieldValueRequired', field, message: 'Required value: name or generateName is required' }];
  }
  if (resource.group === 'rbac.authorization.k8s.io') {
    return /^[^/%]+$/.test(name) && name !== '.' && name !== '..'
      ? []
      : [{ field, message: `Invalid value: "${name}": may not contain '/' or '%'` }];
  }
  const bad = (text: string): readonly Cause[] => [{ field, message: `Invalid value: "${name}": ${text}` }];
  if (resource.storage === '/services') {
    if (name.length > 63) return bad('must be no more than 63 characters');
    return label1035.test(name) ? [] : bad(label1035Text);
  }
  if (resource.storage === '/namespaces') {
    if (name.length > 63) return bad('must be no more than 63 characters');
    if (name.includes('.')) return bad('must not contain dots');
    return label.test(name) ? [] : bad(labelText);
  }
  if (name.length > 253) return bad('must be no more than 253 characters');
  return subdomain.test(name) ? [] : bad(subdomainText);
}

const qualifiedName = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const namePartText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function keyText(key: string): string | undefined {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && !subdomain.test(prefix)) return `prefix part ${subdomainText}`;
  if (name.length > 63) return 'name part must be no more than 63 characters';
  return qualifiedName.test(name) ? undefined : namePartText;
}

/** What is wrong with an object's labels and annotations. */
export function metadataCauses(object: Json): readonly Cause[] {
  const metadata = asObject(object.metadata);
  const causes: Cause[] = [];
  const report = (field: string, value: string, text: string): void => {
    causes.push({ field, message: `Invalid value: ${JSON.stringify(value)}: ${text}` });
  };
  for (const [key, value] of Object.entries(asObject(metadata.labels))) {
    const text = keyText(key);
    if (text !== undefined) report('metadata.labels', key, text);
    const label = asString(value);
    if (label.length > 63) report('metadata.labels', label, 'must be no more than 63 characters');
    else if (!labelValue.test(label)) report('metadata.labels', label, labelValueText);
  }
  for (const key of Object.keys(asObject(metadata.annotations))) {
    const text = keyText(key.toLowerCase());
    if (text !== undefined) report('metadata.annotations', key, text);
  }
  return [...causes, ...annotationCauses(asObject(metadata.annotations))];
}

/**
 * The draft with everything that a client cannot change set back: identity and times always, the status on the main
 * resource, everything but the status on /status.
 */
export function ownedByServer(
  resource: Resource,
  live: StoredObject,
  draft: Json,
  subresource: 'status' | 'scale' | undefined,
): Json {
  const next: Json =
    subresource === 'status'
      ? {
          ...clone(live),
          status: draft.status,
          metadata: { ...clone(live.metadata), managedFields: asObject(draft.metadata).managedFields },
        }
      : draft;
  if (subresource !== 'status' && resource.status) next.status = live.status;
  if (next.status === undefined) delete next.status;
  const metadata = asObject(next.metadata);
  next.apiVersion = live.apiVersion;
  next.kind = live.kind;
  next.metadata = metadata;
  metadata.name = live.metadata.name;
  const kept = [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'resourceVersion',
    'namespace',
    'generateName',
  ];
  for (const field of kept) {
    if (live.metadata[field] === undefined) delete metadata[field];
    else metadata[field] = live.metadata[field];
  }
  if (asString(metadata.selfLink) !== '') delete metadata.selfLink;
  return next;
}

/** What is being deleted takes no new finalizers. */
export function finalizerCauses(live: StoredObject, next: Json): readonly Cause[] {
  if (live.metadata.deletionTimestamp === undefined) return [];
  const before = live.metadata.finalizers ?? [];
  const added = asArray(asObject(next.metadata).finalizers).filter((one) => !before.includes(asString(one)));
  if (added.length === 0) return [];
  const found = added.map((one) => JSON.stringify(one)).join(', ');
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${found}}`;
  return [{ reason: 'FieldValueForbidden', field: 'metadata.finalizers', message }];
}

export function bumpsGeneration(resource: Resource, live: Json, next: Json): boolean {
  switch (resource.generation) {
    case 'none':
      return false;
    case 'spec':
      return !equal(live.spec, next.spec);
    case 'all': {
      const bare = (object: Json): Json => ({
        ...object,
        metadata: undefined,
        status: resource.status ? undefined : object.status,
      });
      return !equal(bare(live), bare(next));
    }
  }
}
