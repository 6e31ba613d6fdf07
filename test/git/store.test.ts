import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/git/folder-lock.ts';
import { newObject, type NewObject } from '../../src/git/objects.ts';
import { ObjectStore } from '../../src/git/object-store.ts';
import { encodePack } from '../../src/git/pack-format.ts';
import { commitFiles, fsck, runGit, withTempDir } from '../helpers/temp-repo.ts';
import { aPush, fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';

const quick = { beatMs: 20, silenceMs: 150 };

describe('a disk that is full', () => {
  it.each([
    ['the pack', (pack: string) => `objects/pack/${pack}.pack.tmp`],
    ['its index', (pack: string) => `objects/pack/${pack}.idx.tmp`],
    ['the boundary', (_pack: string) => 'shallow.tmp'],
    ['the list of commits', (_pack: string) => 'packed-refs.tmp'],
  ])('when %s is written names itself, leaves nothing behind and heals', (_, place) =>
    withGit(async ({ root, path, open }) => {
      const packs = async (mirror: string): Promise<readonly string[]> =>
        (await readdir(join(root, mirror, 'mirror.git/objects/pack'))).filter((name) => name.endsWith('.pack'));
      const [repo, other] = [await open(), await open('other')];
      await Promise.all([fetchTip(repo), fetchTip(other)]);
      const before = await packs('other');
      // Two at once, so that the newest stands without its parent at first.
      await commitFiles(path, { files: { f: '1' }, message: 'second' });
      await commitFiles(path, { files: { f: '2' }, message: 'third' });
      // The same answer is the same pack, so its name is known from the other mirror.
      await fetchTip(other);
      for (const pack of (await packs('other')).filter((name) => !before.includes(name)))
        await symlink('/dev/full', join(root, 'mirror/mirror.git', place(pack.replace(/\.pack$/, '')))).catch(
          () => undefined,
        );
      await expect(fetchTip(repo)).rejects.toMatchObject({
        code: 'GIT_STORE',
        message: expect.stringMatching(/mirror: no space is left there; make room.* \(ENOSPC\)/),
      });
      const tip = await fetchTip(repo);
      expect(text(await repo.file(tip, 'f'))).toBe('2');
      const left = await readdir(join(root, 'mirror/mirror.git'), { recursive: true });
      expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
      const stems = (await readdir(join(root, 'mirror/mirror.git/objects/pack'))).map((name) => name.split('.')[0]);
      for (const stem of stems) expect(stems.filter((one) => one === stem)).toHaveLength(2);
      await fsck(join(root, 'mirror/mirror.git'));
    }),
  );
});

describe('a pack that is held', () => {
  const gitdirOf = async (dir: string): Promise<string> => {
    await runGit(['init', '--quiet', '--bare', dir]);
    return dir;
  };
  const packsOf = async (dir: string): Promise<readonly string[]> =>
    (await readdir(join(dir, 'objects/pack'))).filter((name) => name.endsWith('.pack'));
  const blob = (said: string): NewObject => newObject('blob', Buffer.from(said));

  it('is read at once, is on disk with the others in one pack when it is settled, and is not lost where the disk was full', () =>
    withTempDir(async (root) => {
      const gitdir = await gitdirOf(join(root, 'x.git'));
      const store = await ObjectStore.open(gitdir);
      const blobs = ['one', 'two', 'three'].map(blob);
      for (const one of blobs) await store.hold(encodePack([one]));
      const read = (from: ObjectStore): unknown[] => blobs.map(({ oid }) => from.readNow(oid)?.content.toString());
      expect(read(store)).toEqual(['one', 'two', 'three']);
      expect(await packsOf(gitdir)).toEqual([]);
      const other = await ObjectStore.open(await gitdirOf(join(root, 'y.git')));
      for (const one of blobs) await other.hold(encodePack([one]));
      await other.settle();
      const [name = ''] = await packsOf(join(root, 'y.git'));
      await symlink('/dev/full', join(gitdir, 'objects/pack', `${name}.tmp`));
      await expect(store.settle()).rejects.toThrow(/ENOSPC/);
      expect(read(store)).toEqual(['one', 'two', 'three']);
      await store.settle();
      await store.settle();
      expect(await packsOf(gitdir)).toEqual([name]);
      expect(read(store)).toEqual(['one', 'two', 'three']);
      store.close();
      other.close();
      const again = await ObjectStore.open(gitdir);
      expect(read(again)).toEqual(['one', 'two', 'three']);
      again.close();
      await fsck(gitdir);
    }));

  it.each([
    ['too many', 60, 10],
    ['too large', 3, 4_000_000],
  ])('is stored with the others where they are %s', (_, count, bytes) =>
    withTempDir(async (root) => {
      const gitdir = await gitdirOf(join(root, 'x.git'));
      const store = await ObjectStore.open(gitdir);
      const blobs = Array.from({ length: count }, () => newObject('blob', randomBytes(bytes)));
      for (const one of blobs) await store.hold(encodePack([one]));
      expect((await packsOf(gitdir)).length).toBeGreaterThan(0);
      for (const { oid, content } of blobs) expect(store.readNow(oid)?.content.equals(content)).toBe(true);
      store.close();
    }),
  );
});

describe('something else in the place of the mirror', () => {
  it.each(['mirror', 'mirror/mirror.git'])('as a file %s is told and left alone', (place) =>
    withGit(async ({ root, open }) => {
      await mkdir(join(root, place, '..'), { recursive: true });
      await writeFile(join(root, place), 'a letter');
      await expect(open()).rejects.toMatchObject({
        code: 'GIT_STORE',
        message: expect.stringContaining('a file is where a folder is needed; move it away, or name another folder'),
      });
      expect(await readFile(join(root, place), 'utf8')).toBe('a letter');
      await rm(join(root, place));
      await fetchTip(await open());
    }),
  );
});

describe('the folder of a mirror', () => {
  it('is refused to a second process while the first one lives, and free when it ends', () =>
    withTempDir(async (dir) => {
      const script = `import { lockFolder } from ${JSON.stringify(join(import.meta.dirname, '../../dist/git/folder-lock.js'))};
        await lockFolder(${JSON.stringify(dir)}, ${JSON.stringify(quick)}); console.log('held'); setInterval(() => {}, 1000);`;
      const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await new Promise((held) => other.stdout.once('data', held));
        await expect(lockFolder(dir, quick)).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
          message: expect.stringMatching(
            new RegExp(
              `--git-dir: the folder ${dir} is used by process ${other.pid} on .*; give each agent a folder of its own`,
            ),
          ),
        });
        const ended = new Promise((done) => other.once('exit', done));
        other.kill('SIGKILL');
        await ended;
        const lock = await lockFolder(dir, { beatMs: 20, silenceMs: 60_000 });
        expect(await lock.isHeld()).toBe(true);
        await lock.release();
        expect(await readdir(dir)).toEqual([]);
      } finally {
        other.kill('SIGKILL');
      }
    }));

  const foreign = (beat: number): string => JSON.stringify({ id: 'theirs', host: 'another-pod', pid: 1, beat });

  it('is refused while another machine says that it lives, and taken over when that has fallen silent', () =>
    withTempDir(async (dir) => {
      const path = join(dir, 'agent.lock');
      let beat = 0;
      await writeFile(path, foreign(0));
      // Never half written, as by the agent itself.
      const write = async (): Promise<void> => {
        await writeFile(`${path}.theirs`, foreign((beat += 1)));
        await rename(`${path}.theirs`, path);
      };
      let isBeating = true;
      const beating = (async () => {
        for (; isBeating; await sleep(20)) await write();
      })();
      try {
        await expect(lockFolder(dir, quick)).rejects.toThrow(/used by process 1 on another-pod/);
      } finally {
        isBeating = false;
        await beating;
      }
      await new Promise((done) => setTimeout(done, 50));
      const lock = await lockFolder(dir, quick);
      await new Promise((done) => setTimeout(done, 60));
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
      await lock.release();
    }));

  it.each(['', 'not json', '[]', 'null', '{"id":1}'])('is taken over from a lock that says %j', (said) =>
    withTempDir(async (dir) => {
      await writeFile(join(dir, 'agent.lock'), said);
      await (await lockFolder(dir, quick)).release();
      expect(await readdir(dir)).toEqual([]);
    }),
  );

  /** As another process takes it: a file of its own comes in the place of the one that is there. */
  const takeOver = async (dir: string): Promise<string> => {
    const said = foreign(0);
    await writeFile(join(dir, 'agent.lock.theirs'), said);
    await rename(join(dir, 'agent.lock.theirs'), join(dir, 'agent.lock'));
    return said;
  };

  it.each([
    ['at rest', { beatMs: 60_000, silenceMs: 120_000 }],
    ['amid its beats', { beatMs: 1, silenceMs: 150 }],
  ])('that another process has taken meanwhile is used no more, and not taken back (%s)', (_, lock) =>
    withGit(async ({ root, open, path }) => {
      const repo = await open('mirror', { lock });
      await fetchTip(repo);
      await commitFiles(path, { files: { f: '1' }, message: 'second' });
      const tip = await repo.poll(never);
      if (!tip) throw new Error('the branch is gone');
      const said = await takeOver(join(root, 'mirror'));
      await expect(repo.fetch(tip, never)).rejects.toThrow(/another process has taken the folder/);
      await expect(repo.push(aPush(tip), never)).rejects.toThrow(/another process has taken the folder/);
      await repo.close();
      expect(await readFile(join(root, 'mirror/agent.lock'), 'utf8')).toBe(said);
      expect((await readdir(join(root, 'mirror'))).toSorted()).toEqual(['agent.lock', 'mirror.git']);
    }),
  );

  it('is left without a trace, though it is given back amid a beat', () =>
    withTempDir(async (dir) => {
      for (let round = 0; round < 50; round += 1) {
        const lock = await lockFolder(dir, { beatMs: 1, silenceMs: 150 });
        await new Promise((done) => setTimeout(done, 2));
        await lock.release();
        expect(await readdir(dir)).toEqual([]);
      }
    }));
});
