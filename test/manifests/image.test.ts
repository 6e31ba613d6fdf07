import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withTempDir } from '../helpers/temp-repo.ts';

const root = join(import.meta.dirname, '../..');
const lines = (path: string): string[] =>
  readFileSync(join(root, path), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Whether a path is sent to the builder: the last pattern that names it or a folder above it decides. */
function isSent(path: string): boolean {
  const names = (pattern: string): boolean =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}(/|$)`).test(path);
  const decisive = lines('.dockerignore').findLast((line) => names(line.replace(/^!/, '')));
  return decisive === undefined || decisive.startsWith('!');
}

/** What the last stage copies: from where in the project, to where in the image's folder. */
const copied = lines('Dockerfile')
  .slice(lines('Dockerfile').findLastIndex((line) => line.startsWith('FROM ')))
  // Programs that are built in the image stand in none of the project's folders.
  .filter((line) => line.startsWith('COPY ') && !line.startsWith('COPY --from=tools '))
  .flatMap((line) => {
    const words = line.split(/\s+/).slice(1);
    const isBuilt = words[0]?.startsWith('--from=') === true;
    const [target = '', ...sources] = words.filter((word) => !word.startsWith('--')).reverse();
    return sources.map((source) => {
      const from = source.replace(/^\/app\//, '');
      return { from, to: target === './' ? basename(from) : target.replace(/^\.\//, ''), isBuilt };
    });
  });

describe('the image', () => {
  it('starts, in each stage, from the base that the builder names', () => {
    const all = lines('Dockerfile');
    expect(all.filter((line) => line.startsWith('ARG '))).toEqual([
      'ARG NODE_IMAGE=node:24-bookworm-slim',
      'ARG GO_IMAGE=golang:1.26-bookworm',
    ]);
    // The command that its head gives pins each of them.
    const head = readFileSync(join(root, 'Dockerfile'), 'utf8').split('\nARG ')[0] ?? '';
    const pinned = [...head.matchAll(/--build-arg (\w+=\S+)@\$\(digest_of (\S+)\)/g)].map(
      ([, arg = '', image = '']) => {
        expect(arg.endsWith(`=${image}`)).toBe(true);
        return `ARG ${arg}`;
      },
    );
    expect(pinned).toEqual(all.filter((line) => line.startsWith('ARG ')));
    const bases = all.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
    expect(bases).toEqual(['${GO_IMAGE}', '${NODE_IMAGE}', '${NODE_IMAGE}']);
  });

  it('has the helm that the tests are run with', () => {
    const version = /version: '(v3\.\d+\.\d+)'/.exec(lines('test/helpers/install-tools.mjs').join('\n'))?.[1] ?? 'none';
    expect(lines('Dockerfile').join('\n')).toContain(`helm.sh/helm/v3/cmd/helm@${version}`);
  });

  it('has the kustomize that the tests are run with', () => {
    const version = /version: '(v5\.\d+\.\d+)'/.exec(lines('test/helpers/install-tools.mjs').join('\n'))?.[1] ?? 'none';
    expect(lines('Dockerfile').join('\n')).toContain(`sigs.k8s.io/kustomize/kustomize/v5@${version}`);
  });

  it('copies only what the builder is sent', () => {
    expect(copied.map(({ from }) => from)).toContain('fixtures/demo');
    expect(copied.filter(({ from, isBuilt }) => !isBuilt && !isSent(from))).toEqual([]);
  });

  it('has all files of the demo and the sandbox, which start in it without a home', () =>
    withTempDir(async (dir) => {
      const app = join(dir, 'app');
      mkdirSync(join(dir, 'tmp'));
      for (const { from, to } of copied) {
        mkdirSync(dirname(join(app, to)), { recursive: true });
        if (from === 'node_modules') symlinkSync(join(root, from), join(app, to));
        else cpSync(join(root, from), join(app, to), { recursive: true });
      }
      expect(readdirSync(join(app, 'fixtures/demo'))).toEqual(readdirSync(join(root, 'fixtures/demo')));
      const child = spawn(process.execPath, [join(app, 'dist/main.js'), 'sandbox', '--json'], {
        env: { PATH: process.env['PATH'], TMPDIR: join(dir, 'tmp') },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        child.kill('SIGTERM');
      });
      let wrong = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (wrong += chunk));
      await once(child, 'close');
      expect(wrong).toBe('');
      expect(JSON.parse(text)).toHaveProperty('kubeconfig');
      expect(child.exitCode).toBe(0);
      expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
    }));
});

it('every package that may be installed, for whatever machine, is known by its content', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly integrity?: string; readonly optionalDependencies?: object }>>;
  };
  const all = Object.entries(packages).filter(([path]) => path !== '');
  expect(all.length).toBeGreaterThan(100);
  const unknown = all.filter(([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity));
  expect(unknown.map(([path]) => path)).toEqual([]);
  const named = all.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
  expect(named.filter((name) => !all.some(([path]) => path.endsWith(`node_modules/${name}`)))).toEqual([]);
});
