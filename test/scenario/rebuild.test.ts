import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, editByHand, image, record, replicas, weights } from './look.ts';
import { adopted, agentCommits, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient } from './stage.ts';

const files = appFiles();
const hosts = [hostOf()];

describe('Git alone tells what runs', patient, () => {
  it('an empty cluster is rebuilt at the stable state, and then what was never judged runs its canary', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      await stage.agent.stop();
      const pushed = await stage.edit('podinfo 3.1.2, at night', appPath(), toTag('3.1.2'));
      await stage.replaceCluster();
      const from = stage.happened.length;
      await stage.start({ freshMirror: true });
      await stage.until('the stable version runs', () => canary(stage).phase === 'Initialized');
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      const { subject, trailers } = await outcome(stage, 1);
      expect(subject).toMatch(/^rollback test\/podinfo 3\.1\.2: success rate/);
      expect(trailers['Revision']).toBe(pushed);
      const told = stage.happened.slice(from).map(({ message }) => message);
      expect(told.indexOf('Initialization done! podinfo.test')).toBeLessThan(
        told.indexOf('New revision detected! Scaling up podinfo.test'),
      );
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      await expectSound(stage);
    });
  });

  it('an app that leaves Git closes its ledger with a commit that says who removed it, and comes back as a new one', async () => {
    await onStage({ files: { ...files, ...appFiles({ name: 'stays' }) }, hosts }, async (stage) => {
      await adopted(stage, 'test/podinfo', 'test/stays');
      const gone = { [appPath()]: null, 'apps/podinfo/canary.yaml': null };
      const removed = await stage.push('podinfo is history', gone);
      const close = await stage.untilPushed('the ledger is closed', async () =>
        (await agentCommits(stage)).find(({ trailers }) => trailers['Verdict'] === 'removed'),
      );
      expect(close.subject).toMatch(/^close test\/podinfo: removed from Git by \S/);
      expect(close.trailers).toMatchObject({ Release: 'test/podinfo', Revision: removed });
      expect((await ledger(stage))?.removed).toMatchObject({ revision: removed, by: expect.any(String) as string });
      expect((await ledger(stage, 'test/stays'))?.removed).toBeUndefined();

      const back = Object.fromEntries(Object.keys(gone).map((path) => [path, files[path] ?? '']));
      const returned = await stage.push('podinfo again', {
        ...back,
        [appPath()]: toTag('3.1.1')(files[appPath()] ?? ''),
      });
      await stage.until('it is adopted as it is now', async () => (await ledger(stage))?.stable?.revision === returned);
      expect((await ledger(stage))?.removed).toBeUndefined();
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect((await agentCommits(stage)).filter(({ trailers }) => trailers['Verdict'] === 'removed')).toHaveLength(1);
    });
  });

  it('a person who pushes a rejected version again is obeyed, and told', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      const first = await outcome(stage, 1);
      await stage.until('it is noted', () => record(stage)?.outcome?.written === first.commit);
      await stage.said(`Synced ${first.commit.slice(0, 10)}`);
      const from = stage.happened.length;
      await stage.edit('podinfo 3.1.2, it must work now', appPath(), toTag('3.1.2'));
      const second = await outcome(stage, 2);
      const told = stage.happened.slice(from).map(({ message }) => message);
      expect(told).toContainEqual(
        expect.stringMatching(/^This version of podinfo\.test failed before: success rate 0\.00% < 99%/),
      );
      expect(told).toContain('New revision detected! Scaling up podinfo.test');
      expect(second.trailers['Verdict']).toBe('rolled-back');
      expect(second.trailers['Release-Id']).not.toBe(first.trailers['Release-Id']);
      expect((await ledger(stage))?.quarantine).toHaveLength(2);
      await expectSound(stage);
    });
  });

  it('what somebody changes in the cluster by hand is put right and judged by nobody', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const container = { name: 'podinfod', image: 'registry.test/podinfo:3.1.2' };
      const patch = { spec: { template: { spec: { containers: [container] } } } };
      await editByHand(stage, 'Deployment', 'podinfo', patch, { type: 'application/strategic-merge-patch+json' });
      await stage.said(/^Deployment test\/podinfo drifted: /);
      await stage.until('the image is back', () => image(stage, 'podinfo') === 'podinfo:3.1.0');
      await stage.until('the canary is at rest', () => ['Initialized', 'Succeeded'].includes(canary(stage).phase));
      await stage.restsFor(20_000);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      expect(replicas(stage, 'podinfo')).toBe(0);
      expect(weights(stage)).toEqual([100, 0]);
      expect(await outcomes(stage)).toEqual([]);
      await expectSound(stage);
    });
  });

  it('an agent that is stopped amid a canary goes on with it at the same weight', async () => {
    await onStage({ files: appFiles({ steps: '[20, 30, 40, 50]' }), hosts }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('some steps', () => canary(stage).weight === 30);
      await stage.agent.stop();
      const { weight } = canary(stage);
      const from = stage.happened.length;
      await stage.restsFor(20_000);
      expect(canary(stage).weight).toBe(weight);
      await stage.start();
      await outcome(stage, 1);
      const told = stage.happened.slice(from).map(({ message }) => message);
      const steps = told.filter((message) => message.startsWith('Advance'));
      expect(steps[0]).toBe(`Advance podinfo.test canary weight ${weight + 10}`);
      expect(told.filter((message) => /New revision|Starting/.test(message))).toEqual([]);
      await expectSound(stage);
    });
  });

  it('a release that somebody takes back himself ends without an outcome', async () => {
    await onStage({ files: appFiles({ steps: '[20, 30, 40, 50]' }), hosts }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      await stage.edit('rather not', appPath(), toTag('3.1.0'));
      await stage.until(
        'all is as it was',
        () => canary(stage).phase === 'Initialized' && replicas(stage, 'podinfo') === 0,
      );
      expect(weights(stage)).toEqual([100, 0]);
      await stage.restsFor(20_000);
      expect(await outcomes(stage)).toEqual([]);

      await stage.edit('podinfo 3.1.5', appPath(), toTag('3.1.5'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.5');
      await expectSound(stage);
    });
  });
});
