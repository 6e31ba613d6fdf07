import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodes, readSettingsFile, runCommandLine } from '../../src/cli/command-line.ts';
import { environmentName, readSettings, type Setting, settings } from '../../src/config/settings.ts';
import type { AgentError } from '../../src/lib/errors.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

async function serin(argv: readonly string[], environment: Record<string, string> = {}) {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const code = await runCommandLine({
    argv,
    environment,
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => stderr.push(text) },
    signal: new AbortController().signal,
  });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

describe('help', () => {
  it('of run names every setting with its flag, environment variable, meaning and default', async () => {
    const { code, stdout } = await serin(['run', '--help']);
    expect(code).toBe(exitCodes.done);
    for (const entry of settings as readonly Setting[]) {
      expect(stdout).toMatch(new RegExp(`^ +--${entry.name} `, 'm'));
      expect(stdout).toContain(`environment: ${environmentName(entry.name)}\n`.trim());
      expect(stdout).toContain(entry.help);
      if (entry.default !== '') expect(stdout).toContain(`${entry.help} (default ${entry.default})`);
      for (const choice of entry.choices ?? []) expect(stdout).toContain(choice);
    }
    expect(stdout).toContain('--config <file>');
  });

  it('names the commands', async () => {
    const { code, stdout } = await serin(['--help']);
    expect(code).toBe(exitCodes.done);
    for (const command of ['run', 'validate', 'gate', 'demo', 'sandbox', 'bench'])
      expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
  });

  it('and version are no errors', async () => {
    const { code, stdout } = await serin(['--version']);
    expect(code).toBe(exitCodes.done);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the command line', () => {
  it.each([
    ['an unknown command', ['frobnicate'], /unknown command/],
    ['an unknown setting', ['run', '--git-urll', 'x'], /unknown option.*git-urll/],
    ['a flag without its value', ['run', '--git-branch'], /git-branch/],
    ['no repository', ['run'], /--git-url \(SERIN_GIT_URL\) is missing/],
    [
      'a wrong value',
      ['run', '--git-url', 'http://x', '--git-poll-interval', 'soon'],
      /--git-poll-interval .*"soon" is no duration/,
    ],
    ['a settings file that is not there', ['run', '--config', '/nowhere.yaml'], /\/nowhere\.yaml/],
    ['half a canary for the benchmark', ['bench', '--cluster', '--canaries', '7.5'], /canaries/],
  ])('calls %s wrong usage, on standard error', async (_, argv, message) => {
    const { code, stdout, stderr } = await serin(argv);
    expect(stderr).toMatch(message);
    expect(code).toBe(exitCodes.usage);
    expect(stdout).toBe('');
  });

  it.each((settings as readonly Setting[]).filter(({ kind }) => ['flag', 'choice', 'duration', 'port'].includes(kind)))(
    'reads --$name, and nothing else from it',
    async ({ name }) => {
      const { code, stderr } = await serin(['run', `--${name}`, 'wrong']);
      expect(code).toBe(exitCodes.usage);
      expect(stderr.trim().split('\n')).toEqual([
        expect.stringContaining(`--${name} (${environmentName(name)}): "wrong"`),
      ]);
    },
  );

  it.each((settings as readonly Setting[]).filter(({ kind }) => kind === 'flag'))(
    'takes --$name alone for true, and over the environment',
    async ({ name }) => {
      const { stderr } = await serin(['run', `--${name}`], { [environmentName(name)]: 'wrong' });
      expect(stderr).toMatch(/^serin: --git-url .*is missing/);
    },
  );

  it('tells all wrong settings at once', async () => {
    const { stderr } = await serin(['run', '--git-url', 'http://x', '--prune', 'maybe'], { SERIN_LOG_LEVEL: 'loud' });
    expect(stderr).toMatch(/--prune .*"maybe" is neither true nor false/);
    expect(stderr).toMatch(/--log-level \(SERIN_LOG_LEVEL\): "loud" is none of debug, info, warn, error/);
  });
});

describe('a settings file', () => {
  const read = (text: string): Promise<Record<string, string>> =>
    withTempDir(async (dir) => {
      const path = join(dir, 'serin.yaml');
      await writeFile(path, text);
      return readSettingsFile(path);
    });

  it('is flat YAML with the names of the flags; lists may be lists', async () => {
    const file = await read('git-url: http://x/y\nprune: false\nport: 9090\nselector-labels: [app, name]\n');
    expect(file).toEqual({ 'git-url': 'http://x/y', prune: 'false', port: '9090', 'selector-labels': 'app,name' });
    expect(readSettings({ flags: {}, environment: {}, file })['selector-labels']).toBe('app,name');
  });

  it('may be empty', async () => {
    expect(await read('')).toEqual({});
    expect(await read('git-path:\n')).toEqual({ 'git-path': '' });
  });

  it.each([['- a\n'], ['just text\n'], ['a: [1\n']])('that is %j is a clear error', async (text) => {
    const error = (await read(text).catch((reason: unknown) => reason)) as AgentError;
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('serin.yaml: ');
  });
});
