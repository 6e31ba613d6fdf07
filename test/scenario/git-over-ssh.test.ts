import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { startSshDouble } from '../helpers/ssh-double.ts';
import { sshdPath, startSshd } from '../helpers/sshd.ts';
import { withTempDir } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { onStage, patient } from './stage.ts';

/** Lets nobody in at first, as a host does before somebody has given it a deploy key. */
async function aGitHost(dir: string): Promise<{
  readonly knownHosts: string;
  repoUrl(path: string): string;
  addDeployKey(publicKey: string): Promise<void>;
  stop(): Promise<void>;
}> {
  if (sshdPath !== undefined) {
    const sshd = await startSshd({ dir, authorized: [] });
    return { ...sshd, addDeployKey: (key) => appendFile(join(dir, 'authorized_keys'), `${key}\n`) };
  }
  const authorized: string[] = [];
  const double = await startSshDouble({ authorized });
  return { ...double, addDeployKey: async (key) => void authorized.push(key) };
}

it('makes a key of its own, says which, and releases over SSH as soon as somebody has let it write', patient, () =>
  withTempDir(async (dir) => {
    const host = await aGitHost(dir);
    const flags = {
      'git-url': '',
      'git-known-hosts': host.knownHosts,
      'git-poll-interval': '4s',
      'agent-namespace': 'serin',
    };
    try {
      const options = { files: appFiles({ interval: '5s', threshold: 3 }), hosts: [hostOf()], flags, started: false };
      await onStage(options, async (stage) => {
        flags['git-url'] = host.repoUrl(stage.repoPath);
        await stage.start();
        const { msg } = await stage.said(/^identity\.pub ssh-ed25519 /);
        await stage.until('it says what keeps it from Git', () =>
          /does not let .* in with the key/.test(stage.agent.notReady().join()),
        );

        const kubeconfig = join(dir, 'kubeconfig');
        await writeFile(kubeconfig, stage.sandbox.kubeconfig);
        const printed = await serin(['identity', '--kubeconfig', kubeconfig]);
        expect(msg).toContain(printed.trim());
        const { publicKey, secret } = JSON.parse(await serin(['identity', '--json', '--kubeconfig', kubeconfig])) as {
          publicKey: string;
          secret: string;
        };
        expect([publicKey, secret]).toEqual([printed.trim(), 'serin-git-deploy']);
        await host.addDeployKey(publicKey);

        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        const promoted = await outcome(stage, 1);
        expect(promoted.subject).toBe('promote test/podinfo 3.1.1');
        await stage.until('the promotion is over', () => canary(stage).phase === 'Succeeded');

        // A new agent has the same key.
        await stage.agent.stop();
        await stage.start({ freshMirror: true });
        await stage.until('the new agent has synced', () => stage.agent.notReady().length === 0);
        const said = stage.log.filter((line) => line.msg.startsWith('identity.pub'));
        expect(said.map((line) => line.msg)).toEqual([msg, msg]);
        const kept = stage.sandbox.store.list('v1', 'Secret').find(({ metadata }) => metadata.name === secret);
        const data = kept?.['data'] as { identity: string };
        const lines = Buffer.from(data.identity, 'base64').toString('utf8').split('\n');
        expect(lines[0]).toBe('-----BEGIN OPENSSH PRIVATE KEY-----');
        const everything = JSON.stringify([stage.log, stage.happened]);
        for (const line of lines.filter((text) => text.length > 30 && !text.startsWith('-----')).slice(1))
          expect(everything).not.toContain(line);
      });
    } finally {
      await host.stop();
    }
  }),
);

async function serin(argv: readonly string[]): Promise<string> {
  let [out, wrong] = ['', ''];
  const code = await runCommandLine({
    argv,
    environment: {},
    stdout: { write: (text: string) => ((out += text), true), isTTY: false },
    stderr: { write: (text: string) => ((wrong += text), true), isTTY: false },
    signal: new AbortController().signal,
  });
  expect([code, wrong]).toEqual([0, '']);
  return out;
}
