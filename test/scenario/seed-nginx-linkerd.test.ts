import { expect, it } from 'vitest';
import { documentLines, expectTold } from './documents.ts';
import { canary, image, object } from './look.ts';
import { outcome, outcomes } from './outcomes.ts';
import { ended, initialized, podinfoFiles, setImage } from './seed-podinfo.ts';
import { expectSound } from './soundness.ts';
import { onStage, onceMore } from './stage.ts';

it('the podinfo of the NGINX guide goes through all its weights on the canary Ingress', onceMore, async () => {
  const folder = '002-podinfo-nginx';
  const files = await podinfoFiles(folder, 'deployment', 'ingress', 'canary');
  const flags = { 'mesh-provider': 'kubernetes', 'default-namespace': 'test' };
  await onStage({ files, flags, speed: 20, perSecond: 8, hosts: ['podinfo.local'] }, async (stage) => {
    const weight = (): string | undefined =>
      object(stage, 'Ingress', 'podinfo-canary')?.metadata.annotations?.['nginx.ingress.kubernetes.io/canary-weight'];
    await initialized(stage);
    expect(weight()).toBe('0');
    const from = stage.happened.length;
    await setImage(stage, folder, '3.1.3');
    await stage.until('the first step', () => weight() === '5');
    await ended(stage, 'Succeeded');
    const advances = Array.from({ length: 10 }, (_, index) => `Advance podinfo.test canary weight ${5 * (index + 1)}`);
    const told = [
      'New revision detected! Scaling up podinfo.test',
      'Starting canary analysis for podinfo.test',
      'Pre-rollout check acceptance-test passed',
      ...advances,
      'Copying podinfo.test template spec to podinfo-primary.test',
      'Routing all traffic to primary',
      'Promotion completed! Scaling down podinfo.test',
    ];
    // On a busy machine the first requests may come a little after the first check.
    const late = ['Halt advancement no values found', 'Halt podinfo.test advancement inconclusive'];
    expectTold(stage, told, { from, unmentioned: ['Waiting for', ...late] });
    expect(weight()).toBe('0');
    expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.3');
    expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
    await expectSound(stage);
  });
});

it('the podinfo of the Linkerd guide begins anew when a newer version comes, and is promoted', onceMore, async () => {
  const folder = '002-podinfo-linkerd';
  const files = await podinfoFiles(folder, 'deployment', 'ingress', 'canary');
  const flags = { 'mesh-provider': 'linkerd', 'default-namespace': 'test' };
  await onStage({ files, flags, routing: 'smi', speed: 30, hosts: ['podinfo.test:9898'] }, async (stage) => {
    await initialized(stage);
    const from = stage.happened.length;
    // A version whose pods never get ready.
    await setImage(stage, folder, '3.1.4');
    await stage.said(/^canary deployment podinfo\.test not ready/);
    await setImage(stage, folder, '3.1.1');
    await stage.said('New revision detected! Restarting analysis for podinfo.test');
    expectTold(stage, await documentLines(`${folder}/restart.txt`), { from });
    await stage.until('the first step', () => canary(stage).weight === 5);
    const status = object(stage, 'Canary', 'podinfo')?.['status'];
    expect(status).toMatchObject({
      canaryWeight: 5,
      conditions: expect.arrayContaining([
        expect.objectContaining({
          message: 'New revision detected, progressing canary analysis.',
          reason: 'Progressing',
          status: 'Unknown',
          type: 'Promoted',
        }),
      ]),
      failedChecks: 0,
      iterations: 0,
      phase: 'Progressing',
    });
    await ended(stage, 'Succeeded');
    expect(object(stage, 'Canary', 'podinfo')?.['status']).toMatchObject({
      canaryWeight: 0,
      conditions: [
        {
          message: 'Canary analysis completed successfully, promotion finished.',
          reason: 'Succeeded',
          status: 'True',
          type: 'Promoted',
        },
      ],
      failedChecks: 0,
      phase: 'Succeeded',
    });
    const { trailers } = await outcome(stage, 1);
    expect(trailers).toMatchObject({ Verdict: 'promoted', Images: expect.stringContaining('podinfo:3.1.1') });
    expect(await outcomes(stage)).toHaveLength(1);
    await expectSound(stage);
  });
});
