import type { KeyedDigest } from '../lib/keyed-digest.ts';
import { keyIdOf } from '../lib/keyed-digest.ts';
import type { KubeObject } from '../manifest/types.ts';
import { configChecksum } from './configs.ts';

/** Checksums of tracked configs, by ConfigKey. */
export type Checksums = Readonly<Record<string, string>>;

const isOfSecret = (key: string): boolean => key.startsWith('secret/');

/** What a config is known by. A Secret's is a digest of Flagger's checksum, so that one that Flagger wrote can be turned into it. */
export function checksumOf(object: KubeObject, digest: KeyedDigest): string {
  const plain = configChecksum(object);
  return object.kind === 'Secret' ? digest.of(object.metadata.namespace ?? '', plain) : plain;
}

/** The same checksums with none of a Secret that is plain, as Flagger and former agents wrote them; themselves where there is none. */
export function withoutPlain(checksums: Checksums, namespace: string, digest: KeyedDigest): Checksums {
  if (!Object.entries(checksums).some(([key, checksum]) => isPlain(key, checksum))) return checksums;
  return Object.fromEntries(
    Object.entries(checksums).map(([key, checksum]) => [
      key,
      isPlain(key, checksum) ? digest.of(namespace, checksum) : checksum,
    ]),
  );
}

/** Whoever reads it can try values until one fits. */
export function isPlain(key: string, checksum: string): boolean {
  return isOfSecret(key) && keyIdOf(checksum) === undefined;
}

/** What of these may stand where others read it. */
export function withoutGuessable(checksums: Checksums): Checksums {
  return Object.fromEntries(Object.entries(checksums).filter(([key, checksum]) => !isPlain(key, checksum)));
}

/** Nothing says that these differ: digests of different keys, or a plain one and a keyed one, tell nothing of each other. */
export function maySame(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const [first, second] = [keyIdOf(a), keyIdOf(b)];
  return first !== second;
}

/** As `maySame`, of all of them. */
export function mayAllSame(a: Checksums, b: Checksums): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => maySame(a[key], b[key]));
}
