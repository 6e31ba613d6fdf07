import fs from 'node:fs';
import { join } from 'node:path';
import git from 'isomorphic-git';
import { expect, it } from 'vitest';
import { aPush, fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';
import { commitFiles } from '../helpers/temp-repo.ts';

it('the mirror is read alike by isomorphic-git: after the first download, an update and a push', () =>
  withGit(async ({ root, path, open }) => {
    const gitdir = join(root, 'mirror/mirror.git');
    const repo = await open();
    await fetchTip(repo);
    await commitFiles(path, { files: { 'apps/a.yaml': 'a: 2\n', 'b/c/d.yaml': 'd: 1\n' }, message: 'second' });
    const second = await fetchTip(repo);
    const pushed = await repo.push(aPush(second), never);
    const tip = pushed.kind === 'landed' ? pushed.tip : second;
    for (const [file, { oid }] of await repo.tree(tip, '')) {
      const { blob } = await git.readBlob({ fs, gitdir, oid: tip, filepath: file });
      expect(text(blob)).toBe(text(await repo.blob(oid)));
    }
    const { commit } = await git.readCommit({ fs, gitdir, oid: tip });
    expect(commit.parent).toEqual([second]);
    expect(commit.message).toBe((await repo.commit(tip)).message);
  }));
