import { describe, expect, it } from 'vitest';
import { namedRemoteKeys, sopsFile, sopsFormatOf } from '../../src/render/sops-file.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const encrypted = 'a: ENC[AES256_GCM,data:x]\nsops:\n    mac: ENC[x]\n    lastmodified: "2026-01-01T00:00:00Z"\n';
const many = 1_000_000;

describe('a file that may be encrypted costs linear work', () => {
  it.each([
    ['blank lines', `sops:\n${'\n'.repeat(many)}`],
    ['lines of spaces', `sops:\n${'  \n'.repeat(many / 2)}`],
    ['spaces', `sops:\n${' '.repeat(many)}`],
    ['keys without end', `sops:\n${'kms:\n'.repeat(many / 5)}${'\n'.repeat(many)}`],
  ])('of %s', (_what, text) => {
    const cpu = process.cpuUsage();
    expect(sopsFormatOf('a.yaml', bytes(text))).toBeUndefined();
    expect(namedRemoteKeys(bytes(text))).toEqual([]);
    expect(process.cpuUsage(cpu).user).toBeLessThan(2_000_000);
  });

  it('of a document of blank lines and comments beside an encrypted one', () => {
    const cpu = process.cpuUsage();
    const beside = `---\n${'\n'.repeat(50)}# a\n${'\n'.repeat(50)}x: 1\n`;
    expect(sopsFile('yaml', bytes(`${encrypted}${beside}`), new Set())).toMatchObject({
      parts: [{ isEncrypted: true }, { isEncrypted: false }],
    });
    expect(process.cpuUsage(cpu).user).toBeLessThan(2_000_000);
    const blank = `---\n${'\n'.repeat(50)}# a\n`;
    expect(sopsFile('yaml', bytes(`${encrypted}${blank}`), new Set())).toMatchObject({
      parts: [{ isEncrypted: true }],
    });
  });
});

it.each([
  ['sops:\n    kms:\n        - arn: x\n', ['kms']],
  ['sops:\n    kms: []\n    azure_kv:\n    - vault_url: x\n', ['azure_kv']],
  ['{\n "sops": {\n  "gcp_kms": [\n   {"resource_id": "x"}]}}', ['gcp_kms']],
  ['sops_hc_vault__list_0__map_key_name=x\n', ['hc_vault']],
  ['sops:\n    kms: []\n    age: []\n', []],
])('the keys of servers are known in %j', (text, keys) => {
  expect(namedRemoteKeys(bytes(text))).toEqual(keys);
});
