import type { Clock } from '../../lib/clock.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { refusalsOf } from '../../manifest/validate.ts';
import type { StoredObject } from '../types.ts';
import type { Admission } from './admission.ts';
import type { Cause } from './failure.ts';
import { badRequest, invalid } from './failure.ts';
import type { Json } from './json.ts';
import { asObject, asString } from './json.ts';
import { kindRules } from './kinds/rules.ts';
import { noteManager } from './managed.ts';
import type { Objects } from './objects.ts';
import { metadataCauses } from './metadata.ts';
import { fillDefaults, fillZeros, prune } from './prune.ts';
import type { Resource } from './resource.ts';
import type { Resolve } from './schema.ts';
import { validate } from './validate.ts';
import type { WriteContext } from './write-context.ts';
import { kindSubject } from './writer.ts';

/** Schema, kind's own rules, then the note of who wrote which fields. */
export function createAdmission(objects: Objects, resolve: Resolve, clock: Clock): Admission {
  return {
    admit: (resource, draft, live, context) => {
      const unknown: string[] = [];
      const object = prune(resource.schema, draft, { resolve, custom: resource.custom, unknown }) as Json;
      reportUnknown(resource, unknown, context);
      const rules = kindRules(resource);
      if (!resource.custom) refuseWrongTypes(resource, object, resolve);
      fillDefaults(resource.schema, object, resolve);
      rules.prepare?.(object, live, { objects, clock });
      const causes = [...metadataCauses(object), ...causesOf(resource, object, live, context, resolve)];
      if (causes.length > 0) throw invalid(kindSubject(resource, nameOf(object)), causes);
      if (!resource.custom) fillZeros(resource.schema, object, resolve);
      const noted =
        context.operation === 'Apply'
          ? object
          : noteManager(resource, withGivenOwners(object, draft), live, context, { resolve, clock });
      // What the server itself gives out belongs to no manager.
      rules.allocate?.(noted, live, { objects, clock });
      return noted;
    },
  };
}

/** An empty list of managedFields means to forget all, so it must outlive the pruning of empty lists. */
function withGivenOwners(object: Json, draft: Json): Json {
  const { managedFields } = asObject(draft.metadata);
  return managedFields === undefined
    ? object
    : { ...object, metadata: { ...asObject(object.metadata), managedFields } };
}

const nameOf = (object: Json): string => asString(asObject(object.metadata).name);

function reportUnknown(resource: Resource, unknown: readonly string[], context: WriteContext): void {
  if (unknown.length === 0) return;
  const fields = unknown.map((path) => `unknown field "${path}"`);
  if (context.fieldValidation === 'Strict') {
    const { kind, version } = resource;
    throw badRequest(
      `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${fields.join(', ')}`,
    );
  }
  if (context.fieldValidation === 'Warn') context.warnings?.push(...fields);
}

function causesOf(
  resource: Resource,
  object: Json,
  live: StoredObject | undefined,
  context: WriteContext,
  resolve: Resolve,
): readonly Cause[] {
  if (resource.custom) return validate(resource.schema, object, resolve);
  if (context.subresource === 'status') return [];
  const found = validate(resource.schema, { ...object, status: undefined }, resolve);
  const required = found.filter(({ reason }) => reason === 'FieldValueRequired');
  const own = [...required, ...(kindRules(resource).check?.(object, live) ?? [])];
  const words = found.filter(
    ({ reason, field }) => reason === 'FieldValueNotSupported' && !own.some((cause) => cause.field === field),
  );
  const causes = [...own, ...words];
  // In our own words; a real server refuses the same in others.
  return causes.length > 0
    ? causes
    : refusalsOf(asKubeObject(object)).map(({ field, message }) => ({
        reason: 'FieldValueInvalid',
        field,
        message: `Invalid value: ${message}`,
      }));
}

const asKubeObject = (object: Json): KubeObject => object as unknown as KubeObject;

/** A built-in kind cannot even be read when a field has the wrong type, which is another answer than being invalid. */
function refuseWrongTypes(resource: Resource, object: Json, resolve: Resolve): void {
  const wrong = validate(resource.schema, object, resolve).find((cause) => cause.reason === 'FieldValueTypeInvalid');
  if (!wrong) return;
  const [, type = '', , wanted = ''] =
    /^Invalid value: "(\w+)": (.*) in body must be of type ([\w,]+)/.exec(wrong.message) ?? [];
  const { kind } = resource;
  throw badRequest(
    `${kind} in version "${resource.version}" cannot be handled as a ${kind}: json: cannot unmarshal ${type === 'integer' ? 'number' : type} into Go struct field .${wrong.field ?? ''} of type ${wanted}`,
  );
}
