import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commitFiles, revParse, subjects } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, record, replicas, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const files = appFiles();
const hosts = [hostOf()];

/** The rejected version gets nothing, whatever Git says. */
function expectSafe(stage: Stage): void {
  expect(weights(stage)).toEqual([100, 0]);
  expect(replicas(stage, 'podinfo')).toBe(0);
  expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
}

describe('an outcome', patient, () => {
  it('is built anew on top of a commit that somebody pushed at the same moment', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const foreign = (message: string) => async () => {
        await commitFiles(stage.repoPath, { message, files: { [`docs/${message}.md`]: `${message}\n` } });
      };
      stage.git.faults.beforePush(foreign('first'));
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await outcome(stage, 1);
      stage.git.faults.beforePush(foreign('second'));
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await outcome(stage, 2);
      expect((await subjects(stage.repoPath)).toReversed().map((subject) => subject.replace(/:.*/, ''))).toEqual([
        'initial commit',
        'adopt test/podinfo',
        'podinfo 3.1.1',
        'first',
        'promote test/podinfo 3.1.1',
        'podinfo 3.1.2',
        'second',
        'rollback test/podinfo 3.1.2',
      ]);
      expect(await stage.file('docs/second.md')).toBe('second\n');
      expect(await stage.file(appPath())).toContain('podinfo:3.1.1');
      await expectSound(stage);
    });
  });

  it('whose answer was lost is looked for, not written again', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      stage.git.faults.inject({ kind: 'drop-response' }, { only: 'push', times: 1 });
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      const { commit } = await outcome(stage, 1);
      await stage.until('the agent has found it', () => record(stage)?.outcome?.written === commit);
      await stage.restsFor(20_000);
      expect(await outcomes(stage)).toHaveLength(1);
      await expectSound(stage);
    });
  });

  it('waits for Git to come back while the cluster is safe, even if the agent has to start anew meanwhile', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const before = await stage.file(appPath());
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      await stage.git.faults.down();
      await stage.agent.stop();
      // As in a new pod: nothing is left of the mirror, and users are still on the bad version.
      await stage.start({ freshMirror: true });
      await stage.until('the rollback', () => canary(stage).phase === 'Failed');
      expectSafe(stage);
      await stage.until('people are told', () => record(stage)?.outcome?.blocked !== undefined);
      expect(stage.happened.map(({ message }) => message)).toContainEqual(
        expect.stringMatching(/^Rollback of podinfo\.test cannot be written to Git: /),
      );

      const from = stage.happened.length;
      await stage.agent.stop();
      await stage.start({ freshMirror: true });
      await stage.restsFor(60_000);
      expectSafe(stage);
      expect(canary(stage).phase).toBe('Failed');
      await stage.git.faults.up();

      const { commit, trailers } = await outcome(stage, 1, 30_000);
      expect(trailers['Verdict']).toBe('rolled-back');
      expect(await stage.file(appPath())).toBe(before);
      await stage.until('the agent has noted it', () => record(stage)?.outcome?.written === commit);
      await stage.until('the target is stable', () => image(stage, 'podinfo') === 'podinfo:3.1.0');
      await stage.restsFor(20_000);
      expectSafe(stage);
      expect(stage.happened.slice(from).filter(({ message }) => message.startsWith('New revision'))).toEqual([]);
      await expectSound(stage);
    });
  });

  it('that a hook refuses is told and written once it may be', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const hook = join(stage.repoPath, 'hooks', 'pre-receive');
      await writeFile(hook, '#!/bin/sh\necho "main is frozen" >&2\nexit 1\n');
      await chmod(hook, 0o755);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.said(/^Promotion of podinfo\.test cannot be written to Git: .*main is frozen/);
      expect(canary(stage).phase).toBe('Succeeded');
      expect((await ledger(stage))?.stable?.release).toBe(0);

      // The next release does not lose the one that still waits, and a start in between loses neither.
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('the rollback', () => canary(stage).phase === 'Failed');
      await stage.until('it is noted', () => record(stage)?.outcome?.verdict === 'rolled-back');
      await stage.agent.stop();
      await rm(hook);
      await stage.start();
      await outcome(stage, 2);
      expect((await outcomes(stage)).map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
        'promote test/podinfo 3.1.1',
        'rollback test/podinfo 3.1.2',
      ]);
      expect(await stage.file(appPath())).toContain('podinfo:3.1.1');
      expect(await revParse(stage.repoPath, 'refs/tags/releases/test/podinfo/1')).toBeTruthy();
      await expectSound(stage);
    });
  });
});
