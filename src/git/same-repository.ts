import type { Ancestry } from './ancestry.ts';
import type { LocalMirror } from './local-mirror.ts';
import type { Revision } from './repo.ts';

/** Of the files before, so many have to be there unchanged where a history was begun anew. */
const sameShare = 0.5;
/** Commits that are looked at before the server is asked. */
const lookedAt = 100;

export interface Followed {
  readonly mirror: LocalMirror;
  readonly ancestry: Ancestry;
  /** Tips that were followed, newest last. */
  readonly tips: readonly Revision[];
  /** Whether the server still has a commit. */
  readonly knows: (commit: Revision) => Promise<boolean>;
}

/**
 * Whether a new tip belongs to the repository that was followed: one of the commits that were is before it, or the server still has the last
 * of them (somebody has rewritten the branch), or most files are the same (somebody began the history anew). False: another repository has
 * taken the name.
 */
export async function isSameRepository(
  { mirror, ancestry, tips, knows }: Followed,
  tip: Revision,
  signal: AbortSignal,
): Promise<boolean> {
  const last = tips.at(-1);
  if (last === undefined) return true;
  const followed = new Set(tips);
  let at: Revision | undefined = tip;
  for (let looked = 0; at !== undefined && looked < lookedAt && mirror.has(at); looked += 1) {
    const { parents } = await mirror.commit(at);
    if (followed.has(at) || parents.some((parent) => followed.has(parent))) return true;
    at = parents[0];
  }
  if (await knows(last)) return true;
  if (await ancestry.hasAny(followed, tip, signal)) return true;
  const filesOf = async (commit: Revision): ReturnType<LocalMirror['trees']['files']> =>
    mirror.trees.files((await mirror.commit(commit)).tree, '');
  const [old, now] = [await filesOf(last), await filesOf(tip)];
  let same = 0;
  for (const [path, { oid }] of old) if (now.get(path)?.oid === oid) same += 1;
  return old.size === 0 || same >= old.size * sameShare;
}
