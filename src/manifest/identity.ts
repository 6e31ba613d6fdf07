import { groupOf, type Manifest, type ObjectRef, type Problem, refOf } from './types.ts';

/**
 * What tells objects of a cluster apart: unlike refKey without the version, because `autoscaling/v2` and `autoscaling/v2beta2` are two
 * ways to write the same object.
 */
export function identityKey({ apiVersion, kind, namespace, name }: ObjectRef): string {
  return `${groupOf(apiVersion)}/${kind}/${namespace ?? ''}/${name}`;
}

/** `Deployment test/podinfo`. */
export function nameOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** Every object once: of two with the same identity the first counts, the other is a problem that names both places. */
export function withoutDuplicates(all: readonly Manifest[]): {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
} {
  const first = new Map<string, Manifest>();
  const problems: Problem[] = [];
  for (const manifest of all) {
    const ref = refOf(manifest.object);
    const key = identityKey(ref);
    const known = first.get(key);
    if (!known) {
      first.set(key, manifest);
      continue;
    }
    const { path, line } = manifest.source;
    const message = `${nameOf(ref)} is defined a second time; the first is ${known.source.path}:${known.source.line}`;
    problems.push({ severity: 'error', path, line, message, hint: 'only the first is applied: remove one of them' });
  }
  return { manifests: [...first.values()], problems };
}
