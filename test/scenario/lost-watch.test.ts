import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, replicas } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const atWeight = (stage: Stage, weight: number): Promise<boolean> =>
  stage.until(`the weight ${weight}`, () => canary(stage).weight === weight);

/** Every step in order and none left out. One that cannot be seen (its route is not in view yet) may be told again. */
function expectSteps(stage: Stage, steps: readonly number[]): void {
  const told = stage.happened.map(({ message }) => message).filter((message) => /Advance|New revision/.test(message));
  expect(told.filter((message, at) => message !== told[at - 1])).toEqual([
    'New revision detected! Scaling up podinfo.test',
    ...steps.map((step) => `Advance podinfo.test canary weight ${step}`),
  ]);
}

describe('a canary goes on', patient, () => {
  it('when watches are reset, end, expire, fall silent, and when the API server restarts', async () => {
    const steps = [10, 20, 30, 40, 50, 60];
    await onStage({ files: appFiles({ steps: `[${steps.join()}]` }), hosts: [hostOf()] }, async (stage) => {
      const { faults } = stage.sandbox;
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await atWeight(stage, 10);
      faults.resetWatches();
      await atWeight(stage, 20);
      faults.endWatches();
      await atWeight(stage, 30);
      faults.compact();
      faults.resetWatches();
      await atWeight(stage, 40);
      faults.freezeWatches(true);
      await atWeight(stage, 50);
      faults.freezeWatches(false);
      await faults.restart(200);
      await atWeight(stage, 60);
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expectSteps(stage, steps);
      await expectSound(stage);
    });
  });

  it('when the API server is busy or fails now and then', async () => {
    const steps = [20, 30, 40, 50];
    await onStage({ files: appFiles({ steps: `[${steps.join()}]` }), hosts: [hostOf()] }, async (stage) => {
      const { faults } = stage.sandbox;
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await atWeight(stage, 20);
      faults.failRequests(3, 429, 1);
      await atWeight(stage, 30);
      faults.failRequests(2, 500);
      await atWeight(stage, 40);
      faults.failRequests(2, 503);
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(stage.happened.filter(({ message }) => message.startsWith('New revision'))).toHaveLength(1);
      await stage.until('the end', () => canary(stage).phase === 'Succeeded' && replicas(stage, 'podinfo') === 0);
      expect(await outcomes(stage)).toHaveLength(1);
      await expectSound(stage);
    });
  });

  it('with a version that was pushed while nothing of the cluster could be seen', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      const { faults } = stage.sandbox;
      await adopted(stage);
      faults.freezeWatches(true);
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('the target is applied', () => image(stage, 'podinfo') === 'podinfo:3.1.2');
      await stage.restsFor(20_000);
      faults.compact();
      faults.freezeWatches(false);
      faults.resetWatches();
      expect((await outcome(stage, 1)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2: success rate/);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      await expectSound(stage);
    });
  });
});
