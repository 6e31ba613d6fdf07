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
  const text = await runGit(['-C', repoPath, 'log', '-1', '--format=%(trailers:only,unfold)', ref]);
  return Object.fromEntries(
    lines(text).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}

export const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
