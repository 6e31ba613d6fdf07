import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { livesUntil } from './lives.ts';
import { canary, image, record, replicas, weights } from './look.ts';
import { outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient } from './stage.ts';

describe('agents that die after every few writes', patient, () => {
  it('bring releases to the same end as one that lives', async () => {
    const writes = 2;
    await onStage({ files: appFiles(), hosts: [hostOf()], started: false }, async (stage) => {
      const landed = (verdict: string) => () => {
        const outcome = record(stage)?.outcome;
        return outcome?.verdict === verdict && outcome.written !== undefined;
      };
      const atRest = (phase: string) => () => canary(stage).phase === phase;
      await livesUntil(stage, writes, 'the first version runs', atRest('Initialized'));

      const good = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      const promotion = await livesUntil(
        stage,
        writes,
        'the promotion',
        () => landed('promoted')() && atRest('Succeeded')(),
      );
      expect(promotion).toBeGreaterThan(3);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      const promoted = await stage.file(appPath());

      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await livesUntil(stage, writes, 'the rollback', () => landed('rolled-back')() && atRest('Failed')());
      expect((await outcomes(stage)).map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
        'promote test/podinfo 3.1.1',
        'rollback test/podinfo 3.1.2',
      ]);
      expect(await stage.file(appPath())).toBe(promoted);
      expect(weights(stage)).toEqual([100, 0]);
      expect(replicas(stage, 'podinfo')).toBe(0);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect((await ledger(stage))?.stable).toMatchObject({ release: 1, revision: good });
      await expectSound(stage);
    });
  });
});
