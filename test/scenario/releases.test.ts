import { describe, expect, it } from 'vitest';
import { revParse, show } from '../helpers/temp-repo.ts';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, image, object, record, replicas, weights } from './look.ts';
import { agentCommits, adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const firstVersion = async (stage: Stage): Promise<void> => {
  await adopted(stage);
  expect(canary(stage).phase).toBe('Initialized');
};

describe('a release', patient, () => {
  it('of a good version is promoted, and Git tells it by commit, tag and ledger [R40]', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      const pushed = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      const { subject, trailers, commit } = await outcome(stage, 1);
      expect(subject).toBe('promote test/podinfo 3.1.1');
      expect(trailers).toMatchObject({
        Release: 'test/podinfo/1',
        Verdict: 'promoted',
        Images: 'podinfod=registry.test/podinfo:3.1.1',
        'Previous-Images': 'podinfod=registry.test/podinfo:3.1.0',
        Revision: pushed,
        Cluster: 'stage',
      });
      expect(await stage.run('log', '-1', '--format=%b', commit)).toMatch(
        / 20% +passed +request-success-rate +success rate 100\.00%/,
      );
      await stage.until('the agent has noted it', () => record(stage)?.outcome?.written === commit);
      expect(canary(stage)).toEqual({ phase: 'Succeeded', weight: 0, failedChecks: 0 });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect(weights(stage)).toEqual([100, 0]);
      expect(replicas(stage, 'podinfo')).toBe(0);
      expect((await ledger(stage))?.stable).toMatchObject({ release: 1, revision: pushed });
      // Its own commit is seen as any other and changes nothing.
      await stage.said(`Synced ${commit.slice(0, 10)}`);
      expect(stage.happened.filter(({ message }) => message.startsWith('New revision'))).toHaveLength(1);
      await expectSound(stage);
    });
  });

  it('of a bad version is taken back in the cluster and in Git, byte for byte', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      const before = await stage.file(appPath());
      const pushed = await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      const { subject, trailers, commit } = await outcome(stage, 1);
      expect(subject).toBe('rollback test/podinfo 3.1.2: success rate 0.00% < 99%');
      expect(trailers).toMatchObject({
        Release: 'test/podinfo',
        Verdict: 'rolled-back',
        Revision: pushed,
        Reverts: pushed,
        'Failed-Check': 'request-success-rate: success rate 0.00% < 99%',
      });
      expect(await stage.file(appPath())).toBe(before);
      expect((await ledger(stage))?.quarantine).toMatchObject([
        { revision: pushed, failedCheck: 'request-success-rate' },
      ]);
      expect((await ledger(stage))?.stable?.release).toBe(0);
      await stage.until('the status', () => canary(stage).phase === 'Failed');
      expect(canary(stage)).toMatchObject({ phase: 'Failed', weight: 0 });
      expect(weights(stage)).toEqual([100, 0]);
      expect(replicas(stage, 'podinfo')).toBe(0);
      // The revert is what the primary runs: it is no release.
      await stage.said(`Synced ${commit.slice(0, 10)}`);
      await stage.until('the target is back', () => image(stage, 'podinfo') === 'podinfo:3.1.0');
      await stage.restsFor(20_000);
      expect(stage.happened.filter(({ message }) => message.startsWith('New revision'))).toHaveLength(1);
      expect(await outcomes(stage)).toHaveLength(1);
      await expectSound(stage);
    });
  });

  it('can be a changed ConfigMap alone', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      await stage.edit('greet politely', appPath(), (text) => text.replace('MESSAGE: hello', 'MESSAGE: good evening'));
      const { subject, trailers, commit } = await outcome(stage, 1);
      expect(subject).toBe('promote test/podinfo (ConfigMap podinfo-settings)');
      expect(trailers['Verdict']).toBe('promoted');
      const body = await stage.run('show', '-s', '--format=%b', commit);
      expect(body).toMatch(/^Pushed: "greet politely" by \S.*\.$/m);
      expect(body).toContain('\n  changed: ConfigMap podinfo-settings (PODINFO_UI_MESSAGE)\n');
      expect(body).not.toContain('good evening');
      const told = stage.happened.map(({ message }) => message);
      expect(told.indexOf('ConfigMap podinfo-settings has changed')).toBeLessThan(
        told.indexOf('New revision detected! Scaling up podinfo.test'),
      );
      expect(object(stage, 'ConfigMap', 'podinfo-settings-primary')?.['data']).toEqual({
        PODINFO_UI_MESSAGE: 'good evening',
      });
      await expectSound(stage);
    });
  });

  it('is superseded by a newer push, whose outcome names it', async () => {
    await onStage({ files: appFiles({ steps: '[20, 30, 40, 50]' }), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      const first = record(stage)?.id;
      const pushed = await stage.edit('podinfo 3.1.5', appPath(), toTag('3.1.5'));
      const { subject, trailers, commit } = await outcome(stage, 1);
      expect(subject).toBe('promote test/podinfo 3.1.5');
      expect(await stage.run('show', '-s', '--format=%b', commit)).toMatch(
        /^It superseded an earlier push that was not judged to the end:\n {2}[0-9a-f]{12} "podinfo 3\.1\.1" by \S/m,
      );
      expect(trailers).toMatchObject({ Supersedes: first, Revision: pushed });
      expect(stage.happened.map(({ message }) => message)).toContain(
        'New revision detected! Restarting analysis for podinfo.test',
      );
      expect(await outcomes(stage)).toHaveLength(1);
      await expectSound(stage);
    });
  });

  it('that somebody takes back before it is judged to the end leaves a commit that says so, and nothing in quarantine', async () => {
    await onStage({ files: appFiles({ steps: '[20, 30, 40, 50]' }), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      const before = (await stage.file(appPath())) ?? '';
      const pushed = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      const back = await stage.push('no, wait', { [appPath()]: before });
      const withdrawn = await stage.untilPushed('the trace', async () =>
        (await agentCommits(stage)).find(({ trailers }) => trailers['Verdict'] === 'withdrawn'),
      );
      expect(withdrawn.subject).toMatch(/^withdraw test\/podinfo 3\.1\.1: taken back by \S/);
      expect(withdrawn.trailers).toMatchObject({ Revision: pushed, Images: 'podinfod=registry.test/podinfo:3.1.1' });
      const body = await stage.run('show', '-s', '--format=%b', withdrawn.commit);
      expect(body).toMatch(/^Pushed: "podinfo 3\.1\.1" by \S/m);
      expect(body).toContain(`Taken back at ${back.slice(0, 12)} "no, wait" by `);
      expect((await ledger(stage))?.quarantine).toBeUndefined();
      expect(await outcomes(stage)).toEqual([]);

      await stage.edit('podinfo 3.1.5', appPath(), toTag('3.1.5'));
      const next = await outcome(stage, 1);
      expect(next.subject).toBe('promote test/podinfo 3.1.5');
      expect(next.trailers).not.toHaveProperty('Supersedes');
      await expectSound(stage);
    });
  });

  it('that is being promoted when a newer push comes is promoted as what it is, and the newer one is judged by itself', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await firstVersion(stage);
      const good = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      const promoted = await stage.file(appPath());
      await stage.until('the promotion', () => canary(stage).phase === 'Promoting');
      const bad = await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await outcome(stage, 2);
      const found = await outcomes(stage);
      expect(found.map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
        'promote test/podinfo 3.1.1',
        'rollback test/podinfo 3.1.2',
      ]);
      expect(found.map(({ trailers: { Revision } }) => Revision)).toEqual([good, bad]);
      expect(await stage.file(appPath())).toBe(promoted);
      await expectSound(stage);
    });
  });

  it('of two apps in one commit and one file ends for each by itself', async () => {
    const [good, bad] = [{ name: 'good' }, { name: 'bad' }];
    const files = {
      'apps/namespace.yaml': namespaceYaml(),
      'apps/both.yaml': [good, bad].flatMap((app) => [deploymentYaml(app), configYaml(app)]).join('---\n'),
      'apps/canaries.yaml': [good, bad].map(canaryYaml).join('---\n'),
    };
    await onStage({ files, hosts: [hostOf(good), hostOf(bad)] }, async (stage) => {
      await adopted(stage, 'test/good', 'test/bad');
      const pushed = await stage.edit('upgrade both', 'apps/both.yaml', (text) => {
        const [first = '', ...rest] = text.split('---\n');
        const second = rest.join('---\n');
        return [toTag('3.1.1')(first), toTag('3.1.2')(second)].join('---\n');
      });
      await outcome(stage, 2);
      const found = await outcomes(stage);
      expect(found.map(({ subject }) => subject.replace(/:.*/, '')).toSorted()).toEqual([
        'promote test/good 3.1.1',
        'rollback test/bad 3.1.2',
      ]);
      expect(found.every(({ trailers: { Revision } }) => Revision === pushed)).toBe(true);
      const file = (await stage.file('apps/both.yaml')) ?? '';
      expect(file).toBe((await show(stage.repoPath, pushed, 'apps/both.yaml')).replace('3.1.2', '3.1.0'));
      expect(image(stage, 'good-primary')).toBe('podinfo:3.1.1');
      expect(image(stage, 'bad-primary')).toBe('podinfo:3.1.0');
      expect(await revParse(stage.repoPath, 'releases/test/good/1^{commit}')).toBe(pushed);
      await expectSound(stage);
    });
  });
});
