import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeSshKey, type SshKey } from '../../../src/git/ssh/key.ts';
import { fingerprintOf, knownHostsProblem, trustOf, typeOf } from '../../../src/git/ssh/known-hosts.ts';

const blobOf = ({ publicKey }: SshKey): Buffer => Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
const host = { host: 'git.example.com', port: 22 };

describe('known_hosts', () => {
  let key: SshKey;
  let other: SshKey;
  beforeAll(async () => {
    [key, other] = await Promise.all([makeSshKey('host'), makeSshKey('other')]);
  });
  const verdict = (line: string, of = key, address = host): string => trustOf(address, line).judge(blobOf(of)).kind;

  it('knows a host by its name, by patterns, by a port and by a hash', () => {
    const hashed = (name: string): string => {
      const salt = Buffer.from('0123456789abcdefghij');
      return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
    };
    expect(verdict(`git.example.com ${key.publicKey}`)).toBe('known');
    expect(verdict(`# said so\n\nother,Git.Example.COM ${key.publicKey} comment`)).toBe('known');
    expect(verdict(`*.example.com ${key.publicKey}`)).toBe('known');
    expect(verdict(`g?t.*.com ${key.publicKey}`)).toBe('known');
    expect(verdict(`${hashed('git.example.com')} ${key.publicKey}`)).toBe('known');
    expect(verdict(`${hashed('other.example.com')} ${key.publicKey}`)).toBe('unknown');
    expect(verdict(`*.example.com,!git.example.com ${key.publicKey}`)).toBe('unknown');
    expect(verdict(`example.com ${key.publicKey}`)).toBe('unknown');
    expect(verdict(`git.example.com ${key.publicKey}`, key, { ...host, port: 2222 })).toBe('unknown');
    expect(verdict(`[git.example.com]:2222 ${key.publicKey}`, key, { ...host, port: 2222 })).toBe('known');
  });

  it('tells a key that has changed from one that nobody knows, and names those that it should be', () => {
    expect(trustOf(host, `git.example.com ${other.publicKey}`).judge(blobOf(key))).toEqual({
      kind: 'changed',
      trusted: [`ssh-ed25519 ${other.fingerprint}`],
    });
    expect(verdict('')).toBe('unknown');
    expect(verdict(`git.example.com ${other.publicKey}\ngit.example.com ${key.publicKey}`)).toBe('known');
  });

  it('believes no revoked key, no certificate authority and no line that lies of its type', () => {
    expect(verdict(`git.example.com ${key.publicKey}\n@revoked * ${key.publicKey}`)).toBe('revoked');
    expect(verdict(`@cert-authority * ${key.publicKey}`)).toBe('unknown');
    expect(verdict(`git.example.com ssh-rsa ${key.publicKey.split(' ')[1]}`)).toBe('unknown');
    expect(verdict('git.example.com ssh-ed25519')).toBe('unknown');
  });

  it.each([
    // As the hosts publish them beside their keys.
    ['github.com', 'ssh-ed25519', 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU'],
    ['github.com', 'ecdsa-sha2-nistp256', 'SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM'],
    ['github.com', 'ssh-rsa', 'SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s'],
    ['gitlab.com', 'ssh-ed25519', 'SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8'],
    ['gitlab.com', 'ecdsa-sha2-nistp256', 'SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw'],
    ['gitlab.com', 'ssh-rsa', 'SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ'],
    ['bitbucket.org', 'ssh-ed25519', 'SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM'],
  ])('has built in what %s publishes: %s', (name, type, fingerprint) => {
    const { keys } = trustOf({ host: name, port: 22 }, '');
    expect(keys.filter((known) => known.type === type).map(({ blob }) => fingerprintOf(blob))).toEqual([fingerprint]);
  });

  it('takes lines of one’s own in the place of what is built in, and not beside it', () => {
    const trust = trustOf({ host: 'github.com', port: 22 }, `github.com ${key.publicKey}`);
    expect(trust.judge(blobOf(key)).kind).toBe('known');
    const [published] = trustOf({ host: 'github.com', port: 22 }, '').keys;
    expect(published && trust.judge(published.blob).kind).toBe('changed');
    expect(trustOf({ host: 'ssh.github.com', port: 443 }, '').keys).toHaveLength(3);
    expect(trustOf({ host: 'github.com.example.com', port: 22 }, '').keys).toEqual([]);
  });

  it('says when no line of a file can be read', () => {
    expect(knownHostsProblem(`git.example.com ${key.publicKey}`)).toBeUndefined();
    expect(knownHostsProblem('ssh-rsa AAAA\n')).toMatch(/holds no line/);
    expect(typeOf(Buffer.from([0, 0, 0, 200, 1, 2]))).toBeUndefined();
  });

  it('is read within a moment whatever it holds', () => {
    const stars = `${'*a'.repeat(8_000)} ${key.publicKey}\n`.repeat(200);
    const begun = performance.now();
    trustOf({ host: 'a'.repeat(253), port: 22 }, stars + 'x'.repeat(5_000_000));
    expect(performance.now() - begun).toBeLessThan(3_000);
  });
});
