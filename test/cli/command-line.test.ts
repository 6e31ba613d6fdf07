import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/context.ts';
import { readSettingsFile } from '../../src/cli/settings-file.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
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

describe('starting', () => {
  const good = { 'git-url': 'http://127.0.0.1:1/x.git' };
  const start = (flags: Record<string, string>, environment: Record<string, string> = {}) =>
    serin(['run', ...Object.entries({ ...good, ...flags }).map(([name, value]) => `--${name}=${value}`)], environment);

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'no scheme in the metrics server',
      { 'metrics-server': 'prometheus:9090' },
      /--metrics-server .*write it like http:/,
    ],
    ['no host in the metrics server', { 'metrics-server': 'http://' }, /--metrics-server .*is no URL/],
    ['an unknown provider', { 'mesh-provider': 'trafik' }, /--mesh-provider .*did you mean "traefik"\?/],
    ['a provider like none', { 'mesh-provider': 'haproxy' }, /--mesh-provider .*unknown provider .*supported are /],
    ['no provider', { 'mesh-provider': '' }, /--mesh-provider /],
    ['a password for SSH', { 'git-url': 'ssh://git:topsecret@host/x.git' }, /--git-url .*SSH takes no password/],
    ['no repository for SSH', { 'git-url': 'git@github.com:' }, /--git-url .*names no repository/],
    ['a host key that is none', { 'git-known-hosts': 'github.com' }, /--git-known-hosts .*holds no line such as/],
    ['a Git URL that is a path', { 'git-url': '/srv/config.git' }, /--git-url .*not a URL/],
    ['a Git URL of another kind', { 'git-url': 'file:///srv/config.git' }, /--git-url .*must begin with https/],
    ['a branch that can be none', { 'git-branch': 'a b' }, /--git-branch .*"a b" can be no branch/],
    ['tags that can be none', { 'tag-prefix': 'releases~' }, /--tag-prefix .*"releases~" can be no prefix/],
    ['a namespace that can be none', { namespace: 'My_Team' }, /--namespace .*"My_Team" is no name of a namespace/],
    [
      'an event webhook without scheme',
      { 'event-webhook': 'hooks/secret' },
      /--event-webhook .*no http or https URL$/m,
    ],
    ['a proxy without scheme', { 'http-proxy': 'proxy:3128' }, /--http-proxy .*no http or https URL/],
    ['a CA file that is a folder', { 'git-ca-file': '/tmp' }, /--git-ca-file .*\/tmp cannot be used: EISDIR/],
    ['a data folder below a file', { 'git-dir': '/dev/null/x' }, /--git-dir .*\/dev\/null\/x cannot be written to/],
    [
      'a data folder that cannot be made',
      { 'git-dir': '/proc/serin' },
      /--git-dir .*\/proc\/serin cannot be written to/,
    ],
    ['no kubeconfig', {}, /no cluster: .*name a kubeconfig with --kubeconfig/],
    ['a kubeconfig that is not there', { kubeconfig: '/nowhere' }, /\/nowhere cannot be read/],
    ['a kubeconfig that is a folder', { kubeconfig: '/tmp' }, /\/tmp cannot be read/],
  ])('with %s ends at once with exit code 2 and one line', async (_, flags, why) => {
    const { code, stderr } = await start(flags);
    expect(stderr).toMatch(why);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).not.toContain('secret');
  });

  it('with an unknown context says which there are', () =>
    withTempDir(async (dir) => {
      const kubeconfig = join(dir, 'kubeconfig');
      await writeFile(
        kubeconfig,
        'contexts: [{name: east, context: {cluster: a, user: a}}, {name: west, context: {cluster: gone, user: a}}]\n' +
          'clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]\nusers: [{name: a, user: {}}]\n',
      );
      for (const [flags, environment] of [
        [{ kubeconfig, context: 'north' }, {}],
        [{ context: 'north' }, { KUBECONFIG: kubeconfig }],
      ] as const) {
        const { code, stderr } = await start(flags, environment);
        expect(stderr).toBe(`serin: --context north: there is no such context in ${kubeconfig}; it has east, west\n`);
        expect(code).toBe(exitCodes.usage);
      }
      expect((await start({ kubeconfig })).stderr).toContain('names no current cluster; name a context with --context');
      expect((await start({ kubeconfig, context: 'west' })).stderr).toContain('not the cluster that it names');
    }));

  it('with a variable that is no setting says so, but not of those that Kubernetes sets', async () => {
    const links = {
      SERIN_SERVICE_HOST: '10.0.0.1',
      SERIN_PORT_8080_TCP_ADDR: '10.0.0.1',
      SERIN_GIT_SERVICE_PORT_HTTP: '80',
    };
    const { code, stderr } = await start({}, { SERIN_METRIC_SERVER: 'http://prometheus', ...links });
    expect(stderr).toBe(
      'serin: SERIN_METRIC_SERVER is set, which is no setting; did you mean SERIN_METRICS_SERVER? run "serin run --help"\n',
    );
    expect(code).toBe(exitCodes.usage);
    expect((await start({}, links)).stderr).toMatch(/^serin: no cluster/);
  });

  it('on a port that is taken ends before the agent does anything', () =>
    withTempDir(async (dir) => {
      const asked: string[] = [];
      const server = createServer((request, response) => {
        asked.push(request.url ?? '');
        response.end('{}');
      });
      await new Promise<void>((resolve) => server.listen(0, resolve));
      const port = String((server.address() as AddressInfo).port);
      const kubeconfig = join(dir, 'kubeconfig');
      await writeFile(
        kubeconfig,
        'current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n' +
          `clusters: [{name: a, cluster: {server: "http://127.0.0.1:${port}"}}]\nusers: [{name: a, user: {}}]\n`,
      );
      const { code, stderr } = await start({ kubeconfig, port, 'log-level': 'error' });
      server.close();
      expect(stderr).toMatch(new RegExp(`^serin: --port: cannot listen on port ${port}: .*EADDRINUSE`));
      expect(code).toBe(exitCodes.usage);
      expect(asked).toEqual([]);
    }));
});

describe('a settings file', () => {
  const read = (text: string): Promise<Record<string, string>> =>
    withTempDir(async (dir) => {
      const path = join(dir, 'serin.yaml');
      await writeFile(path, text);
      return (await readSettingsFile(path)).values;
    });

  it('is flat YAML with the names of the flags; lists may be lists', async () => {
    const file = await read('git-url: http://x/y\nprune: false\nport: 9090\nselector-labels: [app, name]\n');
    expect(file).toEqual({ 'git-url': 'http://x/y', prune: 'false', port: '9090', 'selector-labels': 'app,name' });
    expect(readSettings({ flags: {}, environment: {}, file })['selector-labels']).toEqual(['app', 'name']);
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
