import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/context.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { readDeployKey, readOrMakeDeployKey } from '../../src/cli/deploy-key.ts';
import { checkSettings } from '../../src/cli/settings-check.ts';
import { sshAccess } from '../../src/cli/ssh-access.ts';
import { type ClusterClient, openCluster } from '../../src/cluster/client.ts';
import { readSettings } from '../../src/config/settings.ts';
import { makeSshKey } from '../../src/git/ssh/key.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger, silentLogger } from '../../src/lib/log.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

const never = new AbortController().signal;
const secret = { namespace: 'serin', name: 'serin-git-deploy' };
const ref = { apiVersion: 'v1', kind: 'Secret', ...secret };

let sandbox: Sandbox;
let dir: string;
let cluster: ClusterClient;
beforeEach(async () => {
  [sandbox, dir] = await Promise.all([startSandbox(), tempDir()]);
  await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
  cluster = await openCluster(
    { kind: 'file', path: join(dir, 'kubeconfig') },
    { clock: systemClock, log: silentLogger },
  );
});
afterEach(async () => {
  await cluster.close();
  await sandbox.stop();
  await removeDir(dir);
});

const write = async (data: Record<string, string>): Promise<void> => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: secret.namespace } };
  await cluster.apply(namespace, { manager: 'test' }, never);
  await cluster.create(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: secret.namespace, name: secret.name },
      data: Object.fromEntries(
        Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
      ),
    },
    { manager: 'test' },
    never,
  );
};
const dataNow = async (): Promise<Record<string, string>> => {
  const data = ((await cluster.get(ref, never))?.['data'] ?? {}) as Record<string, string>;
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]));
};

async function identity(...argv: readonly string[]): Promise<{ code: number; out: string; errors: string }> {
  let [out, errors] = ['', ''];
  const code = await runCommandLine({
    argv: ['identity', '--kubeconfig', join(dir, 'kubeconfig'), ...argv],
    environment: {},
    stdout: { write: (text: string) => ((out += text), true), isTTY: false },
    stderr: { write: (text: string) => ((errors += text), true), isTTY: false },
    signal: never,
  });
  return { code, out, errors };
}

describe('the deploy key', () => {
  it('is made once, with its public half beside it, and printed by serin identity', async () => {
    expect(await readDeployKey(cluster, secret, never)).toBeUndefined();
    const key = await readOrMakeDeployKey(cluster, secret, never);
    expect(await readOrMakeDeployKey(cluster, secret, never)).toEqual(key);
    expect(await dataNow()).toEqual({ identity: key.privateKey, 'identity.pub': `${key.publicKey}\n` });
    expect(await identity()).toEqual({ code: exitCodes.done, out: `${key.publicKey}\n`, errors: '' });
    const { publicKey, fingerprint } = key;
    expect(JSON.parse((await identity('--json')).out)).toEqual({
      publicKey,
      fingerprint,
      namespace: 'serin',
      secret: 'serin-git-deploy',
    });
  });

  it('is one where several agents start at once', async () => {
    const keys = await Promise.all([1, 2, 3].map(() => readOrMakeDeployKey(cluster, secret, never)));
    expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1);
  });

  it('is put into a Secret that has none, beside what stands there', async () => {
    await write({ known_hosts: 'x', identity: '' });
    const key = await readOrMakeDeployKey(cluster, secret, never);
    expect(await dataNow()).toMatchObject({ known_hosts: 'x', identity: key.privateKey });
  });

  it('is the one that somebody has put there', async () => {
    const { privateKey, publicKey } = await makeSshKey('own');
    await write({ identity: privateKey });
    expect((await readOrMakeDeployKey(cluster, secret, never)).publicKey).toBe(publicKey);
    expect(await dataNow()).toEqual({ identity: privateKey });
    expect((await identity()).out).toBe(`${publicKey}\n`);
  });

  it('is refused, and not written over, where nobody can read it, in words without it', async () => {
    await write({ identity: 'topsecret' });
    await expect(readOrMakeDeployKey(cluster, secret, never)).rejects.toThrow(
      /Secret serin\/serin-git-deploy: identity: /,
    );
    const { code, out, errors } = await identity();
    expect([code, out]).toEqual([exitCodes.usage, '']);
    expect(errors).not.toContain('topsecret');
    expect(await dataNow()).toEqual({ identity: 'topsecret' });
  });

  it('is in a Secret whose name can be one', () => {
    const flags = { 'git-url': 'git@host:config.git', 'git-ssh-secret': 'My_Key' };
    expect(() => checkSettings(readSettings({ flags, environment: {}, file: {} }))).toThrow(
      '--git-ssh-secret (SERIN_GIT_SSH_SECRET): "My_Key" is no name of a Secret (small letters, digits, hyphens and dots)',
    );
  });

  it('is logged once for each key, whichever it is, and is read anew for each connection', async () => {
    const lines: string[] = [];
    const log = createLogger('info', (line) => lines.push((JSON.parse(line) as { msg: string }).msg));
    const file = join(dir, 'id');
    const flags = {
      'git-url': 'git@host:config.git',
      'git-ssh-key-file': file,
      'git-known-hosts-file': join(dir, 'none'),
    };
    const { ssh } = sshAccess(readSettings({ flags, environment: {}, file: {} }), cluster, log);
    await expect(ssh?.identity()).rejects.toThrow(/--git-ssh-key-file: ENOENT/);
    const keys = [await makeSshKey('one'), await makeSshKey('two')];
    for (const key of keys) {
      await writeFile(file, key.privateKey);
      for (let connection = 0; connection < 2; connection += 1) expect(await ssh?.identity()).toBe(key.privateKey);
    }
    expect(lines.map((line) => line.replace(/ \(.*/, ''))).toEqual(
      keys.map(({ publicKey }) => `identity.pub ${publicKey}`),
    );
    // A file that is not there yet knows nobody; it is no fault.
    expect((await ssh?.knownHosts())?.trim()).toBe('');
    expect(await cluster.get(ref, never)).toBeUndefined();
  });

  it('is not asked for where Git is spoken to over HTTP', () => {
    const flags = { 'git-url': 'https://host/config.git' };
    expect(sshAccess(readSettings({ flags, environment: {}, file: {} }), cluster, silentLogger)).toEqual({});
  });

  it('is looked for where one says, and told to be missing', async () => {
    const { code, errors } = await identity('--agent-namespace', 'other', '--git-ssh-secret', 'key');
    expect(code).toBe(exitCodes.failed);
    expect(errors).toMatch(/there is no key in the Secret other\/key: the agent makes it/);
  });
});
