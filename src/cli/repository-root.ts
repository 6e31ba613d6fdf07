import { realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { AgentError, messageOf } from '../lib/errors.ts';

/**
 * The root of the repository in which paths stand: the one that is named, else that of their checkout. Throws CONFIG_INVALID where it cannot
 * be told, or where a path is not in it.
 */
export async function repositoryRoot(paths: readonly string[], named: string | undefined): Promise<string> {
  let root = named === undefined ? undefined : await realFolder(named);
  for (const path of paths) {
    const found = await real(path);
    root ??= await checkoutOf(found);
    if (root === undefined)
      throw new AgentError(
        'CONFIG_INVALID',
        `${path} is in no Git checkout, so its place in the repository, by which folders of the settings count, is not known: name the repository's root with --root`,
      );
    if (placeIn(root, found) === undefined)
      throw new AgentError('CONFIG_INVALID', `${path} is not in ${root}, which is the root of the repository`);
  }
  return root ?? '';
}

/** The checkout in which all of them stand. Undefined: there is none. */
export async function checkoutRoot(paths: readonly string[]): Promise<string | undefined> {
  const roots = new Set<string | undefined>();
  for (const path of paths) roots.add(await checkoutOf(await real(path)));
  const [only] = roots;
  return roots.size === 1 ? only : undefined;
}

/** Where a path stands below a root, as Git spells it; the empty string is the root itself. Undefined: not below it. Both without links. */
export function placeIn(root: string, path: string): string | undefined {
  const place = relative(root, path);
  if (place === '..' || place.startsWith(`..${sep}`)) return undefined;
  return place.split(sep).join('/');
}

/** Undefined: it is in none. */
async function checkoutOf(path: string): Promise<string | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    // A folder, or a file that says where the folder is: of a worktree or a submodule.
    if (await stat(join(folder, '.git')).catch(() => undefined)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

async function realFolder(path: string): Promise<string> {
  const found = await real(path);
  if (!(await stat(found)).isDirectory()) throw new AgentError('CONFIG_INVALID', `--root: ${path} is no folder`);
  return found;
}

const real = (path: string): Promise<string> =>
  realpath(path).catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
