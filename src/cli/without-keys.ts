import { isObject } from '../manifest/edit-value.ts';
import type { LoadedTree } from '../manifest/load.ts';
import type { Manifest, Problem } from '../manifest/types.ts';
import type { Unlooked } from '../render/encrypted-files.ts';

/** What is found where no key is known of what is encrypted, and no cluster: that is no fault of the files. */
export function toldWithoutKeys(
  { problems }: Pick<LoadedTree, 'problems'>,
  { files, units }: Unlooked,
): readonly Problem[] {
  const hint = 'only who has what is missing can look at it';
  const told = problems.map(
    (problem): Problem =>
      problem.severity === 'error' && problem.unit !== undefined && units.has(problem.unit)
        ? { ...problem, severity: 'warning', hint }
        : problem,
  );
  const [path] = [...files].toSorted();
  if (path === undefined) return told;
  const others = files.size === 1 ? '' : `, and so are ${files.size - 1} others`;
  const message = `the file is encrypted with SOPS${others}: without a key what is encrypted is not looked at, but all else`;
  const more = 'name a key with --sops-age-key-file, or make it an error with --require-keys';
  return [...told, { severity: 'warning', path, line: 1, message, hint: more }];
}

/** Stand-ins say nothing of what a Secret of some type has to hold. */
export function withoutStandIns(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.map((manifest) => {
    const { object, sealed } = manifest;
    if (sealed === undefined || object.kind !== 'Secret') return manifest;
    const { type: _type, ...rest } = object as typeof object & { readonly type?: unknown };
    const emptied = (field: 'data' | 'stringData'): object => {
      const data = rest[field];
      return isObject(data) ? { [field]: Object.fromEntries(Object.keys(data).map((key) => [key, ''])) } : {};
    };
    return { ...manifest, object: { ...rest, ...emptied('data'), ...emptied('stringData') } };
  });
}
