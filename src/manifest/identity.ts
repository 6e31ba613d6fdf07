import { perObject } from '../lib/memo.ts';
import {
  groupOf,
  isOfPlace,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type Problem,
  refKey,
  refOf,
} from './types.ts';

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

/**
 * Every object once. Of several with the same identity the one counts that stands where `placeOf` says, else the first; the others are
 * problems that name both places. Yields again and again.
 */
export function* leavingOutDuplicates(
  all: readonly Manifest[],
  placeOf: (key: string) => string | undefined = () => undefined,
): Generator<void, SingleManifests> {
  const chosen = new Map<string, Manifest>();
  const doubled = new Set<string>();
  for (const [at, manifest] of all.entries()) {
    if (at % 512 === 511) yield;
    const key = identityOf(manifest.object);
    const known = chosen.get(key);
    if (!known) {
      chosen.set(key, manifest);
      continue;
    }
    doubled.add(key);
    const place = placeOf(key);
    if (!isOfPlace(known.origin, place) && isOfPlace(manifest.origin, place)) chosen.set(key, manifest);
  }
  if (doubled.size === 0) return { manifests: all, problems: [] };
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  for (const [at, manifest] of all.entries()) {
    if (at % 512 === 511) yield;
    const key = identityOf(manifest.object);
    const counts = chosen.get(key);
    if (counts === undefined || counts === manifest) {
      manifests.push(manifest);
      continue;
    }
    const { path, line } = manifest.origin;
    const place = `${counts.origin.path}:${counts.origin.line}`;
    const message = `${nameOf(refOf(manifest.object))} is defined a second time; the first is ${place}`;
    problems.push({ severity: 'error', path, line, message, hint: 'only the first is applied: remove one of them' });
  }
  return { manifests, problems };
}
