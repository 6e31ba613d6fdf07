import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGit } from '../../src/sandbox/git-command.ts';

export { commitWithGit as commitFiles, runGit } from '../../src/sandbox/git-command.ts';

/** A folder that is gone after `run`. */
export async function withTempDir<T>(run: (dir: string) => Promise<T>): Promise<T> {
  const dir = await tempDir();
  try {
    return await run(dir);
  } finally {
    await removeDir(dir);
  }
}

export const tempDir = (): Promise<string> => mkdtemp(join(tmpdir(), 'serin-test-'));

export const removeDir = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true, maxRetries: 3 });

/** Subjects, newest first. */
export async function subjects(repoPath: string, ref = 'main'): Promise<string[]> {
  return lines(await runGit(['-C', repoPath, 'log', '--format=%s', ref]));
}

export async function revParse(repoPath: string, ref: string): Promise<string> {
  return (await runGit(['-C', repoPath, 'rev-parse', '--verify', ref])).trim();
}

export interface CommitContent {
  /** The first one. Absent: there is none. */
  readonly parent?: string;
  readonly files: ReadonlyMap<string, string>;
}

/** A commit with the texts of all its files, in two processes however many they are. */
export async function readCommit(repoPath: string, revision: string): Promise<CommitContent> {
  const paths = lines(await runGit(['-C', repoPath, 'ls-tree', '-r', '--name-only', revision]));
  const wanted = [`${revision}^{commit}`, ...paths.map((path) => `${revision}:${path}`)];
  const answer = Buffer.from(await runGit(['-C', repoPath, 'cat-file', '--batch'], `${wanted.join('\n')}\n`));
  let at = 0;
  const [commit = '', ...texts] = wanted.map((name) => {
    const begin = answer.indexOf('\n', at) + 1;
    const [, kind, size] = answer.toString('utf8', at, begin - 1).split(' ');
    if (begin === 0 || size === undefined) throw new Error(`${repoPath} has no ${name}: ${kind ?? ''}`);
    at = begin + Number(size) + 1;
    return answer.toString('utf8', begin, at - 1);
  });
  const parent = /^parent ([0-9a-f]+)$/m.exec(commit.slice(0, commit.indexOf('\n\n')))?.[1];
  return {
    ...(parent === undefined ? {} : { parent }),
    files: new Map(paths.map((path, index) => [path, texts[index] ?? ''])),
  };
}

/** A file's text at a ref. */
export const show = (repoPath: string, ref: string, path: string): Promise<string> =>
  runGit(['-C', repoPath, 'show', `${ref}:${path}`]);

/** Rejects with git's findings when the object database is not sound. */
export async function fsck(repoPath: string): Promise<void> {
  const findings = await runGit(['-C', repoPath, 'fsck', '--full', '--strict', '--no-dangling', '--no-progress']);
  const bad = lines(findings).filter((line) => !line.startsWith('notice:'));
  if (bad.length > 0) throw new Error(`git fsck: ${bad.join('; ')}`);
}

/** The commit's trailers as git's own parser reads them. */
export async function trailers(repoPath: string, ref: string): Promise<Record<string, string>> {
  return readTrailers(await runGit(['-C', repoPath, 'log', '-1', '--format=%(trailers:only,unfold)', ref]));
}

/** What git lists with `%(trailers:only,unfold)`. */
export function readTrailers(text: string): Record<string, string> {
  return Object.fromEntries(
    lines(text).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}

export const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
