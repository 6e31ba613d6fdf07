import { expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient } from './stage.ts';

it(
  'two agents that run at once by mistake bring a release to one end, in the cluster and in Git',
  patient,
  async () => {
    const poll = { 'git-poll-interval': '2s' };
    await onStage(
      { files: appFiles({ interval: '5s', threshold: 3 }), hosts: [hostOf()], flags: poll },
      async (stage) => {
        await adopted(stage);
        const first = stage.agent;
        await stage.start({ freshMirror: true });
        const second = stage.agent;
        await stage.until('the second agent has synced', () => second.notReady().length === 0);
        try {
          await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
          const promoted = await outcome(stage, 1);
          expect(promoted.subject).toBe('promote test/podinfo 3.1.1');
          await stage.until('the promotion is over', () => canary(stage).phase === 'Succeeded');
          expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
          await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
          const rolledBack = await outcome(stage, 2);
          expect(rolledBack.subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
          await stage.until('users are home', () => canary(stage).phase === 'Failed' && weights(stage)[0] === 100);
          await stage.restsFor(20_000);
          expect(await outcomes(stage)).toHaveLength(2);
          expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
          await expectSound(stage);
        } finally {
          await first.stop();
        }
      },
    );
  },
);
