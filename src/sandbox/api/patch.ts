import type { Operation } from 'fast-json-patch';
import jsonpatch from 'fast-json-patch';
import { Failure, badRequest, unsupportedMedia } from './failure.ts';
import type { Json } from './json.ts';
import { clone, isObject } from './json.ts';
import type { Resource } from './resource.ts';
import type { Resolve } from './schema.ts';
import { strategicMerge } from './strategic.ts';

/** RFC 7386. */
export function mergePatch(live: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return clone(patch);
  const merged: Json = isObject(live) ? { ...live } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const types: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export function patchTypeOf(contentType: string, resource: Resource): PatchType {
  const type = types[contentType.split(';')[0]?.trim() ?? ''];
  if (type !== undefined && !(type === 'strategic' && resource.custom)) return type;
  const supported = Object.keys(types).filter((name) => !(resource.custom && types[name] === 'strategic'));
  throw unsupportedMedia(
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
  );
}

export function patched(
  type: Exclude<PatchType, 'apply'>,
  live: Json,
  patch: unknown,
  resource: Resource,
  resolve: Resolve,
): Json {
  if (type === 'json') return jsonPatched(live, patch);
  if (!isObject(patch))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    );
  if (type === 'merge') return mergePatch(live, patch) as Json;
  return strategicMerge(resource.schema, live, patch, resolve);
}

function jsonPatched(live: Json, patch: unknown): Json {
  if (!Array.isArray(patch))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
  try {
    const result: unknown = jsonpatch.applyPatch(clone(live), patch as Operation[], true).newDocument;
    if (isObject(result)) return result;
  } catch {
    throw new Failure(422, 'Invalid', 'the server rejected our request due to an error in our request');
  }
  throw badRequest('the patch does not leave an object');
}
