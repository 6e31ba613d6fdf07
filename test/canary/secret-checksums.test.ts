import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configChecksum } from '../../src/canary/configs.ts';
import {
  checksumOf,
  isPlain,
  mayAllSame,
  maySame,
  withoutGuessable,
  withoutPlain,
} from '../../src/canary/secret-checksums.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { changedConfigs, type Revision } from '../../src/canary/revision.ts';
import type { CanaryStatus, ConfigKey } from '../../src/canary/types.ts';
import { createKeyedDigest } from '../../src/lib/keyed-digest.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const digest = createKeyedDigest('a key');
const other = createKeyedDigest('another key');
const secret = (pin: string, namespace = 'test'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'pin', namespace },
  data: { pin: Buffer.from(pin).toString('base64') },
});

describe('the checksum of a Secret', () => {
  it('is found by nobody who tries all values, and is another one with another key or in another namespace', () => {
    const known = checksumOf(secret('4711'), digest);
    expect(known).toMatch(/^keyed-[0-9a-f]{6}-[0-9a-f]{16}$/);
    const tried = Array.from({ length: 10_000 }, (_, pin) => secret(String(pin).padStart(4, '0')));
    const plain = new Set(
      tried.flatMap((object) => [configChecksum(object), sha256Hex(JSON.stringify(object['data'])).slice(0, 16)]),
    );
    expect(plain.has(configChecksum(secret('4711')))).toBe(true);
    expect([...plain].filter((checksum) => known.includes(checksum))).toEqual([]);
    // Who may make Secrets elsewhere, and sees their checksums, learns nothing of these.
    expect(
      tried.map((object) => checksumOf({ ...object, metadata: { name: 'pin', namespace: 'mine' } }, digest)),
    ).not.toContain(known);
    expect(checksumOf(secret('4711'), other)).not.toBe(known);
    expect(checksumOf(secret('4711'), digest)).toBe(known);
  });

  it('is what becomes of the one that Flagger or a former agent wrote', () => {
    fc.assert(
      fc.property(fc.string(), (pin) => {
        const before = { 'secret/pin': configChecksum(secret(pin)), 'configmap/a': 'f00d' };
        const now = withoutPlain(before, 'test', digest);
        expect(now).toEqual({ 'secret/pin': checksumOf(secret(pin), digest), 'configmap/a': 'f00d' });
        expect(withoutPlain(now, 'test', digest)).toBe(now);
        expect(withoutGuessable(before)).toEqual({ 'configmap/a': 'f00d' });
        expect(withoutGuessable(now)).toEqual(now);
      }),
    );
  });

  it('tells nothing of one that was made with another key, or without one', () => {
    const [mine, theirs] = [checksumOf(secret('1'), digest), checksumOf(secret('2'), other)];
    expect(maySame(mine, mine)).toBe(true);
    expect(maySame(mine, theirs)).toBe(true);
    expect(maySame(mine, configChecksum(secret('2')))).toBe(true);
    expect(maySame(mine, checksumOf(secret('2'), digest))).toBe(false);
    expect(maySame(undefined, mine)).toBe(false);
    expect(maySame('f00d', 'beef')).toBe(false);
    expect(mayAllSame({ 'secret/pin': mine }, { 'secret/pin': theirs })).toBe(true);
    expect(mayAllSame({ 'secret/pin': mine }, {})).toBe(false);
    expect(mayAllSame({ 'configmap/a': 'f00d' }, { 'configmap/a': 'beef' })).toBe(false);
  });

  it('is not taken for keyed because it looks like it', () => {
    for (const text of [
      '',
      'keyed',
      'keyed-abc-0',
      'keyed-abcdef-0123456789abcdeg',
      '0123456789abcdef',
      'KEYED-abcdef-0123456789abcdef',
    ])
      expect(isPlain('secret/a', text)).toBe(true);
    expect(isPlain('configmap/a', '0123456789abcdef')).toBe(false);
  });

  it('of a key that is lost makes nothing new of what the primary has, and a change of what it has not', () => {
    const key: ConfigKey = 'secret/pin';
    const was = checksumOf(secret('4711'), other);
    const now = checksumOf(secret('4711'), digest);
    const status = { trackedConfigs: { [key]: was } } as unknown as CanaryStatus;
    const revision = (checksum: string, copied: readonly ConfigKey[]): Revision =>
      ({ configs: { [key]: checksum }, copied: new Set(copied) }) as unknown as Revision;
    expect(changedConfigs(status, revision(now, [key]))).toEqual([]);
    expect(changedConfigs(status, revision(now, []))).toEqual([key]);
    const known = { trackedConfigs: { [key]: checksumOf(secret('1'), digest) } } as unknown as CanaryStatus;
    expect(changedConfigs(known, revision(now, [key]))).toEqual([key]);
  });
});
