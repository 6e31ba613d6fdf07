import type { GitRepo } from '../../git/repo.ts';
import type { Stray } from '../../manifest/stray.ts';
import type { Snapshot } from './snapshots.ts';

const what = {
  file: 'is not among what is synced',
  folder: 'is a folder',
  link: 'is a symbolic link',
  submodule: 'is a submodule',
};

/** What stands in a commit at a path at which no manifest was looked for. Undefined: nothing, or one was looked for. */
export async function strayAt(
  repo: Pick<GitRepo, 'standing'>,
  path: string,
  { revision, loaded }: Pick<Snapshot, 'revision' | 'loaded'>,
): Promise<Stray | undefined> {
  if (loaded.cache.has(path)) return undefined;
  const found = await repo.standing(revision, path);
  if (!found) return undefined;
  const where = found.path === path ? '' : `is below ${found.path}, which `;
  return {
    line: 1,
    what: found.kind === 'file' && where !== '' ? `${where}is a file` : `${where}${what[found.kind]}`,
  };
}
