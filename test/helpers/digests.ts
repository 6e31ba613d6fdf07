import { createHash } from 'node:crypto';
import { canonicalJson, fnv1a, shortHash } from '../../src/lib/hash.ts';

/** Digests that somebody who guesses a Secret's values would compare with, as long as they are when they are told cut. */
export function plainDigests(data: Readonly<Record<string, string>>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const text of spellings(data)) {
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
      const digest = createHash(algorithm).update(text).digest();
      found.add(digest.toString('hex').slice(0, 8));
      found.add(digest.toString('base64').slice(0, 8));
      found.add(digest.toString('base64url').slice(0, 8));
    }
    const hash = fnv1a(text);
    if (hash > 9_999_999) found.add(String(hash)).add(hash.toString(16).padStart(8, '0')).add(shortHash(text));
  }
  return found;
}

function spellings(data: Readonly<Record<string, string>>): readonly string[] {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
  const values = Object.entries(data).flatMap(([key, value]) => [
    value,
    `${value}\n`,
    `${key}=${value}`,
    `${key}:${value}`,
    encoded[key] ?? '',
  ]);
  return [...values, canonicalJson(data), canonicalJson(encoded), JSON.stringify(data), JSON.stringify(encoded)];
}
