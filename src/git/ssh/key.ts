import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { AgentError } from '../../lib/errors.ts';
import { fingerprintOf } from './known-hosts.ts';

/** A key to sign in with. */
export interface SshKey {
  /** OpenSSH or PEM. Never told to anybody. */
  readonly privateKey: string;
  /** One line as in authorized_keys: type, base64 and a comment. */
  readonly publicKey: string;
  readonly fingerprint: string;
}

/** Larger files are no keys. */
const LONGEST_KEY = 64 * 1024;

/** Reads a private key. Throws CONFIG_INVALID that says nothing of its content. */
export async function readSshKey(text: string): Promise<SshKey> {
  const { utils } = (await import('ssh2')).default;
  const parsed = text.length > LONGEST_KEY ? new Error('too long') : utils.parseKey(text);
  // Some formats hold several keys.
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) throw unusable(key?.message ?? '');
  if (!key.isPrivateKey()) throw new AgentError('CONFIG_INVALID', 'it is a public key, and the private one is needed');
  const blob = key.getPublicSSH();
  const comment = key.comment === '' ? '' : ` ${key.comment.replace(/[^\x21-\x7e]+/g, '_')}`;
  return {
    privateKey: text,
    publicKey: `${key.type} ${blob.toString('base64')}${comment}`,
    fingerprint: fingerprintOf(blob),
  };
}

/** A new ed25519 key without a passphrase, in OpenSSH's format: ssh2 itself makes one in 256 that nobody can read. */
export async function makeSshKey(comment: string): Promise<SshKey> {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return readSshKey(openSshKey(Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url'), comment));
}

/** https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key */
export function openSshKey(seed: Buffer, point: Buffer, comment: string): string {
  const type = sshString('ssh-ed25519');
  const check = randomBytes(4);
  const secrets = Buffer.concat([
    check,
    check,
    type,
    sshString(point),
    sshString(Buffer.concat([seed, point])),
    sshString(comment),
  ]);
  const padding = Buffer.from(Array.from({ length: -secrets.length & 7 }, (_, at) => at + 1));
  const content = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    Buffer.from([0, 0, 0, 1]),
    sshString(Buffer.concat([type, sshString(point)])),
    sshString(Buffer.concat([secrets, padding])),
  ]);
  const lines = content.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function sshString(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function unusable(why: string): AgentError {
  const what = /encrypted|passphrase/i.test(why)
    ? 'it is protected by a passphrase; give a key without one, made by ssh-keygen -t ed25519 -N ""'
    : 'it is no private key that can be read; OpenSSH and PEM are understood, ssh-keygen -t ed25519 -N "" makes one';
  return new AgentError('CONFIG_INVALID', what);
}
