import { type GitRepo, isCommitGone, type Revision } from '../git/repo.ts';
import { AgentError } from '../lib/errors.ts';
import { ledgerPath, parseLedger, type StableEntry } from './ledger.ts';
import type { Outcome } from './types.ts';

/**
 * Whether what Git tells as an app's stable state is newer than a promotion that waits: by the history of the branch and by what the
 * ledger said at each commit. Clocks tell nothing: any of them may have run ahead. Rejects where Git cannot be asked.
 */
export async function isOlder(
  repo: Pick<GitRepo, 'fetch' | 'file' | 'isAncestor'>,
  settings: { readonly path: string; readonly ledgerDir: string },
  { app, releaseId, state: { revision } }: Outcome,
  stable: StableEntry | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (stable === undefined || stable.releaseId === releaseId || stable.revision === revision) return false;
  // What somebody has taken out of the history comes neither before nor after.
  if (!(await isThere(repo, revision, signal))) return false;
  const path = ledgerPath(settings, app);
  const then = releaseIn(path, await repo.file(revision, path));
  // Nobody has promoted anything since the commit was pushed.
  if (then !== undefined && then.release === stable.release && then.releaseId === stable.releaseId) return false;
  if (!(await isThere(repo, stable.revision, signal))) return false;
  // The two are mostly near each other, and all of what is before them is not asked for in vain.
  if (await repo.isAncestor(stable.revision, revision, signal)) return false;
  return repo.isAncestor(revision, stable.revision, signal);
}

async function isThere(repo: Pick<GitRepo, 'fetch'>, revision: Revision, signal: AbortSignal): Promise<boolean> {
  try {
    await repo.fetch(revision, signal);
    return true;
  } catch (error) {
    if (!isCommitGone(error) || signal.aborted) throw error;
    return false;
  }
}

function releaseIn(path: string, bytes: Uint8Array | undefined): StableEntry | undefined {
  if (!bytes) return undefined;
  try {
    return parseLedger(path, Buffer.from(bytes).toString('utf8')).stable;
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}
