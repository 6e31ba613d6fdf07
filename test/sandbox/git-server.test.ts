import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGitServer } from '../../src/sandbox/git-server.ts';
import { fsck, revParse, runGit, subjects, withTempDir } from '../helpers/temp-repo.ts';

const asSomebody = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'http.postBuffer=65536'];

describe('the Git server', () => {
  it('serves an ordinary git: clone, large pushes in chunks, tags, fetch', () =>
    withTempDir(async (dir) => {
      const server = await startGitServer({ root: join(dir, 'server'), auth: { username: 'ada', password: 'x' } });
      const path = await server.createRepo('demo', { files: { 'a/b.yaml': 'x\n', empty: '' } });
      const url = server.repoUrl('demo').replace('http://', 'http://ada:x@');
      const [one, two] = [join(dir, 'one'), join(dir, 'two')];
      await runGit(['clone', '--quiet', url, one]);
      await runGit(['clone', '--quiet', '--depth=1', url, two]);
      const blob = await runGit(
        ['-C', one, 'hash-object', '-w', '--stdin'],
        Buffer.from(Uint8Array.from({ length: 400_000 }, (_, n) => (n * n * 31 + (n >> 3)) & 255)),
      );
      await runGit(['-C', one, 'update-index', '--add', '--cacheinfo', `100644,${blob.trim()},big.bin`]);
      await runGit(['-C', one, ...asSomebody, 'commit', '--quiet', '-m', 'big']);
      await runGit(['-C', one, ...asSomebody, 'tag', '-a', '-m', 'tagged', 'v1']);
      await runGit(['-C', one, ...asSomebody, 'push', '--quiet', '--follow-tags']);
      await runGit(['-C', two, 'fetch', '--quiet']);
      expect(await revParse(two, 'origin/main')).toBe(await revParse(path, 'main'));
      expect(await subjects(path)).toEqual(['big', 'initial commit']);
      await fsck(path);
      await expect(runGit(['ls-remote', server.repoUrl('demo')])).rejects.toThrow(/Username|Authentication/);
      await server.stop();
    }));

  it('refuses pushes when it is read-only', () =>
    withTempDir(async (dir) => {
      const server = await startGitServer({ root: join(dir, 'server'), readOnly: true });
      await server.createRepo('demo', { files: { a: 'x\n' } });
      const clone = join(dir, 'clone');
      await runGit(['clone', '--quiet', server.repoUrl('demo'), clone]);
      await runGit(['-C', clone, ...asSomebody, 'commit', '--quiet', '--allow-empty', '-m', 'x']);
      await expect(runGit(['-C', clone, 'push', '--quiet'])).rejects.toThrow('403');
      await server.stop();
    }));

  it('comes back on the same port after it was down', () =>
    withTempDir(async (dir) => {
      const server = await startGitServer({ root: dir });
      await server.createRepo('demo', { files: { a: 'x\n' } });
      await server.faults.down();
      await expect(runGit(['ls-remote', server.repoUrl('demo')])).rejects.toThrow(/connect|refused/i);
      await server.faults.up();
      expect(await runGit(['ls-remote', server.repoUrl('demo')])).toContain('refs/heads/main');
      await server.stop();
    }));
});
