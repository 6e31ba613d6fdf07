import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aCommit, fetchTip, type GitFixture, never, text, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, fsck, runGit } from '../helpers/temp-repo.ts';

const packFolder = ({ root }: GitFixture): string => join(root, 'mirror/mirror.git/objects/pack');

async function packFiles(fixture: GitFixture, ending: string): Promise<string[]> {
  const names = (await readdir(packFolder(fixture))).filter((name) => name.endsWith(ending));
  return names.map((name) => join(packFolder(fixture), name));
}

describe('a Git server in trouble', () => {
  it('is GIT_UNREACHABLE while it is down, and everything goes on afterwards', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const tip = await fetchTip(repo);
      await server.faults.down();
      await expect(repo.poll(never)).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
      expect(text(await repo.file(tip, 'README.md'))).toBe('hello\n');
      await server.faults.up();
      await commitFiles(path, { files: { f: '1' }, message: 'second' });
      expect(text(await repo.file(await fetchTip(repo), 'f'))).toBe('1');
    }));

  it.each([
    [401, 'GIT_AUTH'],
    [403, 'GIT_AUTH'],
    [404, 'GIT_NOT_FOUND'],
    [429, 'GIT_UNREACHABLE'],
    [503, 'GIT_UNREACHABLE'],
    [418, 'GIT_PROTOCOL'],
  ])('maps HTTP %i to %s with what the server said', (status, code) =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      server.faults.inject({ kind: 'status', status, body: 'maintenance until noon' });
      await expect(repo.poll(never)).rejects.toMatchObject({ code, message: expect.stringContaining('until noon') });
    }),
  );

  it('stops waiting for a server that says nothing', () =>
    withGit(async ({ server, open }) => {
      const repo = await open('mirror', { limits: { pollTimeoutMs: 200 } });
      server.faults.inject({ kind: 'hang' });
      await expect(repo.poll(never)).rejects.toThrow(/no complete answer within 0.2 s/);
    }));

  it('stops at once when it is told to, in the middle of a clone', () =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      const tip = await repo.poll(never);
      server.faults.inject({ kind: 'hang' }, { only: 'fetch' });
      const stop = new AbortController();
      const reason = new Error('stopping');
      setTimeout(() => stop.abort(reason), 50);
      if (tip) await expect(repo.fetch(tip, stop.signal)).rejects.toBe(reason);
    }));

  it('keeps nothing of an answer that was cut off, in a clone and in an update', () =>
    withGit(async (fixture) => {
      const { server, path, open } = fixture;
      const repo = await open();
      const tip = await repo.poll(never);
      if (!tip) return;
      server.faults.inject({ kind: 'cut', afterBytes: 200 }, { only: 'fetch' });
      await expect(repo.fetch(tip, never)).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
      expect(await repo.has(tip)).toBe(false);
      server.faults.clear();
      await repo.fetch(tip, never);
      await commitFiles(path, { files: { f: '1' }, message: 'second' });
      const next = await repo.poll(never);
      if (!next) return;
      server.faults.inject({ kind: 'cut', afterBytes: 200 }, { only: 'fetch' });
      await expect(repo.fetch(next, never)).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
      expect(await repo.has(next)).toBe(false);
      expect(await packFiles(fixture, '.pack')).toHaveLength(1);
      server.faults.clear();
      await repo.fetch(next, never);
      expect(text(await repo.file(next, 'f'))).toBe('1');
      await fsck(join(fixture.root, 'mirror/mirror.git'));
    }));

  it('refuses an answer that is larger than the limit', () =>
    withGit(async ({ open }) => {
      const repo = await open('mirror', { limits: { maxPackBytes: 300 } });
      await expect(fetchTip(repo)).rejects.toMatchObject({
        code: 'GIT_TOO_LARGE',
        message: expect.stringMatching(/keep large files out of the repository, .* or raise --git-max-download/),
      });
    }));

  it('says what is missing: the repository, the branch', () =>
    withGit(async ({ server, open }) => {
      const nowhere = await open('nowhere', { url: server.repoUrl('nowhere') });
      await expect(nowhere.poll(never)).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
      const branch = await open('branch', { branch: 'production' });
      expect(await branch.poll(never)).toBeUndefined();
    }));

  it('does not take a web page for a Git server', () =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      server.faults.inject({ kind: 'status', status: 200, body: '<html>login</html>' });
      await expect(repo.poll(never)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
    }));
});

describe('the mirror on disk', () => {
  it.each([
    ['a pack that was cut', async (f: GitFixture) => truncate((await packFiles(f, '.pack'))[0] ?? '', 100)],
    ['an index that is damaged', async (f: GitFixture) => writeFile((await packFiles(f, '.idx'))[0] ?? '', 'x')],
    ['a pack that is gone', async (f: GitFixture) => rm((await packFiles(f, '.pack'))[0] ?? '')],
    ['everything gone', async (f: GitFixture) => rm(packFolder(f), { recursive: true })],
    ['another repository', async (f: GitFixture) => writeFile(join(f.root, 'mirror/mirror.git/config'), '[core]\n')],
  ])('is cloned again after %s', (_, harm) =>
    withGit(async (fixture) => {
      const repo = await fixture.open();
      await fetchTip(repo);
      await repo.close();
      await harm(fixture);
      const again = await fixture.open();
      expect(text(await again.file(await fetchTip(again), 'README.md'))).toBe('hello\n');
      await fsck(join(fixture.root, 'mirror/mirror.git'));
    }),
  );

  it('is cloned again when damage shows while reading', () =>
    withGit(async (fixture) => {
      const repo = await fixture.open();
      const tip = await fetchTip(repo);
      const [pack = ''] = await packFiles(fixture, '.pack');
      const bytes = await readFile(pack);
      await writeFile(pack, bytes.fill(0, 12, bytes.length - 20));
      await repo.close();
      const again = await fixture.open();
      expect(text(await again.file(await fetchTip(again), 'README.md'))).toBe('hello\n');

      const oid = (await again.tree(tip, '')).get('apps/a.yaml')?.oid ?? '';
      const [now = ''] = await packFiles(fixture, '.pack');
      const good = await readFile(now);
      await writeFile(now, good.fill(0, 12, good.length - 20));
      await expect(again.blob(oid)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
      expect(await again.has(tip)).toBe(false);
      await again.fetch(tip, never);
      expect(text(await again.file(tip, 'apps/a.yaml'))).toBe('a: 1\n');
    }));

  it('sweeps what a crash left behind', () =>
    withGit(async (fixture) => {
      const repo = await fixture.open();
      await fetchTip(repo);
      await repo.close();
      await writeFile(join(packFolder(fixture), 'pack-half.pack'), 'PACK');
      await writeFile(join(packFolder(fixture), 'pack-half.idx.tmp'), 'x');
      await writeFile(join(packFolder(fixture), 'pack-other.idx'), 'x');
      const again = await fixture.open();
      await fetchTip(again);
      expect(await readdir(packFolder(fixture))).toHaveLength(2);
    }));

  it('joins its packs when there are many, and stays readable', () =>
    withGit(async (fixture) => {
      const { path, open } = fixture;
      const repo = await open();
      let tip = await fetchTip(repo);
      const first = tip;
      for (let n = 0; n < 50; n += 1) {
        const result = await repo.push({ expected: tip, commits: [aCommit({ f: `${n}` }, `c${n}`)], tags: [] }, never);
        if (result.kind === 'landed') tip = result.tip;
      }
      expect(await packFiles(fixture, '.pack')).toHaveLength(51);
      await commitFiles(path, { files: { f: 'last' }, message: 'last' });
      tip = await fetchTip(repo);
      expect(await packFiles(fixture, '.pack')).toHaveLength(1);
      expect(await repo.log(tip, 100)).toHaveLength(52);
      expect(text(await repo.file(tip, 'f'))).toBe('last');
      expect(await repo.diff(first, tip, '')).toHaveLength(1);
      await fsck(join(fixture.root, 'mirror/mirror.git'));
      expect((await runGit(['-C', path, 'rev-list', '--count', 'main'])).trim()).toBe('52');
    }));
});
