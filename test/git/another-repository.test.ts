import { rename } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { aPush, fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, revParse, runGit, subjects } from '../helpers/temp-repo.ts';

const orphan = async (path: string, files: Record<string, string>): Promise<void> => {
  await commitFiles(path, { files, message: 'begun anew', branch: 'anew' });
  await runGit(['-C', path, 'update-ref', 'refs/heads/main', 'refs/heads/anew']);
};

describe('a repository that was renamed, and another one has its name', () => {
  it('is told and not written to, until the right one is there again', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const known = await fetchTip(repo);
      await rename(path, `${path}.renamed`);
      const other = await server.createRepo('config', {
        files: { 'README.md': 'of another team\n', 'x.yaml': 'x: 1\n' },
      });
      for (const message of ['first', 'second']) {
        const tip = await repo.poll(never);
        if (!tip) return;
        await expect(repo.fetch(tip, never)).rejects.toThrow(
          /as if another repository had taken the name; nothing of it is applied/,
        );
        await expect(repo.fetch(tip, never)).rejects.toThrow(/name the right one with --git-url, or restart the agent/);
        await expect(repo.push(aPush(tip), never)).rejects.toThrow(/another repository/);
        await commitFiles(other, { files: { 'x.yaml': message }, message });
      }
      expect(await subjects(other)).toEqual(['second', 'first', 'initial commit']);
      expect(text(await repo.file(known, 'README.md'))).toBe('hello\n');
      await rename(other, `${other}.gone`);
      await rename(`${path}.renamed`, path);
      const tip = await fetchTip(repo);
      expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
      // Who restarts it has looked.
      await repo.close();
      await rename(path, `${path}.renamed`);
      await rename(`${other}.gone`, other);
      const again = await open('another');
      expect(text(await again.file(await fetchTip(again), 'README.md'))).toBe('of another team\n');
    }));

  it('is not written to either where the server names its tip in the middle of a push', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const known = await fetchTip(repo);
      await rename(path, `${path}.renamed`);
      const other = await server.createRepo('config', { files: { 'README.md': 'of another team\n' } });
      const raced = await repo.push(aPush(known, { tags: [] }), never);
      const tip = asRevision(await revParse(other, 'main'));
      expect(raced).toMatchObject({ kind: 'raced', tip });
      await expect(repo.fetch(tip, never)).rejects.toThrow(/as if another repository had taken the name/);
      await expect(repo.push(aPush(tip, { tags: [] }), never)).rejects.toThrow(/another repository/);
      expect(await subjects(other)).toEqual(['initial commit']);
    }));
});

describe('the same repository', () => {
  it.each<readonly [string, (path: string) => Promise<unknown>]>([
    [
      'whose history was begun anew with the same files',
      (path) => orphan(path, { 'README.md': 'hello\n', 'apps/a.yaml': 'a: 1\n' }),
    ],
    [
      'whose last commits were taken away',
      (path) => runGit(['-C', path, 'update-ref', 'refs/heads/main', 'refs/heads/main~2']),
    ],
    [
      'whose last commits were replaced by one that removes nearly all',
      async (path) => {
        await runGit(['-C', path, 'update-ref', 'refs/heads/main', 'refs/heads/main~2']);
        await commitFiles(path, {
          files: { 'README.md': 'new\n', 'apps/a.yaml': null, 'apps/b.yaml': 'b: 1\n' },
          message: 'other',
        });
      },
    ],
    [
      'that has gone on with other files',
      (path) => commitFiles(path, { files: { 'README.md': null, 'apps/a.yaml': null, c: '1' }, message: 'x' }),
    ],
  ])('%s is followed', (_, change) =>
    withGit(async ({ path, open }) => {
      await commitFiles(path, { files: { f: '1' }, message: 'second' });
      await commitFiles(path, { files: { f: '2' }, message: 'third' });
      const repo = await open();
      await fetchTip(repo);
      await change(path);
      expect(await fetchTip(repo)).toBe(await revParse(path, 'main'));
    }),
  );
});
