import { keyOf, readKey } from '../../lib/key.ts';
import type { Revision } from '../../git/repo.ts';
import { entriesOf } from '../../report/history.ts';
import type { HistoryEntry } from '../../report/types.ts';
import { openBranch, type RemoteBranch } from '../checkout/branch.ts';
import type { CommandContext } from '../context.ts';
import { type LocalOptions, localSettings } from '../local-settings.ts';

export interface GitOptions extends LocalOptions {
  readonly branch?: string;
  /** Absent: the folder in which the command is run. */
  readonly folder?: string;
}

/** Commits that are looked through. */
const mostCommits = 5_000;

/** Opens the branch that the agent follows, works, and closes it. Throws CONFIG_INVALID where it cannot be told which one that is. */
export async function atBranch<Result>(
  context: CommandContext,
  options: GitOptions,
  work: (branch: RemoteBranch) => Promise<Result>,
): Promise<Result> {
  const { environment, signal } = context;
  const { values } = await localSettings(options);
  const configured =
    options.config === undefined ? undefined : { url: values['git-url'], branch: values['git-branch'] };
  const branch = await openBranch(
    { ...(options.branch === undefined ? {} : { branch: options.branch }), configured },
    { environment, signal, ...(options.folder === undefined ? {} : { folder: options.folder }) },
    false,
  );
  try {
    return await work(branch);
  } finally {
    await branch.close();
  }
}

/** What the branch tells of an app, newest first. `word`: its name, with or without its namespace; undefined: of all. */
export async function entriesOn(
  branch: RemoteBranch,
  tip: Revision,
  { word, limit }: { readonly word: string | undefined; readonly limit: number },
): Promise<readonly HistoryEntry[]> {
  const commits = await branch.log(tip, mostCommits);
  const byRevision = new Map(commits.map((commit) => [commit.revision, commit]));
  const tags = await branch.tags();
  const key = word === undefined ? undefined : readKey(word);
  const isMeant = ({ namespace, name }: HistoryEntry): boolean =>
    word === undefined || (key ? keyOf({ namespace, name }) === key : name === word);
  const found: HistoryEntry[] = [];
  for (const commit of commits) {
    for (const entry of entriesOf(commit, { commits: byRevision, tags })) if (isMeant(entry)) found.push(entry);
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}
