import type { CanaryShare } from '../canary/shared-fields.ts';
import { canonicalJson, shortHash } from '../lib/hash.ts';
import type { KubeObject } from '../manifest/types.ts';
import { sentForm } from './sent-form.ts';

/**
 * Which part of an object belongs to others (canaries, autoscalers) and is not sent. `nodes`: the field is Git's, but the canary's mark in
 * it stays (see apply.ts). `weights`: likewise of the rules of a route. `service`: of the Service that a canary takes over.
 */
export type Shared = CanaryShare | 'service';

/** Fields of `spec` that are not sent. */
export const sharedFields: Readonly<Record<Shared, readonly string[]>> = {
  nothing: [],
  replicas: ['replicas'],
  service: ['selector', 'ports'],
  traffic: ['traffic'],
  nodes: [],
  weights: [],
};

interface Rendered {
  /** As it is sent. */
  readonly object: KubeObject;
  readonly hash: string;
}

export type Render = (object: KubeObject, shared: Shared) => Rendered;

/** Renders and hashes an object once, however often it is planned: the same object gives the same result. */
export function createRender(): Render {
  const known = new WeakMap<KubeObject, Partial<Record<Shared, Rendered>>>();
  return (object, shared) => {
    const before = known.get(object);
    const done = before?.[shared];
    if (done) return done;
    const made = render(object, shared);
    known.set(object, { ...before, [shared]: made });
    return made;
  };
}

function render(written: KubeObject, shared: Shared): Rendered {
  const object = sentForm(written);
  const spec = object['spec'];
  if (shared === 'nothing' || typeof spec !== 'object' || spec === null) {
    return { object, hash: shortHash(canonicalJson(object)) };
  }
  const left = Object.entries(spec).filter(([field]) => !sharedFields[shared].includes(field));
  const sent = { ...object, spec: Object.fromEntries(left) };
  // Once no Canary writes into it any more it is sent as Git has it.
  const mark = shared === 'weights' ? shared : '';
  return { object: sent, hash: shortHash(canonicalJson(sent) + mark) };
}
