import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { harms, inTurn } from '../helpers/hostile-git.ts';
import { startHostileHost } from '../helpers/hostile-host.ts';
import { createDice } from '../release/a-release.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type StageOptions } from './stage.ts';

describe('a Git server that does whatever is wrong', patient, () => {
  it('stops nothing, and nothing is lost: every outcome is in Git once, the cluster as Git says', async () => {
    const flags: Record<string, string> = {};
    const options: StageOptions = { files: appFiles(), hosts: [hostOf()], started: false, flags };
    await onStage(options, async (stage) => {
      const host = await startHostileHost(join(stage.repoPath, '..'));
      const done = new Map<string, number>();
      try {
        flags['git-url'] = `${host.url}/config.git`;
        const dice = createDice(7);
        host.order(inTurn(() => dice.chance(0.2), done));
        await stage.start();
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await outcome(stage, 1, 60_000);
        await stage.edit('podinfo 3.1.2 (bad)', appPath(), toTag('3.1.2'));
        await outcome(stage, 2, 60_000);
        expect(weights(stage)).toEqual([100, 0]);
        await stage.edit('podinfo 3.1.3', appPath(), toTag('3.1.3'));
        await outcome(stage, 3, 60_000);
        expect(done.size).toBeGreaterThan(harms.length / 2);
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
