import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { makeSshKey, openSshKey, readSshKey } from '../../../src/git/ssh/key.ts';
import { publicHalfByOpenSsh } from '../../helpers/sshd.ts';
import { withTempDir } from '../../helpers/temp-repo.ts';

const hasKeygen = (): boolean => {
  try {
    execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
  }
};

describe('a key for SSH', () => {
  it('is ed25519, another one each time, and read back to the same public half', async () => {
    const [key, other] = [await makeSshKey('serin'), await makeSshKey('serin')];
    expect(key.publicKey).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} serin$/);
    expect(other.publicKey).not.toBe(key.publicKey);
    expect(await readSshKey(key.privateKey)).toEqual(key);
  });

  it('can be used also where its public half begins with zeros, as one in 256 does', async () => {
    let keys = 0;
    for (let tries = 0; keys < 2 && tries < 20_000; tries += 1) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
      const point = Buffer.from(x, 'base64url');
      if (point[0] !== 0) continue;
      keys += 1;
      const key = await readSshKey(openSshKey(Buffer.from(d, 'base64url'), point, 'serin'));
      const parsed = ssh2.utils.parseKey(key.privateKey);
      if (parsed instanceof Error) throw parsed;
      const signed = parsed.sign('text');
      expect(signed instanceof Error ? signed : verify(null, Buffer.from('text'), publicKey, signed)).toBe(true);
    }
    expect(keys).toBe(2);
  });

  it.skipIf(!hasKeygen())('is what OpenSSH reads, too (skipped where there is no ssh-keygen)', () =>
    withTempDir(async (dir) => {
      for (let at = 0; at < 5; at += 1) {
        const key = await makeSshKey(`serin-${'x'.repeat(at)}`);
        const file = join(dir, `id-${at}`);
        writeFileSync(file, key.privateKey, { mode: 0o600 });
        expect(publicHalfByOpenSsh(file)).toBe(key.publicKey);
      }
    }),
  );

  it.skipIf(!hasKeygen())('may be an RSA or ECDSA key of OpenSSH (skipped where there is no ssh-keygen)', () =>
    withTempDir(async (dir) => {
      for (const type of ['rsa', 'ecdsa']) {
        const file = join(dir, type);
        execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'a b', '-f', file]);
        const text = execFileSync('cat', [file], { encoding: 'utf8' });
        expect((await readSshKey(text)).publicKey.split(' ').slice(0, 2)).toEqual(
          publicHalfByOpenSsh(file).split(' ').slice(0, 2),
        );
      }
    }),
  );

  it('is refused in words without its content where it has a passphrase, is public or is none', async () => {
    const secret = 'topsecrettopsecret';
    const withPassphrase = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' },
    }).privateKey;
    await expect(readSshKey(withPassphrase)).rejects.toThrow(/passphrase/);
    await expect(readSshKey((await makeSshKey('x')).publicKey)).rejects.toThrow(/public key/);
    for (const text of [
      '',
      secret,
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${secret}\n-----END OPENSSH PRIVATE KEY-----`,
    ]) {
      const said = await readSshKey(text).catch((error: unknown) => String(error));
      expect(said).toMatch(/no private key that can be read/);
      expect(said).not.toContain(secret);
    }
    await expect(readSshKey('x'.repeat(10_000_000))).rejects.toThrow(/no private key/);
  });
});
