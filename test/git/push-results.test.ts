import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aCommit, aPush, fetchTip, type GitFixture, never, withGit } from '../helpers/git-fixture.ts';
import { on, orders, send } from '../helpers/hostile-git.ts';
import { startHostileHost } from '../helpers/hostile-host.ts';
import { commitFiles, fsck, revParse, runGit, subjects } from '../helpers/temp-repo.ts';

async function addHook({ path }: GitFixture, name: string, script: string): Promise<void> {
  const file = join(path, 'hooks', name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

const tags = async (path: string): Promise<string> => runGit(['-C', path, 'for-each-ref', 'refs/tags']);

describe('a push against a real server', () => {
  it('is raced when the branch moves after the check, and moves neither branch nor tag', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.beforePush(async () => void (await commitFiles(path, { files: { f: '1' }, message: 'foreign' })));
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'raced' });
      expect(await subjects(path)).toEqual(['foreign', 'initial commit']);
      expect(await tags(path)).toBe('');
      expect(await repo.push(aPush(await fetchTip(repo)), never)).toMatchObject({ kind: 'landed' });
      await fsck(path);
    }));

  it('is refused when the tag appears on its way, and does not move the branch', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.beforePush(async () => void (await runGit(['-C', path, 'tag', 'releases/test/a/1', base])));
      expect(await repo.push(aPush(base), never)).toMatchObject({
        kind: 'refused',
        reason: 'tag releases/test/a/1 exists with another target or message',
      });
      expect(await revParse(path, 'main')).toBe(base);
    }));

  it('is raced when the tag appears after the check', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      // Only for tags that go alone the server is asked first.
      const late = aPush(base, { commits: [] });
      server.faults.beforePush(async () => void (await runGit(['-C', path, 'tag', 'releases/test/a/1', base])));
      expect(await repo.push(late, never)).toMatchObject({ kind: 'raced' });
    }));

  it('is raced when the branch was deleted meanwhile', () =>
    withGit(async ({ path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      await runGit(['-C', path, 'update-ref', '-d', 'refs/heads/main']);
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'raced' });
      expect(await repo.poll(never)).toBeUndefined();
    }));

  it('is refused by a pre-receive hook, with what the hook said', () =>
    withGit(async (fixture) => {
      await addHook(fixture, 'pre-receive', 'echo "main is protected, ask the platform team" >&2; exit 1');
      const repo = await fixture.open();
      const base = await fetchTip(repo);
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind: 'refused' });
      expect('reason' in result && result.reason).toMatch(/pre-receive hook declined.*ask the platform team/);
      expect(await revParse(fixture.path, 'main')).toBe(base);
    }));

  it('is refused as a whole when an update hook declines only the tag', () =>
    withGit(async (fixture) => {
      await addHook(fixture, 'update', 'case "$1" in refs/tags/*) echo "no tags" >&2; exit 1;; esac');
      const repo = await fixture.open();
      const base = await fetchTip(repo);
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind: 'refused' });
      expect('reason' in result && result.reason).toMatch(/refs\/tags\/.*hook declined.*no tags/);
      expect(await revParse(fixture.path, 'main')).toBe(base);
    }));

  it('writes the branch first where the server cannot do all or nothing, and says when the tags stayed behind', () =>
    withGit(async (fixture) => {
      const { path, open } = fixture;
      await runGit(['-C', path, 'config', 'receive.advertiseAtomic', 'false']);
      await addHook(fixture, 'update', 'case "$1" in refs/tags/*) exit 1;; esac');
      const repo = await open();
      const base = await fetchTip(repo);
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind: 'unknown' });
      expect('reason' in result && result.reason).toContain('the branch was written');
      await addHook(fixture, 'update', 'exit 0');
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
      expect(await subjects(path)).toEqual(['write', 'initial commit']);
      expect(await tags(path)).toContain('releases/test/a/1');
    }));

  it('is refused where the account may only read', () =>
    withGit(
      async ({ open }) => {
        const repo = await open();
        const result = await repo.push(aPush(await fetchTip(repo)), never);
        expect(result).toEqual({ kind: 'refused', reason: 'HTTP 403: this server is read-only' });
      },
      { readOnly: true },
    ));

  it.each([
    [401, 'refused'],
    [403, 'refused'],
    [413, 'refused'],
    [500, 'unknown'],
    [502, 'unknown'],
    [504, 'unknown'],
  ] as const)('maps HTTP %i of the push itself to %s, with the text of the server', (status, kind) =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'status', status, body: '<h1>said the proxy</h1>' }, { only: 'push' });
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind });
      expect('reason' in result && result.reason).toContain('said the proxy');
      expect(await revParse(path, 'main')).toBe(base);
    }),
  );

  it('rejects with GIT_UNREACHABLE when the server has no time: nothing was written', () =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'status', status: 429 }, { only: 'push', times: 1 });
      await expect(repo.push(aPush(base), never)).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
      await server.faults.down();
      await expect(repo.push(aPush(base), never)).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
      await server.faults.up();
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
    }));

  it('has landed when the answer was lost but the refs stand', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'drop-response' }, { only: 'push', times: 1 });
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind: 'landed', tip: await revParse(path, 'main') });
    }));

  it('is unknown when the answer was lost and nobody can be asked; the same push again lands once', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open('mirror', { limits: { pushTimeoutMs: 500, pollTimeoutMs: 500 } });
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'hang-response' }, { only: 'push' });
      server.faults.beforePush(async () => server.faults.inject({ kind: 'hang' }, { only: 'fetch' }));
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'unknown' });
      server.faults.clear();
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
      expect(await subjects(path)).toEqual(['write', 'initial commit']);
    }));

  it('is unknown while what the server calls done is not seen there, and has landed when others pushed on top', () =>
    withGit(async ({ path, open }) => {
      const host = await startHostileHost(join(path, '..'));
      try {
        const repo = await open('mirror', { url: `${host.url}/config.git` });
        const base = await fetchTip(repo);
        host.order(on(['push'], orders.done));
        expect(await repo.push(aPush(base), never)).toEqual({
          kind: 'unknown',
          reason: 'the server reports the push as done, and it is not seen there',
        });
        expect(await revParse(path, 'main')).toBe(base);
        host.order(
          on(['push'], async ({ response, ask }) => {
            const answer = await ask();
            await commitFiles(path, { files: { f: '1' }, message: 'on top' });
            send(response, answer);
            return true;
          }),
        );
        expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
        expect(await subjects(path)).toEqual(['on top', 'write', 'initial commit']);
      } finally {
        await host.stop();
      }
    }));

  it('is unknown when the connection breaks before the server has acted', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open('mirror', { limits: { pushTimeoutMs: 300 } });
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'hang' }, { only: 'push', times: 1 });
      const result = await repo.push(aPush(base), never);
      expect(result).toMatchObject({ kind: 'unknown' });
      expect(await revParse(path, 'main')).toBe(base);
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'landed' });
    }));

  it('keeps nothing of a push that failed', () =>
    withGit(async ({ server, path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      server.faults.inject({ kind: 'status', status: 403 }, { only: 'push', times: 1 });
      expect(await repo.push(aPush(base), never)).toMatchObject({ kind: 'refused' });
      const again = await repo.push(aPush(base), never);
      expect(again.kind).toBe('landed');
      if (again.kind === 'landed') expect(await revParse(path, 'main')).toBe(again.tip);
      await fsck(path);
    }));

  it('pushes a large file', () =>
    withGit(async ({ path, open }) => {
      const repo = await open();
      const base = await fetchTip(repo);
      const noise = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, n) => (n * n * 31 + (n >> 3)) & 255));
      const files = new Map<string, Uint8Array>([['big.bin', noise]]);
      const result = await repo.push({ expected: base, commits: [{ ...aCommit(), files }], tags: [] }, never);
      expect(result.kind).toBe('landed');
      expect((await runGit(['-C', path, 'cat-file', '-s', 'main:big.bin'])).trim()).toBe('3000000');
    }));

  it('refuses names that are no paths or tags before anything is sent', () =>
    withGit(async ({ server, open }) => {
      const repo = await open();
      const expected = await fetchTip(repo);
      server.takeRequests();
      for (const path of ['../x', 'a//b', '/a', '.git/config', 'a/./b', '']) {
        await expect(repo.push(aPush(expected, { commits: [aCommit({ [path]: 'x' })] }), never)).rejects.toThrow(
          'path',
        );
      }
      const [tag] = aPush(expected).tags;
      for (const name of ['a b', 'a..b', 'x.lock', '-x', 'a~1', '']) {
        const tags = tag ? [{ ...tag, name }] : [];
        await expect(repo.push(aPush(expected, { tags }), never)).rejects.toThrow('tag name');
      }
      expect(server.takeRequests()).toEqual([]);
    }));
});
