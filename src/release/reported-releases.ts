import type { GitRepo, Revision } from '../git/repo.ts';
import type { Outcome } from './types.ts';

/** How far back commits are searched for a Release-Id. */
const searchedCommits = 500;

/** Release ids that the commits up to `tip` tell of, with those that do, newest first; as far as history is here. */
export type ReportedReleases = (tip: Revision) => Promise<ReadonlyMap<string, readonly Revision[]>>;

interface Told {
  readonly parent: Revision | undefined;
  readonly ids: readonly string[];
}

/** Remembers what it has read: the next tip has nearly the same history. */
export function createReportedReleases(repo: Pick<GitRepo, 'has' | 'commit'>): ReportedReleases {
  let known: ReadonlyMap<Revision, Told> = new Map();
  const read = async (at: Revision): Promise<Told | undefined> => {
    if (!(await repo.has(at))) return undefined;
    const { message, parents } = await repo.commit(at);
    const ids = [...message.matchAll(/^Release-Id: (\S+)$/gm)].flatMap(([, id]) => id ?? []);
    return { parent: parents[0], ids };
  };
  return async (tip) => {
    const history = new Map<Revision, Told>();
    const told = new Map<string, Revision[]>();
    let at: Revision | undefined = tip;
    for (let count = 0; at !== undefined && count < searchedCommits; count += 1) {
      const commit: Told | undefined = known.get(at) ?? (await read(at));
      if (!commit) break;
      history.set(at, commit);
      for (const id of commit.ids) {
        const commits = told.get(id);
        if (commits) commits.push(at);
        else told.set(id, [at]);
      }
      at = commit.parent;
    }
    known = history;
    return told;
  };
}

/** Two clusters with a folder each give a commit that changes both the same release: what one wrote of it says nothing of the other's. */
export async function isToldIn(
  repo: Pick<GitRepo, 'file'>,
  commits: readonly Revision[],
  ledger: string,
  { releaseId }: Outcome,
): Promise<boolean> {
  for (const commit of commits) {
    const bytes = await repo.file(commit, ledger);
    if (bytes && Buffer.from(bytes).toString('utf8').includes(releaseId)) return true;
  }
  return false;
}
