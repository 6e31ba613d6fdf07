import { describe, expect, it } from 'vitest';
import { Ancestry, type Parents } from '../../src/git/ancestry.ts';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { fillLargeRepo } from '../../src/sandbox/large-repo.ts';
import { fetchTip, never, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, revParse, runGit } from '../helpers/temp-repo.ts';

const change = (number: number) => ({ files: { 'apps/a.yaml': `a: ${number}\n` }, message: `change ${number}` });

/** A branch of many commits, one of which was merged in, and another branch that nobody has merged. */
async function fill(path: string, commits: number): Promise<void> {
  await fillLargeRepo(path, { files: 2, commits });
  await runGit(['-C', path, 'branch', 'merged', 'main~70']);
  await commitFiles(path, { files: { b: '1' }, message: 'on the side', branch: 'merged' });
  await commitFiles(path, { files: { b: '1' }, message: 'merge', merge: ['refs/heads/merged'] });
  await runGit(['-C', path, 'branch', 'unmerged', 'main~1']);
  await commitFiles(path, { files: { c: '1' }, message: 'not reviewed', branch: 'unmerged' });
}

describe('whether a commit is part of the branch', () => {
  it.each(['a server that can leave trees out', 'a server that cannot'])('is told by %s', (kind) =>
    withGit(async ({ open, server }) => {
      const path = await server.createRepo('large');
      if (kind.endsWith('out')) await runGit(['-C', path, 'config', 'uploadpack.allowFilter', 'true']);
      await fill(path, 100);
      const repo = await open('mirror', { url: server.repoUrl('large') });
      const tip = await fetchTip(repo);
      const named = async (name: string): Promise<Revision> => asRevision(await revParse(path, name));
      server.takeRequests();
      for (const name of ['main', 'main~1', 'main~20', 'main~79', 'merged'])
        expect(await repo.isAncestor(await named(name), tip, never), name).toBe(true);
      const others = [await named('unmerged'), asRevision('f'.repeat(40)), asRevision('main'), asRevision('')];
      for (const other of others) expect(await repo.isAncestor(other, tip, never), other).toBe(false);
      expect(server.takeRequests().length).toBeLessThanOrEqual(4);
      // What was fetched is no more part of it for that.
      await repo.fetch(await named('unmerged'), never);
      expect(await repo.isAncestor(await named('unmerged'), tip, never)).toBe(false);
      await commitFiles(path, change(1_000));
      const next = await fetchTip(repo);
      server.takeRequests();
      expect(await repo.isAncestor(tip, next, never)).toBe(true);
      expect(await repo.isAncestor(next, tip, never)).toBe(false);
      expect(server.takeRequests(), 'all of that is known by now').toEqual([]);
      await runGit(['-C', path, 'branch', '-f', 'main', 'main~10']);
      await commitFiles(path, change(2_000));
      expect(await repo.isAncestor(tip, await fetchTip(repo), never), 'after a forced push').toBe(false);
    }),
  );
});

describe('ancestry', () => {
  const commit = (number: number): Revision => asRevision(number.toString(16).padStart(40, '0'));
  const line = (length: number): Parents =>
    new Map(Array.from({ length }, (_, at) => [commit(at), at === 0 ? [] : [commit(at - 1)]]));

  it('of a hundred thousand commits is found at once, and the process goes on meanwhile', async () => {
    const all = line(100_000);
    const asked: number[] = [];
    const ancestry = new Ancestry({
      local: async () => undefined,
      load: async (_from, depth) => {
        asked.push(depth);
        return new Map([...all].slice(-depth));
      },
    });
    // In the process's own processor time: what others take of the machine is not its doing.
    let longestMs = 0;
    let last = process.cpuUsage();
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(last);
      longestMs = Math.max(longestMs, (user + system) / 1_000);
      last = process.cpuUsage();
    }, 5);
    const tip = commit(99_999);
    expect(await ancestry.has(commit(99_990), tip, never)).toBe(true);
    expect(asked).toEqual([64]);
    expect(await ancestry.has(commit(7), tip, never)).toBe(true);
    expect(await ancestry.has(commit(100_001), tip, never)).toBe(false);
    clearInterval(timer);
    expect(longestMs).toBeLessThan(1_000);
  });

  it('is not known where the server gives no history', async () => {
    const ancestry = new Ancestry({ local: async () => undefined, load: async () => undefined });
    expect(await ancestry.has(commit(1), commit(2), never)).toBeUndefined();
    expect(await ancestry.has(commit(2), commit(2), never)).toBe(true);
  });
});
