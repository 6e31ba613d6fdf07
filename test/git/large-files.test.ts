import { describe, expect, it } from 'vitest';
import { commitFiles, fsck, runGit } from '../helpers/temp-repo.ts';
import { fetchTip, type OpenRepo, withGit } from '../helpers/git-fixture.ts';

const KiB = 1024;
const files = { 'small.yaml': 'a: b\n', 'exact.yaml': 'x'.repeat(100 * KiB), 'large.yaml': 'x'.repeat(100 * KiB + 1) };

/** The length of each file's content as it is read; undefined: it is not here. */
async function lengths(repo: OpenRepo) {
  const tree = await repo.tree(await fetchTip(repo), '');
  const found: Record<string, number | undefined> = {};
  for (const path of Object.keys(files)) {
    const oid = tree.get(path)?.oid ?? '';
    await repo.blobs([oid], (_, content) => {
      found[path] = content?.length;
      return Promise.resolve();
    });
  }
  return found;
}

describe('a file that is larger than the limit', () => {
  it('is not downloaded where the server can leave it out, and is when the limit is raised', () =>
    withGit(async ({ root, path, open }) => {
      await runGit(['-C', path, 'config', 'uploadpack.allowFilter', 'true']);
      await commitFiles(path, { files, message: 'files' });
      const repo = await open('mirror', { limits: { maxFileBytes: 100 * KiB } });
      expect(await lengths(repo)).toEqual({
        'small.yaml': 5,
        'exact.yaml': 100 * KiB,
        'large.yaml': undefined,
      });
      await repo.close();
      const raised = await open('mirror', { limits: { maxFileBytes: 101 * KiB } });
      expect((await lengths(raised))['large.yaml']).toBe(100 * KiB + 1);
      await raised.close();
      const usual = await open();
      expect((await lengths(usual))['large.yaml']).toBe(100 * KiB + 1);
      await fsck(`${root}/mirror/mirror.git`);
    }));

  it('comes along where the server cannot leave it out', () =>
    withGit(async ({ path, open }) => {
      await runGit(['-C', path, 'config', 'uploadpack.allowFilter', 'false']);
      await commitFiles(path, { files, message: 'files' });
      const repo = await open('mirror', { limits: { maxFileBytes: 100 * KiB } });
      expect((await lengths(repo))['large.yaml']).toBe(100 * KiB + 1);
    }));
});
