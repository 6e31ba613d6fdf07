import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, record, replicas, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type StageOptions } from './stage.ts';

/** The built agent in its own process and with the wall's clock. */
const aProcess = (app: { threshold?: number; steps?: string } = {}): StageOptions => ({
  files: appFiles({ interval: '1s', threshold: 4, ...app }),
  hosts: [hostOf()],
  agent: 'process',
  perSecond: 20,
  podStartMs: 50,
});

describe.concurrent('an agent that is killed', patient, () => {
  it('amid a canary goes on with it at the same weight', async () => {
    await onStage(aProcess({ steps: '[20, 30, 40, 50]' }), async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('some steps', () => canary(stage).weight === 30);
      await stage.agent.kill();
      const before = record(stage)?.id;
      expect(weights(stage)).toEqual([70, 30]);
      const from = stage.happened.length;
      await stage.start();
      await stage.until('the next step', () => canary(stage).weight === 40);
      const { subject, trailers } = await outcome(stage, 1);
      expect(subject).toBe('promote test/podinfo 3.1.1');
      expect(trailers['Release-Id']).toBe(before);
      const told = stage.happened.slice(from).map(({ message }) => message);
      expect(told.filter((line) => /New revision|Starting|weight [23]0/.test(line))).toEqual([]);
      await expectSound(stage);
    });
  });

  it('between a rollback and its push writes it after the next start, and does not try the version again', async () => {
    await onStage(aProcess(), async (stage) => {
      await adopted(stage);
      const before = await stage.file(appPath());
      stage.git.faults.inject({ kind: 'hang' }, { only: 'push' });
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('the outcome is noted', () => record(stage)?.outcome?.verdict === 'rolled-back');
      await stage.until('traffic is safe', () => canary(stage).phase === 'Failed' && weights(stage)[0] === 100);
      await stage.agent.kill();
      stage.git.faults.clear();
      expect(await outcomes(stage)).toEqual([]);
      const from = stage.happened.length;
      await stage.start({ freshMirror: true });
      const { commit, trailers } = await outcome(stage, 1);
      expect(trailers).toMatchObject({ Verdict: 'rolled-back', 'Release-Id': record(stage)?.id });
      expect(await stage.file(appPath())).toBe(before);
      await stage.until('the agent has noted it', () => record(stage)?.outcome?.written === commit);
      await stage.until('the target is stable', () => image(stage, 'podinfo') === 'podinfo:3.1.0');
      expect(replicas(stage, 'podinfo')).toBe(0);
      expect(stage.happened.slice(from).filter(({ message }) => message.startsWith('New revision'))).toEqual([]);
      await expectSound(stage);
    });
  });

  it('after its push has landed finds it, and writes nothing twice', async () => {
    await onStage(aProcess(), async (stage) => {
      await adopted(stage);
      stage.git.faults.inject({ kind: 'hang-response' }, { only: 'push' });
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      const { commit } = await outcome(stage, 1);
      expect(record(stage)?.outcome?.written).toBeUndefined();
      await stage.agent.kill();
      stage.git.faults.clear();
      await stage.start();
      await stage.until('the agent has noted it', () => record(stage)?.outcome?.written === commit);
      expect(await outcomes(stage)).toHaveLength(1);
      await stage.until('the status', () => canary(stage).phase === 'Succeeded');
      await expectSound(stage);
    });
  });
});
