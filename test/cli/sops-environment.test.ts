import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { findTools, hasSopsKeys } from '../../src/cli/find-tools.ts';
import { readSettings } from '../../src/config/settings.ts';
import { closeTools } from '../../src/render/tools.ts';
import { sopsProgram } from '../helpers/sops.ts';

const secret =
  'apiVersion: v1\nkind: Secret\nmetadata: { name: db, namespace: default }\nstringData: { password: hunter2-hunter2 }\n';
const gpg = ['/usr/bin/gpg', '/usr/local/bin/gpg'].find((path) => {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const why = gpg === undefined ? ' (left out: there is no gpg)' : '';

describe.skipIf(sopsProgram === undefined || gpg === undefined)(`what SOPS encrypted for a key of PGP${why}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'sops-pgp-'));
  const home = join(dir, 'gnupg');
  const PATH = process.env.PATH ?? '';
  const run = (program: string, args: readonly string[], input = ''): string =>
    execFileSync(program, args, {
      encoding: 'utf8',
      input,
      env: { GNUPGHOME: home, PATH },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  beforeAll(() => {
    execFileSync('mkdir', ['-m', '700', home]);
    const batch = ['--batch', '--quiet', '--passphrase', ''];
    run(gpg ?? '', [...batch, '--quick-generate-key', 'Ada <ada@example.test>', 'ed25519', 'sign', 'never']);
    const print = /^fpr:+(\w+):/m.exec(run(gpg ?? '', ['--list-keys', '--with-colons']))?.[1] ?? '';
    run(gpg ?? '', [...batch, '--quick-add-key', print, 'cv25519', 'encr', 'never']);
    const types = ['--input-type', 'yaml', '--output-type', 'yaml', '--encrypted-regex', '^stringData$'];
    const file = join(dir, 'secret.yaml');
    writeFileSync(
      file,
      run(sopsProgram ?? '', ['encrypt', '--filename-override', 'x.yaml', '--pgp', print, ...types], secret),
    );
    writeFileSync(join(dir, 'settings.yaml.txt'), 'sops-environment: [GNUPGHOME, PATH]\n');
  });
  afterAll(() => {
    // It starts an agent of its own.
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' });
    rmSync(dir, { recursive: true });
  });
  const render = async (environment: Record<string, string>): Promise<{ code: number; said: string }> => {
    let said = '';
    const write = (text: string): unknown => (said += text);
    const argv = [
      'render',
      dir,
      '--config',
      join(dir, 'settings.yaml.txt'),
      '--root',
      dir,
      '--sops',
      sopsProgram ?? '',
    ];
    const signal = new AbortController().signal;
    const code = await runCommandLine({ argv, environment, stdout: { write }, stderr: { write }, signal });
    return { code, said };
  };

  it('is decrypted by the key ring that the environment names, where a setting hands it on', async () => {
    const { code, said } = await render({ GNUPGHOME: home, PATH });
    expect([code, said]).toEqual([0, expect.stringContaining('password: "***"')]);
  });

  it('is one clear problem without that key ring, and quotes nothing of it', async () => {
    for (const environment of [{ PATH }, { GNUPGHOME: '/nonexistent', PATH }]) {
      const { code, said } = await render(environment);
      expect(code).toBe(3);
      expect(said).toMatch(/^secret.yaml:1 error the file is encrypted with SOPS, and cannot be decrypted: /m);
      expect(said).not.toMatch(/hunter2|gnupg/);
    }
  });
});

describe('what sops gets of the environment', () => {
  it.each([
    ['AWS_*,VAULT_ADDR', ['AWS_PROFILE=a', 'AWS_REGION=b', 'VAULT_ADDR=c']],
    ['GNUPGHOME', ['GNUPGHOME=h']],
    ['GOOGLE_*,AZURE_*', []],
    ['', []],
  ])('is what is named and nothing else: %s', async (named, expected) => {
    const dir = mkdtempSync(join(tmpdir(), 'sops-environment-'));
    const program = join(dir, 'sops');
    // It stands for whatever is built into a sops: all that it is given is written down.
    writeFileSync(program, `#!/bin/sh\n[ "$1" = decrypt ] && /usr/bin/env > ${dir}/seen\necho sops 3.10.0\n`);
    chmodSync(program, 0o755);
    const environment = {
      AWS_PROFILE: 'a',
      AWS_REGION: 'b',
      VAULT_ADDR: 'c',
      VAULT_TOKEN: 'd',
      GNUPGHOME: 'h',
      HOME: '/root',
      TOKEN: 'x',
    };
    const flags = { sops: program, 'sops-environment': named, 'sops-age-key-file': join(dir, 'key') };
    writeFileSync(join(dir, 'key'), 'AGE-SECRET-KEY-1\n');
    const values = readSettings({ flags, environment: {}, file: {} });
    const tools = findTools(values, environment);
    const file = 'a: ENC[AES256_GCM,data:x]\nsops:\n  mac: x\n  lastmodified: x\n';
    await tools.sops?.decrypt('yaml', Buffer.from(file), { identities: 'AGE-SECRET-KEY-1' });
    await closeTools(tools);
    const seen = execFileSync('cat', [join(dir, 'seen')], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const own = /^(?:GOMAXPROCS|GOMEMLIMIT|SOPS_AGE_KEY|PWD|_|SHLVL|OLDPWD)=/;
    expect(seen.filter((line) => !own.test(line)).toSorted()).toEqual(expected);
    rmSync(dir, { recursive: true });
  });

  it.each([
    [{ 'sops-environment': 'AWS_*,PATH' }, { PATH: '/bin' }, false],
    [{ 'sops-environment': 'AWS_*,PATH' }, { PATH: '/bin', AWS_PROFILE: 'a' }, true],
    [{ 'sops-age-key-file': 'key' }, {}, true],
    [{}, { AWS_PROFILE: 'a', GNUPGHOME: 'h' }, false],
  ])('is a key at hand only where a variable is set that may lead to one: %j', (flags, environment, isKey) => {
    const values = readSettings({ flags, environment: {}, file: {} });
    expect(hasSopsKeys(values, environment as Record<string, string>)).toBe(isKey);
  });
});
