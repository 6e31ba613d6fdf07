import { lines, readTrailers } from '../helpers/temp-repo.ts';
import type { Stage } from './stage.ts';

/** A commit of the agent's. */
export interface OutcomeCommit {
  readonly commit: string;
  readonly subject: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** Paths of files. */
  readonly changed: readonly string[];
}

/** Promotions and rollbacks on the branch, oldest first. First states of apps are left out, and what was taken back or removed. */
export async function outcomes(stage: Stage): Promise<readonly OutcomeCommit[]> {
  const found = (await agentCommits(stage)).filter(({ trailers: { Verdict } }) =>
    ['promoted', 'rolled-back'].includes(Verdict ?? ''),
  );
  return found;
}

export async function agentCommits({ run }: Stage): Promise<readonly OutcomeCommit[]> {
  const format = '--format=%x1e%H%x1f%s%x1f%(trailers:only,unfold)%x1f';
  const text = await run('log', '--reverse', '--grep=^Verdict: ', '--no-renames', '--name-only', format, 'main');
  return text
    .split('\x1e')
    .slice(1)
    .map((record) => {
      const [commit = '', subject = '', trailers = '', changed = ''] = record.split('\x1f');
      return { commit, subject, trailers: readTrailers(trailers), changed: lines(changed) };
    });
}

/** Waits until so many promotions and rollbacks are on the branch, and gives the last one. */
export async function outcome(stage: Stage, count: number, ms?: number): Promise<OutcomeCommit> {
  const all = await stage.untilPushed(
    `${count} outcomes on the branch`,
    async () => {
      const found = await outcomes(stage);
      return found.length >= count && found;
    },
    ms,
  );
  const last = all[count - 1];
  if (!last) throw new Error('unreachable');
  return last;
}

/** Waits for the first state of apps on the branch. */
export async function adopted(stage: Stage, ...ledgers: readonly string[]): Promise<void> {
  const wanted = ledgers.length === 0 ? ['test/podinfo'] : ledgers;
  await stage.untilPushed(`ledgers of ${wanted.join(', ')}`, async () => {
    const texts = await Promise.all(wanted.map((name) => stage.file(`apps/.releases/${name}.yaml`)));
    return texts.every((text) => text !== undefined);
  });
}
