import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingsOf, speedOf } from '../../src/cli/sandbox/options.ts';
import { seedRepository } from '../../src/cli/sandbox/seed.ts';
import { eventually } from '../helpers/eventually.ts';
import { commitFiles, lines, removeDir, runGit, show, withTempDir } from '../helpers/temp-repo.ts';

const program = new URL('../../dist/main.js', import.meta.url).pathname;

interface Announcement {
  readonly kubeconfig: string;
  readonly gitUrl: string;
  readonly gitDir: string;
  readonly apiUrl: string;
  readonly agentUrl?: string;
  readonly ports: Record<string, number>;
  readonly pids: { readonly sandbox: number; readonly agent?: number };
}

async function firstLine(child: ChildProcess): Promise<Announcement> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  let wrong = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (wrong += chunk));
  await eventually(
    'the first line',
    () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it has ended: ${wrong}`);
      return text.includes('\n');
    },
    25_000,
  );
  return JSON.parse(text.split('\n')[0] ?? '') as Announcement;
}

async function withSandbox(
  words: readonly string[],
  run: (started: { child: ChildProcess; told: Announcement }) => Promise<void>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const child = spawn(process.execPath, [program, 'sandbox', '--json', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  });
  try {
    await run({ child, told: await firstLine(child) });
  } finally {
    // Its agent ends with it.
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
  }
}

const runs = (pid: number | undefined): boolean => {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
};
const json = async (url: string): Promise<unknown> => (await fetch(url)).json();
const filesOf = async (bare: string): Promise<string[]> =>
  lines(await runGit(['-C', bare, 'ls-tree', '-r', '--name-only', 'main']));
const aBareRepo = async (dir: string): Promise<string> => {
  const bare = join(dir, 'seeded.git');
  await runGit(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  return bare;
};

const app = `apiVersion: apps/v1
kind: Deployment
metadata: { name: podinfo, namespace: default }
spec:
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec: { containers: [{ name: podinfo, image: 'ghcr.io/acme/api:1.4.2' }] }
`;

describe('the repository of a sandbox', () => {
  it('holds what is committed in a work tree, with its history, and nothing else', () =>
    withTempDir(async (dir) => {
      const tree = join(dir, 'tree');
      await runGit(['init', '--quiet', '--initial-branch=trunk', tree]);
      await writeFile(join(tree, 'app.yaml'), app);
      const git = ['-C', tree, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
      await runGit([...git, 'add', '.']);
      await runGit([...git, 'commit', '--quiet', '-m', 'first']);
      await runGit([...git, 'commit', '--quiet', '--allow-empty', '-m', 'second']);
      await writeFile(join(tree, 'app.yaml'), 'not committed');
      await writeFile(join(tree, 'new.yaml'), 'not committed');
      const bare = await aBareRepo(dir);
      expect(await seedRepository(bare, tree)).toMatch(
        /^what is committed in .*tree \([0-9a-f]{7,}, with its history\)$/,
      );
      expect(await filesOf(bare)).toEqual(['app.yaml']);
      expect(await show(bare, 'main', 'app.yaml')).toBe(app);
      expect(lines(await runGit(['-C', bare, 'log', '--format=%s', 'main']))).toEqual(['second', 'first']);
    }));

  it('holds what is committed in a folder of a work tree, as one commit', () =>
    withTempDir(async (dir) => {
      const tree = join(dir, 'tree');
      await runGit(['init', '--quiet', tree]);
      await mkdir(join(tree, 'clusters/eu'), { recursive: true });
      await writeFile(join(tree, 'clusters/eu/app.yaml'), app);
      await writeFile(join(tree, 'README.md'), 'not below');
      await runGit(['-C', tree, 'add', '.']);
      await runGit(['-C', tree, '-c', 'user.name=Ada', '-c', 'user.email=a@b', 'commit', '--quiet', '-m', 'first']);
      await writeFile(join(tree, 'clusters/eu/new.yaml'), 'not committed');
      const bare = await aBareRepo(dir);
      expect(await seedRepository(bare, join(tree, 'clusters/eu'))).toContain('without the history');
      expect(await filesOf(bare)).toEqual(['app.yaml']);
      expect(await runGit(['-C', bare, 'rev-list', '--count', 'main'])).toBe('1\n');
    }));

  it('holds the files of any other folder as they are, links and ignored files as git add takes them', () =>
    withTempDir(async (dir) => {
      const folder = join(dir, 'plain');
      await mkdir(join(folder, 'a'), { recursive: true });
      await writeFile(join(folder, 'a/app.yaml'), app);
      await writeFile(join(folder, '.gitignore'), 'build\n');
      await writeFile(join(folder, 'build'), 'ignored');
      await symlink('a/app.yaml', join(folder, 'link.yaml'));
      const bare = await aBareRepo(dir);
      expect(await seedRepository(bare, folder)).toBe(`the files of ${folder} as they are`);
      expect(await filesOf(bare)).toEqual(['.gitignore', 'a/app.yaml', 'link.yaml']);
      expect(await runGit(['-C', bare, 'ls-tree', 'main', 'link.yaml'])).toMatch(/^120000/);
      expect(await readdir(folder)).toEqual(['.gitignore', 'a', 'build', 'link.yaml']);
    }));

  it('holds what a folder without files has, and what is in a bare repository', () =>
    withTempDir(async (dir) => {
      const source = join(dir, 'source.git');
      await runGit(['init', '--quiet', '--bare', '--initial-branch=main', source]);
      await commitFiles(source, { files: { 'app.yaml': app }, message: 'first' });
      const bare = await aBareRepo(dir);
      await seedRepository(bare, source);
      expect(await filesOf(bare)).toEqual(['app.yaml']);
      const empty = await aBareRepo(join(dir, 'second'));
      await mkdir(join(dir, 'nothing'));
      await seedRepository(empty, join(dir, 'nothing'));
      expect(await filesOf(empty)).toEqual([]);
      expect(await seedRepository(empty, undefined)).toBe('as it was left the last time');
      await expect(seedRepository(empty, source)).rejects.toThrow(/there is a repository in/);
    }));

  it.each(['/nowhere/at/all', program])('is not made of %s, which is no folder', (path) =>
    withTempDir(async (dir) => {
      await expect(seedRepository(await aBareRepo(dir), path)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`--repo: ${path}`) as string,
      });
    }),
  );
});

describe('the options of a sandbox', () => {
  it('are settings of the agent as behind `serin run`', () => {
    expect(
      settingsOf(['--mesh-provider', 'traefik', '--git-path=apps', '--suspend', '--prune', 'false'], true),
    ).toEqual({
      'mesh-provider': 'traefik',
      'git-path': 'apps',
      suspend: 'true',
      prune: 'false',
    });
  });

  it.each([
    [['--mesh-provider', 'traefik'], false, /add --agent/],
    [['--mesh-providr', 'traefik'], true, /--mesh-providr is no setting/],
    [['traefik'], true, /"traefik" is no setting/],
    [['--mesh-provider'], true, /--mesh-provider has no value/],
  ])('%j with agent: %s is refused', (words, withAgent, why) => {
    expect(() => settingsOf(words, withAgent)).toThrow(why);
  });

  it.each(['0', '', 'fast', '1000', '-3', 'NaN'])('a clock %j times as fast is refused', (text) => {
    expect(() => speedOf(text)).toThrow(/--fast is/);
  });
});

describe.concurrent('a sandbox', { timeout: 60_000 }, () => {
  it('applies a folder with its agent, and leaves nothing when it is ended', () =>
    withTempDir(async (dir) => {
      await mkdir(join(dir, 'repo'));
      await writeFile(join(dir, 'repo/app.yaml'), app);
      await withSandbox(['--agent', '--fast', '10', '--repo', join(dir, 'repo')], async ({ child, told }) => {
        const path = `${told.apiUrl}/apis/apps/v1/namespaces/default/deployments/podinfo`;
        await eventually(
          'the Deployment of the repository is ready',
          async () => ((await json(path)) as { status?: { readyReplicas?: number } }).status?.readyReplicas === 1,
          25_000,
        );
        expect((await fetch(`${told.agentUrl ?? ''}/metrics`)).status).toBe(200);
        expect(await runGit(['ls-remote', told.gitUrl, 'refs/heads/main'])).toMatch(/^[0-9a-f]{40}\t/);
        child.kill('SIGTERM');
        await once(child, 'exit');
        expect(child.exitCode).toBe(0);
        expect(runs(told.pids.agent)).toBe(false);
        expect(existsSync(dirname(told.kubeconfig))).toBe(false);
      });
    }));

  it('ends with the process that started it, even when that was killed', async () => {
    const script = `require('node:child_process').spawn(process.execPath, ${JSON.stringify([program, 'sandbox', '--json', '--agent'])}, { stdio: ['ignore', 'inherit', 'inherit'] })`;
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const told = await firstLine(parent);
    expect([runs(told.pids.sandbox), runs(told.pids.agent)]).toEqual([true, true]);
    parent.kill('SIGKILL');
    await eventually('both have ended', () => !runs(told.pids.sandbox) && !runs(told.pids.agent), 20_000);
    expect(existsSync(dirname(told.kubeconfig))).toBe(false);
  });

  it('that is killed itself takes its agent along; one that is killed alone is started again', () =>
    withSandbox(['--agent'], async ({ child, told }) => {
      process.kill(told.pids.agent ?? 0, 'SIGKILL');
      await eventually('it is gone', () => !runs(told.pids.agent));
      await eventually(
        'another one answers on the same port',
        () =>
          fetch(`${told.agentUrl ?? ''}/healthz`).then(
            ({ ok }) => ok,
            () => false,
          ),
        20_000,
      );
      child.kill('SIGKILL');
      await eventually(
        'nobody answers',
        () =>
          fetch(`${told.agentUrl ?? ''}/healthz`).then(
            () => false,
            () => true,
          ),
        20_000,
      );
      // Nobody else can, when it is killed.
      await removeDir(dirname(told.kubeconfig));
    }));

  it('leaves no agent that was still starting when the sandbox ended', () =>
    withTempDir(async (dir) => {
      const cluster = { server: 'http://127.0.0.1:9' };
      const config = {
        clusters: [{ name: 'gone', cluster }],
        users: [{ name: 'nobody', user: {} }],
        contexts: [{ name: 'gone', context: { cluster: 'gone', user: 'nobody' } }],
        'current-context': 'gone',
      };
      const kubeconfig = join(dir, 'kubeconfig');
      await writeFile(kubeconfig, JSON.stringify(config));
      const settings = {
        kubeconfig,
        'git-url': 'http://127.0.0.1:9/config.git',
        'git-dir': join(dir, 'git'),
        port: '0',
      };
      const order = JSON.stringify({ settings, speed: 1, startMs: Date.now() });
      const agent = fork(program.replace('main.js', 'cli/sandbox/agent-main.js'), [order], {
        stdio: 'ignore',
        execArgv: [],
      });
      agent.disconnect();
      try {
        await eventually('it has ended', () => agent.exitCode !== null, 20_000);
      } finally {
        agent.kill('SIGKILL');
      }
    }));

  it('needs no other program than git, and says so only where git itself is missing', () =>
    withTempDir(async (dir) => {
      const bin = join(dir, 'bin');
      await mkdir(bin);
      const environment = { PATH: bin, HOME: dir };
      await expect(withSandbox([], async () => undefined, environment)).rejects.toThrow(
        'git is not there, which serves the repository: install it',
      );
      const [git] = (process.env['PATH'] ?? '')
        .split(':')
        .map((folder) => join(folder, 'git'))
        .filter(existsSync);
      await symlink(git ?? '', join(bin, 'git'));
      await withSandbox(
        [],
        async ({ told }) => {
          expect(await runGit(['ls-remote', told.gitUrl, 'refs/heads/main'])).toMatch(/^[0-9a-f]{40}\t/);
        },
        environment,
      );
    }));

  it('keeps its files where it is told to, with what was pushed', () =>
    withTempDir(async (dir) => {
      const kept = join(dir, 'kept');
      let commit = '';
      await withSandbox(['--dir', kept], async ({ told }) => {
        expect(told.kubeconfig).toBe(join(kept, 'kubeconfig'));
        commit = await commitFiles(told.gitDir, { files: { 'app.yaml': app }, message: 'by hand' });
      });
      await withSandbox(['--dir', kept], async ({ told }) => {
        expect(await runGit(['ls-remote', told.gitUrl, 'refs/heads/main'])).toContain(commit);
      });
    }));

  it.each([
    [['--fast', '0'], /--fast is 0/],
    [['--repo', '/nowhere'], /--repo: \/nowhere cannot be read/],
    [['--dir', '/dev/null/x'], /\/dev\/null\/x cannot be written to/],
    [['--agent', '--', '--min-interval', 'soon'], /--min-interval .*"soon" is no duration/],
  ])('%j ends at once with exit code 2', async (words, why) => {
    const child = spawn(process.execPath, [program, 'sandbox', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(child, 'close');
    expect(text).toMatch(why);
    expect(lines(text)).toHaveLength(1);
    expect(child.exitCode).toBe(2);
  });
});
