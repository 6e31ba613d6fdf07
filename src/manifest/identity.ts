import { perObject } from '../lib/memo.ts';
import { groupOf, type KubeObject, type Manifest, type ObjectRef, type Problem, refKey, refOf } from './types.ts';

/**
 * What tells objects of a cluster apart: unlike refKey without the version, because `autoscaling/v2` and `autoscaling/v2beta2` are two
 * ways to write the same object.
 */
export function identityKey({ apiVersion, kind, namespace, name }: ObjectRef): string {
  return `${groupOf(apiVersion)}/${kind}/${namespace ?? ''}/${name}`;
}

/** The identityKey of an object from Git, which nobody changes. */
export const identityOf: (object: KubeObject) => string = perObject((object) => identityKey(refOf(object)));
/** Likewise its refKey. */
export const refKeyOf: (object: KubeObject) => string = perObject((object) => refKey(refOf(object)));
/** The identityKeys of all of them. */
export const identitiesOf: (manifests: readonly Manifest[]) => ReadonlySet<string> = perObject(
  (manifests) => new Set(manifests.map(({ object }) => identityOf(object))),
);

/** `Deployment test/podinfo`. */
export function nameOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

export interface SingleManifests {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/** Every object once: of two with the same identity the first counts, the other is a problem that names both places. Yields again and again. */
export function* leavingOutDuplicates(all: readonly Manifest[]): Generator<void, SingleManifests> {
  const first = new Map<string, Manifest>();
  const problems: Problem[] = [];
  for (const [at, manifest] of all.entries()) {
    if (at % 512 === 511) yield;
    const key = identityOf(manifest.object);
    const known = first.get(key);
    if (!known) {
      first.set(key, manifest);
      continue;
    }
    const { path, line } = manifest.source;
    const message = `${nameOf(refOf(manifest.object))} is defined a second time; the first is ${known.source.path}:${known.source.line}`;
    problems.push({ severity: 'error', path, line, message, hint: 'only the first is applied: remove one of them' });
  }
  return { manifests: [...first.values()], problems };
}
