import type { StoredObject } from '../types.ts';
import type { Json } from './json.ts';
import type { Resource } from './resource.ts';
import type { WriteContext } from './write-context.ts';

/** What an object becomes before it is stored: pruned, defaulted, validated, its field managers noted. Throws Failure. */
export interface Admission {
  admit(resource: Resource, draft: Json, live: StoredObject | undefined, context: WriteContext): Json;
}
