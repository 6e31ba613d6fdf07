import { join } from 'node:path';
import { openRepo, type RepoOptions } from '../../src/git/open-repo.ts';
import type { CommitDraft, GitRepo, PushRequest, Revision, Signature } from '../../src/git/repo.ts';
import { type GitServer, type GitServerOptions, startGitServer } from '../../src/sandbox/git-server.ts';
import { removeDir, tempDir } from './temp-repo.ts';

export type OpenRepo = Awaited<ReturnType<typeof openRepo>>;

export interface GitFixture {
  readonly root: string;
  readonly server: GitServer;
  /** The server's bare repository. */
  readonly path: string;
  /** The same `mirror` name is the same folder on disk. */
  readonly open: (mirror?: string, options?: Partial<RepoOptions>) => Promise<OpenRepo>;
}

export const never = new AbortController().signal;
export const signature: Signature = { name: 'Serin', email: 'serin@example.com', atMs: 1_700_000_000_000 };

export interface GitFixtureOptions extends Omit<GitServerOptions, 'root'> {
  /** Absent: `config`. */
  readonly name?: string;
  /** Of its one commit, by path. Absent: two small ones. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A server with one repository; everything is gone after `run`. */
export async function withGit(
  run: (fixture: GitFixture) => Promise<void>,
  { name = 'config', files = { 'README.md': 'hello\n', 'apps/a.yaml': 'a: 1\n' }, ...options }: GitFixtureOptions = {},
): Promise<void> {
  const root = await tempDir();
  const server = await startGitServer({ root: join(root, 'server'), ...options });
  const opened: OpenRepo[] = [];
  try {
    const path = await server.createRepo(name, { files });
    await run({
      root,
      server,
      path,
      open: async (mirror = 'mirror', extra = {}) => {
        const repo = await openRepo({
          url: server.repoUrl(name),
          branch: 'main',
          dir: join(root, mirror),
          ...extra,
        });
        opened.push(repo);
        return repo;
      },
    });
  } finally {
    await Promise.all(opened.map((repo) => repo.close()));
    await server.stop();
    await removeDir(root);
  }
}

export async function fetchTip(repo: GitRepo): Promise<Revision> {
  const tip = await repo.poll(never);
  if (!tip) throw new Error('the branch does not exist');
  await repo.fetch(tip, never);
  return tip;
}

export const aCommit = (
  files: Record<string, string | null> = { 'new.yaml': 'x' },
  message = 'write',
): CommitDraft => ({
  files: new Map(Object.entries(files)),
  message,
  author: signature,
});

export const aPush = (expected: Revision, extra: Partial<PushRequest> = {}): PushRequest => ({
  expected,
  commits: [aCommit()],
  tags: [{ name: 'releases/test/a/1', target: expected, message: 'evidence', tagger: signature }],
  ...extra,
});

export const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('utf8');
