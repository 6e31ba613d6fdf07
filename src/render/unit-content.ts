import { sha256Hex } from '../lib/hash.ts';
import type { Unit } from './renderer.ts';

/** Changes with each file that the unit is made from, where it stands, and what is said of it elsewhere. */
export function contentOf({ path, inputs, root }: Unit): string {
  const files = [...inputs].map(([name, file]) => [
    name,
    typeof file === 'string' ? `text ${sha256Hex(file)}` : file.oid,
  ]);
  const told = root && [
    root.path,
    root.kustomization,
    root.values && [...root.values],
    root.labels,
    root.annotations,
    ...(root.namespace === undefined ? [] : [root.namespace]),
    ...(root.keys || root.hasSecretValues ? [root.keys ?? '', root.hasSecretValues ?? false] : []),
  ];
  return sha256Hex(
    JSON.stringify([path, files.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)), ...(told ? [told] : [])]),
  );
}
