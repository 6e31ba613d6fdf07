import { sameJson } from '../lib/same-json.ts';
import type { KubeObject } from '../manifest/types.ts';

type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null;

/**
 * The object, with a spec or pod template that says what it said before as the very object of before: most changes are of a status, so
 * what was computed from a spec still holds, and it is held once.
 */
export function sharing(object: KubeObject, before: KubeObject | undefined): KubeObject {
  const { spec } = object as { spec?: unknown };
  const { spec: old } = (before ?? {}) as { spec?: unknown };
  if (!isMembers(spec) || !isMembers(old)) return object;
  if (sameJson(spec, old)) return { ...object, spec: old };
  const { template } = spec;
  if (!isMembers(template) || !sameJson(template, old['template'])) return object;
  return { ...object, spec: { ...spec, template: old['template'] } };
}
