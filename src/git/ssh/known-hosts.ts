import { createHash, createHmac } from 'node:crypto';
import { hostName, type SshAddress } from './address.ts';
import { publishedHostKeys } from './published-host-keys.ts';

/** A public key that a host proves to have. */
interface HostKey {
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  /** The whole key as SSH sends it. */
  readonly blob: Buffer;
}

type HostVerdict =
  | { readonly kind: 'known' }
  /** `trusted`: fingerprints of those that it should be one of. */
  | { readonly kind: 'changed'; readonly trusted: readonly string[] }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'unknown' };

/** What is known of one host: from its lines of known_hosts, else from what is built in. */
export interface HostTrust {
  readonly keys: readonly HostKey[];
  judge(blob: Buffer): HostVerdict;
}

interface Line {
  readonly marker: string | undefined;
  readonly hosts: string;
  readonly key: HostKey;
}

/** Longer lines and more of them are not looked at. */
const LONGEST_LINE = 16 * 1024;
const MOST_LINES = 10_000;

/**
 * Lines of known_hosts as OpenSSH reads them: names, patterns, `[host]:port`, hashed names, `@revoked`. Certificate authorities are not
 * understood, and their lines left out. What the lines say of a host stands in the place of what is built in of it.
 */
export function trustOf(address: Pick<SshAddress, 'host' | 'port'>, knownHosts: string): HostTrust {
  const name = hostName(address);
  const own = linesOf(knownHosts).filter(({ hosts }) => namesHost(hosts, name));
  const given = own.filter(({ marker }) => marker === undefined);
  const lines = given.length > 0 ? given : linesOf(publishedHostKeys).filter(({ hosts }) => namesHost(hosts, name));
  const keys = lines.map(({ key }) => key);
  const revoked = own.filter(({ marker }) => marker === '@revoked').map(({ key }) => key);
  const has = (list: readonly HostKey[], blob: Buffer): boolean => list.some((key) => key.blob.equals(blob));
  return {
    keys,
    judge(blob) {
      if (has(revoked, blob)) return { kind: 'revoked' };
      if (has(keys, blob)) return { kind: 'known' };
      if (keys.length === 0) return { kind: 'unknown' };
      return { kind: 'changed', trusted: keys.map((key) => `${key.type} ${fingerprintOf(key.blob)}`) };
    },
  };
}

/** What is wrong with lines of known_hosts; undefined: nothing. One line that can be read is enough. */
export function knownHostsProblem(text: string): string | undefined {
  return linesOf(text).length > 0 ? undefined : 'it holds no line such as "git.example.com ssh-ed25519 AAAA…"';
}

/** As ssh-keygen -l shows it. */
export const fingerprintOf = (blob: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;

/** The type that a key says of itself; undefined where it is none. */
export function typeOf(blob: Buffer): string | undefined {
  if (blob.length < 5) return undefined;
  const length = blob.readUInt32BE(0);
  return length > 0 && length <= 64 && blob.length > 4 + length ? blob.toString('latin1', 4, 4 + length) : undefined;
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (const line of text.split('\n', MOST_LINES)) {
    if (line.length > LONGEST_LINE) continue;
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) continue;
    const marker = words[0].startsWith('@') ? words.shift() : undefined;
    const [hosts = '', type = '', base64 = ''] = words;
    if (marker !== undefined && marker !== '@revoked') continue;
    const blob = Buffer.from(base64, 'base64');
    if (typeOf(blob) === type) lines.push({ marker, hosts, key: { type, blob } });
  }
  return lines;
}

/** Whether a list of names means a host; a name behind `!` takes it out. */
function namesHost(list: string, name: string): boolean {
  if (list.startsWith('|1|')) return isHashOf(list, name);
  let isNamed = false;
  for (const entry of list.split(',')) {
    const isNegated = entry.startsWith('!');
    if (!matches((isNegated ? entry.slice(1) : entry).toLowerCase(), name)) continue;
    if (isNegated) return false;
    isNamed = true;
  }
  return isNamed;
}

function isHashOf(entry: string, name: string): boolean {
  const [, , salt = '', hash = ''] = entry.split('|');
  const key = Buffer.from(salt, 'base64');
  if (key.length === 0) return false;
  return createHmac('sha1', key).update(name).digest().equals(Buffer.from(hash, 'base64'));
}

/** `*` is any letters, `?` one of them; the last star alone is ever gone back to. */
function matches(pattern: string, text: string): boolean {
  let [p, t, star, from] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === '*') [star, from, p] = [p, t, p + 1];
    else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) [p, t] = [p + 1, t + 1];
    else if (star >= 0) [p, t, from] = [star + 1, from + 1, from + 1];
    else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
