import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { agentSettings } from '../../src/cli/agent-settings.ts';
import { readableTokens } from '../../src/cli/commands/run.ts';
import { withTempDir } from '../helpers/temp-repo.ts';
import { readSettings } from '../../src/config/settings.ts';

const folders = (flags: Record<string, string>): [string, string] => {
  const { path, ledgerDir } = agentSettings(readSettings({ flags, environment: {}, file: {} }));
  return [path, ledgerDir];
};

it('folders of the repository are taken however people write them', () => {
  expect(folders({})).toEqual(['', '.releases']);
  expect(folders({ 'git-path': './' })).toEqual(['', '.releases']);
  expect(folders({ 'git-path': '/clusters//eu/', 'ledger-dir': './meta/ledgers/' })).toEqual([
    'clusters/eu',
    'meta/ledgers',
  ]);
});

it.each([
  [{ 'git-url': 'http://git.example.com/x.git', 'git-password-file': '/token' }, 1],
  [{ 'git-url': 'http://me:topsecret@git.example.com/x.git' }, 1],
  [{ 'git-url': 'http://topsecret@git.example.com/x.git' }, 1],
  [{ 'git-url': 'http://git.example.com/x.git' }, 0],
  [{ 'git-url': 'https://me:topsecret@git.example.com/x.git' }, 0],
  [{ 'git-url': 'http://127.0.0.1/x.git', 'git-password-file': '/token' }, 0],
  [{ 'git-url': 'https://git/x', 'slack-url': 'http://slack.internal/topsecret', 'slack-token': 'topsecret' }, 1],
  [{ 'git-url': 'https://git/x', 'slack-url': 'https://slack.com/topsecret', 'slack-token': 'topsecret' }, 0],
])('a token that can be read on its way is warned of, and not told: %j', (flags, count) => {
  const warnings = readableTokens(readSettings({ flags, environment: {}, file: {} }));
  expect(warnings).toHaveLength(count);
  expect(warnings.join('')).not.toContain('topsecret');
});

it('a folder outside of the repository is refused', () => {
  expect(() => folders({ 'git-path': '../other' })).toThrow('--git-path is ../other');
  expect(() => folders({ 'ledger-dir': 'a/../../b' })).toThrow('--ledger-dir');
});

it('an agent that has never reached its cluster ends when it is told to', () =>
  withTempDir(async (dir) => {
    const kubeconfig = join(dir, 'kubeconfig');
    await writeFile(
      kubeconfig,
      'current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n' +
        'clusters: [{name: a, cluster: {server: "http://127.0.0.1:9"}}]\nusers: [{name: a, user: {}}]\n',
    );
    const program = new URL('../../dist/main.js', import.meta.url).pathname;
    const flags = ['--git-url', 'http://127.0.0.1:9/x.git', '--kubeconfig', kubeconfig, '--port', '0'];
    const child = spawn(process.execPath, [program, 'run', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (!log.includes('Starting HTTP server') && `${log}${text}`.includes('Starting HTTP server'))
        child.kill('SIGTERM');
      log += text;
    });
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await once(child, 'exit');
    clearTimeout(late);
    expect(log).toContain('Shutting down');
    expect([child.exitCode, child.signalCode]).toEqual([0, null]);
  }));
