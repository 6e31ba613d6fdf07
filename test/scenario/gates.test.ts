import { describe, expect, it } from 'vitest';
import { setGate } from '../../src/agent/canaries/gates.ts';
import { openCluster } from '../../src/cluster/client.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { appFiles, appPath, canaryYaml, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const path = 'apps/podinfo/canary.yaml';
/** So long that nothing that is noticed within it came with a tick of the schedule: 30 s of the wall. */
const interval = '600s';

const hooks = (types: Readonly<Record<string, string>>, every: string): Record<string, string> => {
  const lines = Object.entries(types).map(
    ([type, at]) => `      - { name: ${type}, type: ${type}, url: "http://serin.serin/${at}/check" }`,
  );
  const text = canaryYaml({ interval: every, steps: '[50]' }).replace(
    / {4}metrics:[^]*/,
    `    webhooks:\n${lines.join('\n')}\n`,
  );
  return { ...appFiles(), [path]: text };
};

/** As a person with `serin gate` or kubectl does it. */
async function turn(stage: Stage, gate: 'gate' | 'rollback', open: boolean): Promise<void> {
  const source = { kind: 'text' as const, text: stage.sandbox.kubeconfig };
  const cluster = await openCluster(source, { clock: stage.clock, log: silentLogger });
  try {
    const done = await setGate(cluster, { gate, namespace: 'test', name: 'podinfo', open }, AbortSignal.timeout(5_000));
    expect(done).toBe(true);
  } finally {
    await cluster.close();
  }
}

const annotations = (stage: Stage): Readonly<Record<string, string>> =>
  object(stage, 'Canary', 'podinfo')?.metadata.annotations ?? {};
const inPhase = (stage: Stage, phase: string): Promise<unknown> =>
  stage.until(`phase ${phase}`, () => canary(stage).phase === phase, 15_000);

describe('gates that the agent keeps', patient, () => {
  it('open at once, survive a sync and a restart, and stay open until they are closed [R106]', async () => {
    const files = hooks({ 'confirm-rollout': 'gate', 'confirm-promotion': 'gate', rollback: 'rollback' }, '10s');
    await onStage({ files }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await inPhase(stage, 'Waiting');
      await stage.agent.stop();
      await turn(stage, 'gate', true);
      await stage.start();
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      // Applied again from Git, with the annotation of somebody else beside it.
      await stage.edit('a label', path, (text) => text.replace('metadata:\n', 'metadata:\n  labels: { team: shop }\n'));
      await stage.until('the label', () => object(stage, 'Canary', 'podinfo')?.metadata.labels?.['team'] === 'shop');
      expect(annotations(stage)['serin.dev/gate']).toBe('open');
      await turn(stage, 'gate', false);
      await stage.edit('podinfo 3.1.0', appPath(), toTag('3.1.0'));
      await inPhase(stage, 'Waiting');
      await expectSound(stage);
    });
  });

  it('are noticed long before the next tick, and so is a call back while it waits [R9] [R87]', async () => {
    const files = hooks({ 'confirm-rollout': 'gate', rollback: 'rollback' }, interval);
    await onStage({ files }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await inPhase(stage, 'Waiting');
      await turn(stage, 'rollback', true);
      await inPhase(stage, 'Failed');
      expect((await outcome(stage, 1)).subject).toBe('rollback test/podinfo 3.1.1: rollback asked for by rollback');
      await turn(stage, 'rollback', false);
      const from = stage.log.length;
      await stage.edit('podinfo 3.1.1 again', appPath(), toTag('3.1.1'));
      // Opened before the status says that it waits: that is noticed, too.
      await stage.said(/^Halt podinfo\.test advancement waiting for approval/, { from });
      await turn(stage, 'gate', true);
      await inPhase(stage, 'Progressing');
    });
  });
});
