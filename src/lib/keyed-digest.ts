import { createHmac } from 'node:crypto';

/** Digests that say nothing to whoever does not have the key: a short secret is found from a plain one in no time. */
export interface KeyedDigest {
  /** Tells keys apart and says nothing of them. Six hexadecimal digits. */
  readonly id: string;
  /** `keyed-<id>-<16 hexadecimal digits>`. Who may have texts digested elsewhere learns nothing of those of this `scope`. */
  of(scope: string, text: string): string;
}

export function createKeyedDigest(key: string): KeyedDigest {
  const hmac = (text: string): string => createHmac('sha256', key).update(text).digest('hex');
  const id = hmac('id').slice(0, 6);
  return { id, of: (scope, text) => `keyed-${id}-${hmac(`digest\n${scope}\n${text}`).slice(0, 16)}` };
}

/** The key that a digest was made with; undefined of a plain one. */
export function keyIdOf(digest: string): string | undefined {
  return /^keyed-([0-9a-f]{6})-[0-9a-f]{16}$/.exec(digest)?.[1];
}
