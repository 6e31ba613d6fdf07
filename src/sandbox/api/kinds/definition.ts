import { timestamp } from '../time.ts';
import type { Cause } from '../failure.ts';
import { asArray, asObject, asString, ensure, objectsIn } from '../json.ts';
import type { KindRules } from './contract.ts';
import { fallback, immutable, wrong } from './contract.ts';

/** CustomResourceDefinitions: names, versions, and the conditions that say the kind is served. */
export const definitionRules: KindRules = {
  prepare: (object, live, { clock }) => {
    const spec = ensure(object, 'spec');
    const names = ensure(spec, 'names');
    const kind = asString(names.kind);
    fallback(names, 'singular', kind.toLowerCase());
    fallback(names, 'listKind', `${kind}List`);
    fallback(spec, 'conversion', { strategy: 'None' });
    const stored = objectsIn(spec.versions).find((version) => version.storage === true)?.name;
    if (live) {
      const status = asObject(object.status);
      const versions = new Set([...asArray(status.storedVersions), stored]);
      object.status = { ...status, acceptedNames: names, storedVersions: [...versions] };
      return;
    }
    const condition = (type: string, reason: string, message: string) => ({
      type,
      status: 'True',
      lastTransitionTime: timestamp(clock),
      reason,
      message,
    });
    object.status = {
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
      acceptedNames: names,
      storedVersions: [stored],
    };
  },
  check: (object, live) => {
    const spec = asObject(object.spec);
    const names = asObject(spec.names);
    const causes: Cause[] = [];
    const expected = `${asString(names.plural)}.${asString(spec.group)}`;
    const name = asObject(object.metadata).name;
    if (name !== expected) {
      causes.push(wrong('metadata.name', name, 'must be spec.names.plural+"."+spec.group'));
    }
    const versions = objectsIn(spec.versions);
    const storing = versions.filter((version) => version.storage === true).length;
    if (storing !== 1)
      causes.push(wrong('spec.versions', storing, 'must have exactly one version marked as storage version'));
    versions.forEach((version, index) => {
      if (asObject(version.schema).openAPIV3Schema !== undefined) return;
      const message = 'Required value: schemas are required';
      causes.push({ reason: 'FieldValueRequired', field: `spec.versions[${index}].schema.openAPIV3Schema`, message });
    });
    if (asObject(spec.conversion).strategy !== 'None') {
      causes.push(wrong('spec.conversion.strategy', asObject(spec.conversion).strategy, 'only None is served here'));
    }
    if (live) causes.push(...immutable('spec.scope', asObject(live.spec).scope, spec.scope));
    return causes;
  },
};
