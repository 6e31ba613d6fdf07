import { sha256Hex } from '../lib/hash.ts';
import type { Unit } from './renderer.ts';

/** Changes with each file that the unit is made from, and where it stands. */
export function contentOf({ path, inputs }: Unit): string {
  const files = [...inputs].map(([name, file]) => [
    name,
    typeof file === 'string' ? `text ${sha256Hex(file)}` : file.oid,
  ]);
  return sha256Hex(JSON.stringify([path, files.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))]));
}
