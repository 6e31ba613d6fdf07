import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asRevision, type PushResult, type Revision, type TagDraft } from '../../src/git/repo.ts';
import type { GitServer } from '../../src/sandbox/git-server.ts';
import { aCommit, aPush, fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';
import { fillLargeRepo, largeRepoManifest, largeRepoPath } from '../../src/sandbox/large-repo.ts';
import { commitFiles, fsck, revParse, runGit } from '../helpers/temp-repo.ts';

interface Spent {
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Body bytes and requests of everything that `work` asks for. */
async function spent(server: GitServer, work: () => Promise<unknown>): Promise<Spent> {
  server.takeRequests();
  await work();
  // The last answer may be here before the server knows that it has been taken.
  await new Promise((done) => setTimeout(done, 50));
  const records = server.takeRequests();
  const sum = (field: 'bytesIn' | 'bytesOut'): number => records.reduce((total, record) => total + record[field], 0);
  return { requests: records.length, bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut') };
}

const change = (index: number, version: number): { files: Record<string, string>; message: string } => ({
  files: { [largeRepoPath(index)]: largeRepoManifest(index, version) },
  message: `change ${index} to ${version}`,
});

describe('what the Git layer asks of the server', () => {
  it('stays small for polls, updates, old commits, merges of old branches and pushes', () =>
    withGit(async ({ server, open, root }) => {
      const path = await server.createRepo('large');
      await fillLargeRepo(path, { files: 1_000, commits: 120 });
      const refs = Array.from({ length: 500 }, (_, n) => `create refs/heads/topic-${n} ${'refs/heads/main'}\n`).join(
        '',
      );
      await runGit(['-C', path, 'update-ref', '--stdin'], refs);
      const repo = await open('mirror', { url: server.repoUrl('large') });
      await repo.poll(never);

      const idle = await spent(server, () => repo.poll(never));
      expect(idle.requests).toBe(1);
      expect(idle.bytesIn + idle.bytesOut).toBeLessThan(200);

      const clone = await spent(server, () => fetchTip(repo));
      expect(clone.requests).toBeLessThanOrEqual(3);

      await commitFiles(path, change(5, 900));
      const update = await spent(server, () => fetchTip(repo));
      expect(update.requests).toBe(2);
      expect(update.bytesIn + update.bytesOut).toBeLessThan(4_000);

      for (let n = 0; n < 4; n += 1) await commitFiles(path, change(10 + n, 901));
      const several = await spent(server, () => fetchTip(repo));
      expect(several.requests).toBe(3);
      expect(several.bytesOut).toBeLessThan(30_000);
      expect(await repo.log(await fetchTip(repo), 5)).toHaveLength(5);

      const old = asRevision(await revParse(path, 'main~100'));
      const below = await spent(server, () => repo.fetch(old, never));
      expect(below.requests).toBe(1);
      expect(below.bytesOut).toBeLessThan(clone.bytesOut / 3);
      expect((await repo.tree(old, '')).size).toBe(1_000);

      await runGit(['-C', path, 'branch', 'side', 'main~118']);
      await commitFiles(path, { files: { side: 'x' }, message: 'side', branch: 'side' });
      await commitFiles(path, { files: { side: 'x' }, message: 'merge side', merge: ['refs/heads/side'] });
      const merged = await spent(server, () => fetchTip(repo));
      expect(merged.requests).toBeLessThanOrEqual(3);
      expect(merged.bytesOut).toBeLessThan(clone.bytesOut / 3);

      const tip = await fetchTip(repo);
      const first = await spent(server, () => repo.push(aPush(tip), never));
      // The last one sees whether what was written stands.
      expect(first.requests).toBe(3);
      const next = await fetchTip(repo);
      const push = await spent(server, () => repo.push(aPush(next, { tags: [] }), never));
      expect(push.requests).toBe(2);
      expect(push.bytesIn).toBeLessThan(4_000);
      expect(push.bytesOut).toBeLessThan(300);

      await fsck(`${root}/mirror/mirror.git`);
      await fsck(path);
    }));

  it('is one request for a push that comes too late, and its refusal names the tip to build on', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const first = await repo.push(aPush(await fetchTip(repo)), never);
      if (first.kind !== 'landed') throw new Error(first.kind);
      const raced = async (base: Revision, tags: readonly TagDraft[]): Promise<PushResult> => {
        let result = { kind: 'unknown', reason: 'not pushed' } as PushResult;
        const { requests } = await spent(server, async () => {
          result = await repo.push({ expected: base, commits: [aCommit({ late: base })], tags }, never);
        });
        // One that has landed is seen by a second one, which nobody races with.
        expect(requests).toBe(result.kind === 'landed' ? 2 : 1);
        return result;
      };
      for (const tags of [[], aPush(first.tip, {}).tags.map((tag) => ({ ...tag, name: 'releases/test/b/1' }))]) {
        const base = await fetchTip(repo);
        const foreign = asRevision(
          await commitFiles(path, { files: { [`f${tags.length}`]: '1' }, message: 'foreign' }),
        );
        expect(await raced(base, tags)).toMatchObject({ kind: 'raced', tip: foreign });
        await repo.fetch(foreign, never);
        expect(await raced(foreign, tags)).toMatchObject({ kind: 'landed' });
      }
      // A tag that stands is no race for the branch: a look tells it.
      const again = await repo.push({ ...aPush(first.tip), expected: await fetchTip(repo) }, never);
      expect(again).toMatchObject({ kind: 'refused' });
      await fsck(path);
    }));

  it('is two requests for each race that is lost, also when the server is asked for the first time, and none of them waits for the disk', () =>
    withGit(async ({ server, path, open, root }) => {
      const onDisk = async (): Promise<readonly string[]> => readdir(join(root, 'mirror/mirror.git/objects/pack'));
      const repo = await open();
      let base = await fetchTip(repo);
      const before = await onDisk();
      await commitFiles(path, { files: { f: 'first' }, message: 'foreign' });
      for (let race = 0; race < 5; race += 1) {
        let result = { kind: 'unknown', reason: 'not pushed' } as PushResult;
        const { requests } = await spent(server, async () => {
          await repo.fetch(base, never);
          result = await repo.push(aPush(base), never);
        });
        // Nothing need be fetched the first time.
        expect(requests).toBe(race === 0 ? 1 : 2);
        const tip = asRevision(await revParse(path, 'main'));
        expect(result).toMatchObject({ kind: 'raced', tip });
        base = tip;
        await commitFiles(path, { files: { f: String(race) }, message: 'foreign' });
      }
      expect(await onDisk()).toEqual(before);
      base = await fetchTip(repo);
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
      await repo.close();
      await fsck(`${root}/mirror/mirror.git`);
      const again = await open();
      expect((await spent(server, () => again.fetch(base, never))).requests).toBe(0);
      expect(await again.log(base, 10)).toHaveLength(7);
    }));

  it('does not ask at all for a revision that is here', () =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      const tip = await fetchTip(repo);
      expect((await spent(server, () => repo.fetch(tip, never))).requests).toBe(0);
      await repo.close();
      const again = await open();
      expect(await again.has(tip)).toBe(true);
      const update = await spent(server, () => fetchTip(again));
      expect(update.requests).toBe(2);
    }));

  it('can read a server that only speaks the old protocol', () =>
    withGit(
      async ({ server, path, open }) => {
        const repo = await open();
        const first = await fetchTip(repo);
        await commitFiles(path, { files: { f: '1' }, message: 'second' });
        const second = await fetchTip(repo);
        expect(await repo.has(first)).toBe(true);
        expect((await repo.diff(first, second, '')).map(({ path: file }) => file)).toEqual(['f']);
        expect((await spent(server, () => repo.poll(never))).requests).toBe(1);
        expect(await repo.push(aPush(second), never)).toMatchObject({ kind: 'landed' });
        expect((await repo.refs(['refs/tags/'], never)).get('refs/tags/releases/test/a/1')).toBe(second);
        const other = await open('other');
        await fetchTip(other);
        await other.fetch(first, never);
        expect(text(await other.file(first, 'README.md'))).toBe('hello\n');
      },
      { protocolV2: false },
    ));
});
