import { describe, expect, it } from 'vitest';
import { createBranchTip } from '../../../src/agent/source/branch-tip.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const [one, two] = ['1', '2'].map((digit) => asRevision(digit.repeat(40))) as [Revision, Revision];
const never = new AbortController().signal;

/** Answers once after the other; none is left: it hangs until it is asked no longer. */
function branchOf(...answers: (Revision | undefined)[]) {
  const clock = manualClock();
  const results: string[] = [];
  const repo = {
    branch: 'main',
    poll: (signal: AbortSignal): Promise<Revision | undefined> =>
      answers.length > 0
        ? Promise.resolve(answers.shift())
        : new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error));
          }),
  };
  return { clock, results, tip: createBranchTip({ repo, clock, onPoll: (result) => results.push(result) }) };
}

describe('the tip of the branch', () => {
  it('is asked for anew once what Git said is two seconds old, once for all who want to know', async () => {
    const { clock, results, tip } = branchOf(one, two);
    await tip.ask(never);
    clock.advance(1_999);
    expect(await tip.now(never)).toBe(one);
    clock.advance(1);
    expect(await Promise.all([tip.now(never), tip.now(never)])).toEqual([two, two]);
    expect(results).toEqual(['ok', 'ok']);
  });

  it('is what Git said last where it does not answer soon, and nobody waits for it twice', async () => {
    const { clock, results, tip } = branchOf(one);
    await tip.ask(never);
    clock.advance(2_000);
    const waiting = tip.now(never);
    clock.advance(5_000);
    expect(await waiting).toBe(one);
    clock.advance(60_000);
    expect(await tip.now(never)).toBe(one);
    expect(results).toEqual(['ok', 'failed']);
  });

  it('is what Git said last where the branch is gone meanwhile; asked for anew, that is said', async () => {
    const { clock, tip } = branchOf(one, undefined, undefined);
    await tip.ask(never);
    clock.advance(2_000);
    expect(await tip.now(never)).toBe(one);
    await expect(tip.ask(never)).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
  });

  it('is no answer to somebody who goes', async () => {
    const { clock, tip } = branchOf(one);
    await tip.ask(never);
    clock.advance(2_000);
    const going = new AbortController();
    const waiting = tip.now(going.signal);
    going.abort(new Error('the agent stops'));
    await expect(waiting).rejects.toThrow('the agent stops');
  });
});
