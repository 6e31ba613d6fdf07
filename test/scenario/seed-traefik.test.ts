import { expect, it } from 'vitest';
import { documentFile, documentLines, expectTold } from './documents.ts';
import { canary, editByHand, image, readyReplicas, replicas } from './look.ts';
import { outcome } from './outcomes.ts';
import { ended, initialized, podinfoFiles, setImage } from './seed-podinfo.ts';
import { expectSound } from './soundness.ts';
import { onStage, onceMore } from './stage.ts';

it(
  'the podinfo of the Traefik guide is promoted, and rolled back for errors and for a metric of its own',
  onceMore,
  async () => {
    const folder = '001-podinfo-traefik';
    const files = await podinfoFiles(folder, 'deployment', 'ingressroute', 'canary');
    const host = 'app.example.com';
    const flags = { 'mesh-provider': 'traefik', 'default-namespace': 'test' };
    await onStage({ files, flags, routing: 'traefik', speed: 20, perSecond: 8, hosts: [host] }, async (stage) => {
      await initialized(stage);
      // The guide's autoscaler keeps two pods of the primary.
      await editByHand(stage, 'Deployment', 'podinfo-primary', { spec: { replicas: 2 } });
      await stage.until('both pods run', () => readyReplicas(stage, 'podinfo-primary') === 2);
      // The agent has seen so, too.
      await stage.restsFor(10_000);

      let from = stage.happened.length;
      await setImage(stage, folder, '4.0.6');
      await ended(stage, 'Succeeded');
      const start = 'Starting canary analysis for';
      expectTold(stage, await documentLines(`${folder}/success.txt`), { from, unmentioned: [start] });
      expect(canary(stage)).toEqual({ phase: 'Succeeded', weight: 0, failedChecks: 0 });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:4.0.6');
      expect(replicas(stage, 'podinfo-primary')).toBe(2);
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 4.0.6');

      from = stage.happened.length;
      await setImage(stage, folder, '4.0.7');
      await stage.until('a fifth of the traffic', () => canary(stage).weight === 20);
      stage.ask(host, '/status/500');
      await ended(stage, 'Failed');
      expectTold(stage, await documentLines(`${folder}/failure.txt`), { from });
      expect((await outcome(stage, 2)).subject).toMatch(
        /^rollback test\/podinfo 4\.0\.7: success rate \d+\.\d\d% < 99%$/,
      );
      await stage.hush();
      stage.ask(host);

      from = stage.happened.length;
      await stage.push('watch the share of 404s', {
        [`apps/${folder}/canary.yaml`]: await documentFile(`${folder}/canary-custom-metric.yaml`),
        [`apps/${folder}/metric-template.yaml`]: await documentFile(`${folder}/metric-template.yaml`),
        [`apps/${folder}/deployment.yaml`]: (await documentFile(`${folder}/deployment.yaml`)).replace('3.1.0', '4.0.8'),
      });
      await stage.until('15 % of the traffic', () => canary(stage).weight === 15);
      stage.ask(host, '/status/404', '/status/404', '/status/404');
      await ended(stage, 'Failed');
      const unmentioned = [
        'New revision detected!',
        'canary deployment podinfo.test not ready',
        'Waiting for',
        'Pre-rollout',
      ];
      expectTold(stage, await documentLines(`${folder}/custom-metric.txt`), { from, unmentioned });
      expect((await outcome(stage, 3)).subject).toMatch(/: 404s percentage \d+\.\d\d > 5$/);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:4.0.6');
      await expectSound(stage);
    });
  },
);
