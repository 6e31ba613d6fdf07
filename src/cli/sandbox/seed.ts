import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { runGit } from '../../sandbox/git-command.ts';

const author = ['-c', 'user.name=Serin sandbox', '-c', 'user.email=sandbox@localhost'];
const branch = 'refs/heads/main';

/**
 * Fills the branch main of a bare repository, where there is none yet, and says from what, in a sentence without an end:
 * - nothing named: one commit without files;
 * - a Git repository: what is committed at its HEAD, with the history;
 * - a folder below one that HEAD has: what is committed in it, as one commit;
 * - any other folder: its files as they are, as one commit, without those that its .gitignore names.
 *
 * Throws CONFIG_INVALID where the folder cannot be read.
 */
export async function seedRepository(barePath: string, folder: string | undefined): Promise<string> {
  if ((await runGit(['-C', barePath, 'for-each-ref', branch])) !== '') {
    if (folder === undefined) return 'as it was left the last time';
    throw new AgentError(
      'CONFIG_INVALID',
      `--repo: there is a repository in ${barePath}; name another --dir, or no --repo`,
    );
  }
  await requireFolder(folder);
  if (folder === undefined) {
    await commitTree(barePath, await writeTree(barePath, []));
    return 'one commit without files';
  }
  try {
    return (await fromCommits(barePath, folder)) ?? (await fromFiles(barePath, folder));
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('CONFIG_INVALID', `--repo: ${folder} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Throws CONFIG_INVALID where one is named that there is not. */
export async function requireFolder(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const found = await stat(folder).catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', `--repo: ${folder} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (!found.isDirectory()) throw new AgentError('CONFIG_INVALID', `--repo: ${folder} is no folder`);
}

async function fromCommits(barePath: string, folder: string): Promise<string | undefined> {
  const source = await sourceOf(folder);
  if (source === undefined) return undefined;
  await runGit([
    '-C',
    barePath,
    'fetch',
    '--quiet',
    '--no-tags',
    '--update-head-ok',
    source.repository,
    `HEAD:${branch}`,
  ]);
  const commit = (await runGit(['-C', barePath, 'rev-parse', '--short', branch])).trim();
  if (source.below === '') return `what is committed in ${folder} (${commit}, with its history)`;
  await commitTree(barePath, (await runGit(['-C', barePath, 'rev-parse', `${branch}:${source.below}`])).trim());
  return `what is committed in ${folder} (at ${commit}, without the history)`;
}

/** The repository that has the folder in its HEAD, and where; undefined where none has. */
async function sourceOf(folder: string): Promise<{ repository: string; below: string } | undefined> {
  const ask = async (...words: readonly string[]): Promise<string | undefined> =>
    runGit(['-C', folder, ...words]).then(
      (text) => text.trim(),
      () => undefined,
    );
  if ((await ask('rev-parse', '--verify', '--quiet', 'HEAD^{commit}')) === undefined) return undefined;
  if ((await ask('rev-parse', '--is-bare-repository')) === 'true') return { repository: resolve(folder), below: '' };
  const top = await ask('rev-parse', '--show-toplevel');
  const below = await ask('rev-parse', '--show-prefix');
  if (top === undefined || below === undefined) return undefined;
  const path = below.replace(/\/$/, '');
  if (path !== '' && (await ask('cat-file', '-t', `HEAD:${path}`)) !== 'tree') return undefined;
  return { repository: top, below: path };
}

async function fromFiles(barePath: string, folder: string): Promise<string> {
  await commitTree(
    barePath,
    await writeTree(barePath, [`--work-tree=${resolve(folder)}`, 'add', '--all', '.'], folder),
  );
  return `the files of ${folder} as they are`;
}

/** The tree of an index of its own, after `words`. */
async function writeTree(barePath: string, words: readonly string[], cwd = barePath): Promise<string> {
  const index = join(barePath, 'seed-index');
  const gitDir = `--git-dir=${resolve(barePath)}`;
  const env = { GIT_INDEX_FILE: index };
  if (words.length > 0) await runGit(['-C', cwd, gitDir, '-c', 'core.bare=false', ...words], '', env);
  return (await runGit(['-C', barePath, 'write-tree'], '', env)).trim();
}

async function commitTree(barePath: string, tree: string): Promise<void> {
  const commit = (await runGit(['-C', barePath, ...author, 'commit-tree', '-m', 'initial commit', tree])).trim();
  await runGit(['-C', barePath, 'update-ref', branch, commit]);
}
