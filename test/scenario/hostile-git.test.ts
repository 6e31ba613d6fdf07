import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type HostileGit, on, type Order, orders, startHostileGit } from '../helpers/hostile-git.ts';
import { createDice } from '../release/a-release.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type StageOptions } from './stage.ts';

/** Names a tip that nobody has. */
const wrongTip: Order = async (ordered) => {
  if (ordered.call !== 'fetch' || !(await ordered.body()).includes('command=ls-refs')) return false;
  const invent = (body: Buffer): Buffer =>
    Buffer.from(
      body.toString('latin1').replaceAll(/[0-9a-f]{40}(?= refs\/heads\/)/g, '1234567890'.repeat(4)),
      'latin1',
    );
  return orders.changed((answer) => ({ ...answer, body: invent(answer.body) }))(ordered);
};

const all: readonly (readonly [string, Order])[] = [
  ['502', orders.status(502)],
  ['503', orders.status(503, { 'retry-after': '1' })],
  ['401', orders.status(401)],
  ['404', orders.status(404)],
  ['a login page', orders.login],
  ['a reset', orders.reset],
  ['an answer that breaks off', orders.cut(150)],
  ['an answer that ends early', orders.cut(150, true)],
  ['an answer by drops', orders.drip(200, 2)],
  ['a temporary redirect to nowhere', orders.status(302, { location: 'http://127.0.0.1:9/config.git' })],
  ['zeros', ({ response }) => (response.end(Buffer.alloc(100_000)), true)],
  ['a lie about the push', on(['push'], orders.done)],
  ['a tip that nobody has', wrongTip],
];

describe('a Git server that does whatever is wrong', patient, () => {
  it('stops nothing, and nothing is lost: every outcome is in Git once, the cluster as Git says', async () => {
    const flags: Record<string, string> = {};
    const options: StageOptions = { files: appFiles(), hosts: [hostOf()], started: false, flags };
    await onStage(options, async (stage) => {
      const host: HostileGit = await startHostileGit(join(stage.repoPath, '..'));
      const done = new Map<string, number>();
      try {
        flags['git-url'] = `${host.url}/config.git`;
        const dice = createDice(7);
        let next = 0;
        host.order(async (ordered) => {
          if (!dice.chance(0.2)) return false;
          const [name, order] = all[(next += 1) % all.length] ?? ['', () => false];
          const isDone = await order(ordered);
          if (isDone) done.set(name, (done.get(name) ?? 0) + 1);
          return isDone;
        });
        await stage.start();
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await outcome(stage, 1, 60_000);
        await stage.edit('podinfo 3.1.2 (bad)', appPath(), toTag('3.1.2'));
        await outcome(stage, 2, 60_000);
        expect(weights(stage)).toEqual([100, 0]);
        await stage.edit('podinfo 3.1.3', appPath(), toTag('3.1.3'));
        await outcome(stage, 3, 60_000);
        // Each has been done by now, and once more to who waits for the next push.
        expect([...done.keys()].toSorted()).toEqual(
          all
            .map(([name]) => name)
            .filter((name) => done.has(name))
            .toSorted(),
        );
        expect(done.size).toBeGreaterThan(all.length / 2);
        host.order(undefined);
        await stage.until(
          'all is settled',
          () => canary(stage).phase === 'Succeeded' && image(stage, 'podinfo-primary') === 'podinfo:3.1.3',
        );
        expect((await outcomes(stage)).map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
          'promote test/podinfo 3.1.1',
          'rollback test/podinfo 3.1.2',
          'promote test/podinfo 3.1.3',
        ]);
        await expectSound(stage);
      } finally {
        await stage.agent.stop();
        await host.stop();
      }
    });
  });
});
