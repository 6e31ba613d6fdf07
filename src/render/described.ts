import type { Manifest } from '../manifest/types.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What an object of another tool says is to be applied. */
export interface Description {
  readonly manifest: Manifest;
  /** Tells it from others: `namespace/name` of a Kustomization of Flux, see `keyOfApplication` for Argo CD's. */
  readonly key: string;
  /** From the repository's root; the empty string is all of it. Undefined: it names none. */
  readonly folder: string | undefined;
  /** Keys of others. */
  readonly dependsOn: readonly string[];
  /** Fields of `spec` that have no effect here, or another one, with what is said of it to people. */
  readonly told: readonly Told[];
}

export interface Told {
  readonly field: string;
  readonly text: string;
}

/** Why what an object describes cannot be followed, for people. */
export class Unusable extends Error {}

/** What `read` gives; a text says why it cannot be followed. */
export function orReason<Value>(read: () => Value): Value | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unusable) return error.message;
    throw error;
  }
}
