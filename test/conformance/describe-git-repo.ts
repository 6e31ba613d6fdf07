import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asRevision, type CommitDraft, type GitRepo, type Revision, type Signature } from '../../src/git/repo.ts';
import { commitFiles, fsck, revParse, runGit, show, subjects, trailers } from '../helpers/temp-repo.ts';

export interface GitRepoFixture {
  /** The server's bare repository, for native git. */
  readonly serverPath: string;
  /** A repository on the same server without any commit. */
  openEmpty(): Promise<GitRepo>;
  /** A further mirror of the same repository with its own folder. */
  open(): Promise<GitRepo>;
  close(): Promise<void>;
}

export const initialFiles: Readonly<Record<string, string>> = {
  'README.md': 'hello\n',
  'apps/a/deployment.yaml': 'kind: Deployment\n',
  'apps/a/service.yaml': 'kind: Service\n',
  'apps/b/deployment.yaml': 'kind: Deployment # b\n',
  'apps.txt': 'sorts between apps and apps/\n',
};

const never = new AbortController().signal;
const agent: Signature = { name: 'Serin', email: 'serin@example.com', atMs: 1_700_000_000_000 };
const decode = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('utf8');

const draft = (files: Record<string, string | null>, message = 'write'): CommitDraft => ({
  files: new Map(Object.entries(files)),
  message,
  author: agent,
});

async function tipOf(repo: GitRepo): Promise<Revision> {
  const tip = await repo.poll(never);
  if (!tip) throw new Error('the branch does not exist');
  await repo.fetch(tip, never);
  return tip;
}

/** What every GitRepo does, held against native git on the server's side. The repository begins with `initialFiles`. */
export function describeGitRepo(name: string, setUp: () => Promise<GitRepoFixture>): void {
  describe(name, () => {
    let fixture: GitRepoFixture;
    let repo: GitRepo;
    const server = (): string => fixture.serverPath;

    beforeEach(async () => {
      fixture = await setUp();
      repo = await fixture.open();
    });
    afterEach(() => fixture.close());

    it('polls the tip, fetches it and lists its files as native git does', async () => {
      const tip = await repo.poll(never);
      expect(tip).toBe(await revParse(server(), 'main'));
      if (!tip) return;
      expect(await repo.has(tip)).toBe(false);
      await repo.fetch(tip, never);
      expect(await repo.has(tip)).toBe(true);
      const listed = [...(await repo.tree(tip, ''))].map(([path, { oid, mode }]) => `${mode} blob ${oid}\t${path}`);
      const native = (await runGit(['-C', server(), 'ls-tree', '-r', 'main'])).trim().split('\n');
      expect(listed.sort()).toEqual(native.sort());
      expect([...(await repo.tree(tip, 'apps/a')).keys()]).toEqual(['apps/a/deployment.yaml', 'apps/a/service.yaml']);
      expect((await repo.tree(tip, 'nowhere')).size).toBe(0);
      expect((await repo.tree(tip, 'README.md')).size).toBe(0);
    });

    it('reads files and blobs at a pinned revision while the branch moves on', async () => {
      const first = await tipOf(repo);
      await commitFiles(server(), { files: { 'README.md': 'changed\n' }, message: 'second' });
      const second = await tipOf(repo);
      expect(decode(await repo.file(first, 'README.md'))).toBe('hello\n');
      expect(decode(await repo.file(second, 'README.md'))).toBe('changed\n');
      expect(await repo.file(second, 'apps/a')).toBeUndefined();
      expect(await repo.file(second, 'no/such.yaml')).toBeUndefined();
      const oid = (await repo.tree(first, '')).get('README.md')?.oid ?? '';
      expect(decode(await repo.blob(oid))).toBe('hello\n');
    });

    it('finds no revision where the branch does not exist yet', async () => {
      expect(await (await fixture.openEmpty()).poll(never)).toBeUndefined();
    });

    it('reports added, modified and removed files under a folder', async () => {
      const before = await tipOf(repo);
      await commitFiles(server(), {
        files: { 'apps/a/new.yaml': 'n', 'apps/a/service.yaml': null, 'apps/b/deployment.yaml': 'x', 'README.md': 'y' },
        message: 'change',
      });
      const after = await tipOf(repo);
      const changes = (await repo.diff(before, after, '')).map(({ kind, path }) => `${kind} ${path}`);
      expect(changes.sort()).toEqual([
        'added apps/a/new.yaml',
        'modified README.md',
        'modified apps/b/deployment.yaml',
        'removed apps/a/service.yaml',
      ]);
      expect((await repo.diff(before, after, 'apps/b')).map(({ path }) => path)).toEqual(['apps/b/deployment.yaml']);
      expect(await repo.diff(after, after, '')).toEqual([]);
    });

    it('sees a file that becomes a folder as removed and added', async () => {
      const before = await tipOf(repo);
      await commitFiles(server(), { files: { 'README.md': null }, message: 'away' });
      await commitFiles(server(), { files: { 'README.md/part.md': 'x' }, message: 'folder' });
      const after = await tipOf(repo);
      const changes = (await repo.diff(before, after, '')).map(({ kind, path }) => `${kind} ${path}`);
      expect(changes.sort()).toEqual(['added README.md/part.md', 'removed README.md']);
    });

    it('leaves submodules out and keeps the modes of links and executables', async () => {
      const tip = await revParse(server(), 'main');
      await commitFiles(server(), {
        files: { link: 'README.md', 'run.sh': '#!/bin/sh\n' },
        modes: { link: '120000', 'run.sh': '100755' },
        message: 'modes',
      });
      await runGit(['-C', server(), 'fast-import', '--quiet'], submoduleCommit(tip));
      const at = await tipOf(repo);
      const files = await repo.tree(at, '');
      expect(files.get('link')?.mode).toBe('120000');
      expect(files.get('run.sh')?.mode).toBe('100755');
      expect(files.has('vendor/module')).toBe(false);
      for (const [path, expected] of [
        ['run.sh', { path: 'run.sh', kind: 'file' }],
        ['link', { path: 'link', kind: 'link' }],
        ['link/below.yaml', { path: 'link', kind: 'link' }],
        ['vendor/module/below.yaml', { path: 'vendor/module', kind: 'submodule' }],
        ['apps/a', { path: 'apps/a', kind: 'folder' }],
        ['apps/none.yaml', undefined],
        ['none/at/all.yaml', undefined],
      ] as const)
        expect(await repo.standing(at, path), path).toEqual(expected);
      const result = await repo.push(
        { expected: at, commits: [draft({ 'run.sh': 'echo\n', 'vendor/x': '1' })], tags: [] },
        never,
      );
      expect(result.kind).toBe('landed');
      const listing = await runGit(['-C', server(), 'ls-tree', '-r', 'main']);
      expect(listing).toContain('100755 blob');
      expect(listing).toContain(`160000 commit ${tip}\tvendor/module`);
    });

    it('fetches an old commit below the boundary of the clone, with its tree', async () => {
      const old = asRevision(await revParse(server(), 'main'));
      for (const n of [1, 2, 3]) await commitFiles(server(), { files: { 'README.md': `${n}` }, message: `c${n}` });
      const tip = await tipOf(repo);
      expect(await repo.has(old)).toBe(false);
      await repo.fetch(old, never);
      expect(decode(await repo.file(old, 'README.md'))).toBe('hello\n');
      expect(await repo.diff(old, tip, '')).toHaveLength(1);
    });

    it('names a commit that the server does not have', async () => {
      await tipOf(repo);
      await expect(repo.fetch(asRevision('1'.repeat(40)), never)).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
    });

    it('reads commits and the log of first parents', async () => {
      await tipOf(repo);
      for (const n of [1, 2, 3])
        await commitFiles(server(), { files: { f: `${n}` }, message: `c${n}\n\nTrailer: ${n}\n` });
      const tip = await tipOf(repo);
      const commit = await repo.commit(tip);
      expect(commit.message).toBe('c3\n\nTrailer: 3\n');
      expect(commit.author).toMatchObject({ name: 'Ada Operator', email: 'ada@example.com' });
      const log = await repo.log(tip, 3);
      expect(log.map(({ message }) => message.split('\n')[0])).toEqual(['c3', 'c2', 'c1']);
      expect(log.map(({ revision }) => revision)).toContain(commit.parents[0]);
    });

    it('survives a branch that others rewrote', async () => {
      await tipOf(repo);
      await commitFiles(server(), { files: { 'README.md': 'to be dropped' }, message: 'dropped' });
      const dropped = await tipOf(repo);
      await runGit(['-C', server(), 'update-ref', 'refs/heads/main', 'main~1']);
      await commitFiles(server(), { files: { other: 'x' }, message: 'other way' });
      const tip = await tipOf(repo);
      expect((await repo.diff(dropped, tip, '')).map(({ path }) => path).sort()).toEqual(['README.md', 'other']);
    });

    it('pushes several commits and annotated tags at once', async () => {
      const base = await tipOf(repo);
      const result = await repo.push(
        {
          expected: base,
          commits: [
            draft(
              { 'apps/a/deployment.yaml': 'v2\n', 'new/deep/file.yaml': 'x\n' },
              'promote a\n\nVerdict: promoted\nRelease-Id: 1',
            ),
            draft({ 'apps/b/deployment.yaml': null, 'README.md': 'after\n' }, 'rollback b'),
          ],
          tags: [{ name: 'releases/test/a/1', target: base, message: 'evidence\n', tagger: agent }],
        },
        never,
      );
      expect(result.kind).toBe('landed');
      if (result.kind !== 'landed') return;
      expect(result.commits).toHaveLength(2);
      expect(await revParse(server(), 'main')).toBe(result.tip);
      expect(await subjects(server())).toEqual(['rollback b', 'promote a', 'initial commit']);
      expect(await trailers(server(), 'main~1')).toEqual({ Verdict: 'promoted', 'Release-Id': '1' });
      expect(await show(server(), 'main', 'new/deep/file.yaml')).toBe('x\n');
      expect(await runGit(['-C', server(), 'ls-tree', '-r', '--name-only', 'main'])).toBe(
        'README.md\napps.txt\napps/a/deployment.yaml\napps/a/service.yaml\nnew/deep/file.yaml\n',
      );
      expect(
        await runGit(['-C', server(), 'for-each-ref', '--format=%(objecttype) %(contents)', 'refs/tags']),
      ).toContain('tag evidence');
      await fsck(server());
      expect(await repo.has(result.tip)).toBe(true);
      expect(await repo.refs(['refs/tags/releases/'], never)).toEqual(new Map([['refs/tags/releases/test/a/1', base]]));
    });

    it('is raced by a foreign commit and writes nothing', async () => {
      const base = await tipOf(repo);
      await commitFiles(server(), { files: { foreign: 'x' }, message: 'foreign' });
      const result = await repo.push(
        {
          expected: base,
          commits: [draft({ mine: 'x' })],
          tags: [{ name: 'r/1', target: base, message: 'm', tagger: agent }],
        },
        never,
      );
      expect(result.kind).toBe('raced');
      expect(await subjects(server())).toEqual(['foreign', 'initial commit']);
      expect((await repo.refs(['refs/tags/'], never)).size).toBe(0);
    });

    it('writes the same push only once', async () => {
      const base = await tipOf(repo);
      const request = {
        expected: base,
        commits: [draft({ mine: 'x' })],
        tags: [{ name: 'r/1', target: base, message: 'm', tagger: agent }],
      };
      const first = await repo.push(request, never);
      expect(await repo.push(request, never)).toEqual(first);
      expect(await (await fixture.open()).push(request, never)).toEqual(first);
      expect(await subjects(server())).toHaveLength(2);
    });

    it('accepts a tag that stands with the same target and message, and refuses to move one', async () => {
      const base = await tipOf(repo);
      const tag = { name: 'r/1', target: base, message: 'evidence', tagger: agent };
      expect((await repo.push({ expected: base, commits: [], tags: [tag] }, never)).kind).toBe('landed');
      const object = await revParse(server(), 'refs/tags/r/1');
      const later = { ...tag, tagger: { ...agent, atMs: agent.atMs + 60_000 } };
      const other = await fixture.open();
      expect((await other.push({ expected: base, commits: [], tags: [later] }, never)).kind).toBe('landed');
      const moved = await other.push({ expected: base, commits: [], tags: [{ ...tag, message: 'else' }] }, never);
      expect(moved.kind).toBe('refused');
      const both = await other.push(
        { expected: base, commits: [draft({ x: '1' })], tags: [{ ...tag, message: 'else' }] },
        never,
      );
      expect(both.kind).toBe('refused');
      expect(await revParse(server(), 'refs/tags/r/1')).toBe(object);
      expect(await revParse(server(), 'main')).toBe(base);
    });

    it('loses nothing when several writers push at once', async () => {
      const writers = await Promise.all([0, 1, 2].map(() => fixture.open()));
      await Promise.all(
        writers.map(async (writer, index) => {
          for (let n = 0; n < 3; n += 1) await writeWithRetry(writer, `w${index}-${n}`);
        }),
      );
      const written = (await subjects(server())).filter((subject) => subject.startsWith('w'));
      expect(written.sort()).toEqual(['w0', 'w1', 'w2'].flatMap((w) => [`${w}-0`, `${w}-1`, `${w}-2`]));
      expect(await runGit(['-C', server(), 'rev-list', '--merges', '--count', 'main'])).toBe('0\n');
      const count = await show(server(), 'main', 'counter');
      expect(count).toBe('9');
      await fsck(server());
    });

    it('stops at the signal', async () => {
      const reason = new Error('stopping');
      await expect(repo.poll(AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    /** The counter is read and written in each commit: a lost update would show. */
    async function writeWithRetry(writer: GitRepo, message: string): Promise<void> {
      for (let attempt = 0; attempt < 50; attempt += 1) {
        const expected = await tipOf(writer);
        const counter = Number(decode(await writer.file(expected, 'counter')) ?? '0') + 1;
        const result = await writer.push(
          { expected, commits: [draft({ counter: String(counter), [`by/${message}`]: 'x' }, message)], tags: [] },
          never,
        );
        if (result.kind === 'landed') return;
        expect(result.kind).toBe('raced');
      }
      throw new Error(`${message} never landed`);
    }
  });
}

const submoduleCommit = (target: string): string =>
  `commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 6\nmodule\nfrom refs/heads/main^0\nM 160000 ${target} vendor/module\n`;
