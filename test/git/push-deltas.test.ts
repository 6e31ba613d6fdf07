import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommitDraft } from '../../src/git/repo.ts';
import { aCommit, fetchTip, type GitFixture, never, signature, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, fsck, lines, revParse, runGit } from '../helpers/temp-repo.ts';

const name = (at: number): string => `ledgers/test/app-${at}.yaml`;
const files = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [name(at), `release: 0 of ${at}\n`]));
const commits = (count: number, of: (at: number) => number = (at) => at): CommitDraft[] =>
  Array.from({ length: count }, (_, at) => aCommit({ [name(of(at))]: `release: ${at % 3}\n` }, `release ${at}`));

/** What native git finds that each of the newest commits changed, oldest first. */
async function changes(path: string, count: number): Promise<string[]> {
  const log = await runGit([
    '-C',
    path,
    'log',
    '--reverse',
    `--max-count=${count}`,
    '--format=:%s',
    '--name-only',
    'main',
  ]);
  return log
    .split(':')
    .slice(1)
    .map((part) => lines(part).join(' '));
}

async function begin({
  path,
  open,
}: GitFixture): Promise<{ repo: Awaited<ReturnType<GitFixture['open']>>; mirror: string }> {
  await commitFiles(path, { files: files(300), message: 'many' });
  return { repo: await open(), mirror: 'mirror/mirror.git' };
}

describe('many commits to one long folder in one push', () => {
  it.each([1, 100_000])(
    'are whole and sound on a real server (unpackLimit %i), in a fresh clone and in the mirror',
    (limit) =>
      withGit(async (fixture) => {
        const { root, server, path } = fixture;
        await runGit(['-C', path, 'config', 'receive.unpackLimit', String(limit)]);
        await runGit(['-C', path, 'config', 'receive.fsckObjects', 'true']);
        const { repo, mirror } = await begin(fixture);
        const expected = await fetchTip(repo);
        server.takeRequests();
        const tags = [1, 2].map((at) => ({
          name: `r/${at}`,
          target: expected,
          message: `tag ${at}`,
          tagger: signature,
        }));
        const result = await repo.push({ expected, commits: commits(120), tags }, never);
        expect(result.kind).toBe('landed');
        const sent = server
          .takeRequests()
          .find(({ method, path: to }) => method === 'POST' && to.endsWith('receive-pack'));
        // A whole folder each would be more than a megabyte.
        expect(sent?.bytesIn).toBeLessThan(100_000);
        await fsck(path);
        await fsck(join(root, mirror));
        const clone = join(root, 'clone.git');
        await runGit(['clone', '--quiet', '--bare', server.repoUrl('config'), clone]);
        await fsck(clone);
        expect(await changes(clone, 120)).toEqual(Array.from({ length: 120 }, (_, at) => `release ${at} ${name(at)}`));
        expect(await runGit(['-C', clone, 'ls-tree', '-r', 'main'])).toBe(
          await runGit(['-C', path, 'ls-tree', '-r', 'main']),
        );
        if (result.kind !== 'landed') return;
        for (const at of [0, 37, 68, 119]) {
          const revision = result.commits[at];
          if (revision === undefined) throw new Error('a commit is missing');
          expect((await repo.tree(revision, '')).size).toBe(302);
          expect(Buffer.from((await repo.file(revision, name(at))) ?? []).toString()).toBe(`release: ${at % 3}\n`);
        }
      }),
  );

  it('have the ids that they have one by one, also where a folder goes back to what it was', () =>
    withGit(async (fixture) => {
      const { root, path, open } = fixture;
      const { repo, mirror } = await begin(fixture);
      const expected = await fetchTip(repo);
      await runGit(['-C', path, 'update-ref', 'refs/heads/single', expected]);
      // 0, 1, 2, 0, 1, 2 ... into three files, one after the other: the folder is often as it was three commits before.
      const all = commits(9, (at) => at % 2);
      const together = await repo.push({ expected, commits: all, tags: [] }, never);
      const single = await open('single', { branch: 'single' });
      let tip = await fetchTip(single);
      const ids: string[] = [];
      for (const commit of all) {
        const result = await single.push({ expected: tip, commits: [commit], tags: [] }, never);
        if (result.kind !== 'landed') throw new Error(result.reason);
        tip = result.tip;
        ids.push(tip);
      }
      expect(together).toEqual({ kind: 'landed', tip, commits: ids });
      expect(await revParse(path, 'main')).toBe(await revParse(path, 'single'));
      await fsck(path);
      await fsck(join(root, mirror));
    }));

  it('can be read again where two folders are alike and only one of them goes on', () =>
    withGit(async ({ root, path, open }) => {
      const repo = await open();
      const expected = await fetchTip(repo);
      const both = Object.fromEntries(
        ['a', 'b'].flatMap((folder) => Array.from({ length: 20 }, (_, at) => [`${folder}/${at}`, 'same'])),
      );
      const result = await repo.push(
        { expected, commits: [aCommit(both), aCommit({ 'a/1': 'other' }), aCommit({ 'b/2': 'third' })], tags: [] },
        never,
      );
      expect(result.kind).toBe('landed');
      await fsck(path);
      await fsck(join(root, 'mirror/mirror.git'));
      expect(await runGit(['-C', path, 'show', 'main:b/1'])).toBe('same');
    }));
});
