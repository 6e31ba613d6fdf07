import type { GitRepo, Revision } from '../../git/repo.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError } from '../../lib/errors.ts';

/** The tip of the branch. */
export interface BranchTip {
  /** Asks Git. Throws GIT_NOT_FOUND where there is no branch, and what else keeps Git from answering. */
  ask(signal: AbortSignal): Promise<Revision>;
  /**
   * The tip by now: asked anew where what Git said is older than two seconds. Where Git does not answer (soon), what it said last counts, and
   * it is not asked again before the next `ask`. Only after an `ask`.
   */
  now(signal: AbortSignal): Promise<Revision>;
}

export interface BranchTipOptions {
  readonly repo: Pick<GitRepo, 'branch' | 'poll'>;
  readonly clock: Clock;
  /** Told of each answer, and of each that did not come. */
  readonly onPoll: (result: 'ok' | 'failed') => void;
}

const freshMs = 2_000;
/** What is about to be applied does not wait longer to learn whether it still should be. */
const patienceMs = 5_000;

export function createBranchTip({ repo, clock, onPoll }: BranchTipOptions): BranchTip {
  let told: Revision | undefined;
  let freshUntilMs = 0;
  let asking: Promise<void> | undefined;

  const poll = async (signal: AbortSignal): Promise<Revision> => {
    const startedMs = clock.now();
    let tip: Revision | undefined;
    try {
      tip = await repo.poll(signal);
    } catch (error) {
      onPoll('failed');
      throw error;
    }
    onPoll('ok');
    if (tip === undefined)
      throw new AgentError(
        'GIT_NOT_FOUND',
        `the branch ${repo.branch} does not exist; push a commit to it, or name another with --git-branch`,
      );
    told = tip;
    freshUntilMs = startedMs + freshMs;
    return tip;
  };

  const refresh = async (signal: AbortSignal): Promise<void> => {
    const patience = new AbortController();
    const cancel = clock.after(patienceMs, () => patience.abort(new Error('Git takes too long')));
    try {
      await poll(AbortSignal.any([signal, patience.signal]));
    } catch {
      signal.throwIfAborted();
      freshUntilMs = Number.POSITIVE_INFINITY;
    } finally {
      cancel();
    }
  };

  return {
    ask: poll,
    async now(signal) {
      if (clock.now() >= freshUntilMs)
        await (asking ??= refresh(signal).finally(() => {
          asking = undefined;
        }));
      if (told === undefined) throw new Error('Git was not asked yet');
      return told;
    },
  };
}
