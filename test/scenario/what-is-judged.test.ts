import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, editByHand, image, object, record, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const told = ({ happened }: Stage, text: string): number =>
  happened.filter(({ message }) => message.startsWith(text)).length;

/** A Secret of somebody else's operator, which Git does not have; pods take it where it is. */
const withCredentials = (text: string): string =>
  text.replace(
    '          readinessProbe:',
    '            - secretRef: { name: credentials, optional: true }\n          readinessProbe:',
  );
const credentials = (password: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name: 'credentials', namespace: 'test' },
  data: { PASSWORD: Buffer.from(password).toString('base64') },
});

describe('a release', patient, () => {
  it('of an image and a ConfigMap of one commit begins once and ends in one outcome, also where a part was refused first', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      const pushed = await stage.edit('3.1.1 with another greeting', appPath(), (text) =>
        toTag('3.1.1')(text).replace('hello', 'bye'),
      );
      expect(await outcome(stage, 1)).toMatchObject({
        subject: expect.stringMatching(/^promote test\/podinfo 3\.1\.1/),
        trailers: { Revision: pushed },
      });
      expect(told(stage, 'New revision detected!')).toBe(1);
      expect(object(stage, 'ConfigMap', 'podinfo-settings-primary')?.['data']).toEqual({ PODINFO_UI_MESSAGE: 'bye' });

      // The Deployment is refused, the ConfigMap is not: the pods that run have not been asked for like this.
      const slipped = await stage.edit('3.1.5, and a slip', appPath(), (text) =>
        toTag('3.1.5')(text)
          .replace('bye', 'ahoy')
          .replace('matchLabels:\n      app: podinfo', 'matchLabels:\n      app: podinf0'),
      );
      await stage.said(
        /^No release of podinfo\.test begins until all of what Git says is applied: Deployment test\/podinfo: /,
      );
      await stage.restsFor(30_000);
      expect(canary(stage)).toMatchObject({ phase: 'Succeeded', weight: 0 });
      await stage.edit('no slip', appPath(), (text) => text.replace('podinf0', 'podinfo'));
      expect(await outcome(stage, 2)).toMatchObject({
        subject: expect.stringMatching(/^promote test\/podinfo 3\.1\.5/),
        // The selector is not judged: this is where its content was first seen.
        trailers: { Revision: slipped },
      });
      expect(told(stage, 'New revision detected!')).toBe(2);
      expect(told(stage, 'No release of')).toBe(1);
      await expectSound(stage);
    });
  });

  it('goes on as what runs when the pods are restarted by hand or a Secret is renewed amid it, and ends in one outcome', async () => {
    const files = appFiles({ steps: '[20, 40, 60]' });
    files[appPath()] = withCredentials(files[appPath()] ?? '');
    await onStage({ files, hosts: [hostOf()], started: false }, async (stage) => {
      stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
      stage.sandbox.store.create(credentials('first'));
      await stage.start();
      await adopted(stage);
      const pushed = await stage.edit('3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => weights(stage)[1] === 20);
      const id = record(stage)?.id;
      await editByHand(stage, 'Deployment', 'podinfo', {
        spec: {
          template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' } } },
        },
      });
      await stage.said('New revision detected! Restarting analysis for podinfo.test');
      await stage.until('the first step again', () => weights(stage)[1] === 20);
      const tracked = (): string | undefined => {
        const status = object(stage, 'Canary', 'podinfo')?.['status'] as { trackedConfigs?: Record<string, string> };
        return status.trackedConfigs?.['secret/credentials'];
      };
      const before = tracked();
      await editByHand(stage, 'Secret', 'credentials', { data: credentials('second').data });
      await stage.until('the analysis is restarted', () => told(stage, 'New revision detected! Restarting') === 2);
      await stage.until('its status says so', () => tracked() !== before);
      // What is judged is on the Canary: another agent goes on with it.
      await stage.agent.stop();
      await stage.start();
      expect(await outcome(stage, 1)).toMatchObject({
        subject: 'promote test/podinfo 3.1.1',
        trailers: { Revision: pushed, Verdict: 'promoted' },
      });
      expect(told(stage, 'New revision detected!')).toBe(3);
      expect(await outcomes(stage)).toHaveLength(1);
      const ended = record(stage);
      expect(ended?.id).toBe(id);
      const status = object(stage, 'Canary', 'podinfo')?.['status'] as Record<string, unknown>;
      expect(ended?.outcome?.state).toMatchObject({
        templateHash: status['lastPromotedSpec'],
        configs: status['trackedConfigs'] as object,
      });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect(object(stage, 'Secret', 'credentials-primary')?.['data']).toEqual(credentials('second').data);
      await expectSound(stage);
    });
  });
});
