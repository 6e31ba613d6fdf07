import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/lib/log.ts';
import { openUi } from '../../src/ui/open-ui.ts';
import { aBrowser, askerOf, plainSettings } from '../ui/a-dashboard.ts';
import { appFiles, appPath, hostOf } from './apps.ts';
import { canary, image } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { onStage, patient, type Stage } from './stage.ts';
import { flagsFor, slowly, withRegistry } from './upgrades.ts';

const entry = new URL('../../dist/ui/thread.js', import.meta.url);

/** The dashboard of a stage's agent on its own thread, and a browser of somebody who may act. */
async function opened(stage: Stage) {
  const agent = stage.agent.dashboard;
  if (!agent) throw new Error('the agent runs in another process');
  const ui = await openUi({
    agent,
    settings: { ...plainSettings, anonymous: 'operate' },
    entry,
    clock: stage.clock,
    log: silentLogger,
  });
  const { ask, origin } = askerOf(ui.port ?? 0);
  const browser = aBrowser({ ask, origin });
  const page = async (path: string): Promise<string> => (await browser.get(path)).body;
  return { ui, browser, page };
}

describe('somebody at the dashboard', patient, () => {
  it('picks a version, sees the commit that it makes, makes it, finds his name in Git, sets a threshold, and takes the version back', async () => {
    await withRegistry(async (registry) => {
      await registry.push('podinfo', '1.4.0');
      await registry.push('podinfo', '1.4.1');
      const files = appFiles({ tag: '1.4.0', steps: '[50]', interval: '5s' });
      const text = (files[appPath()] ?? '').replace('registry.test/podinfo', `${registry.registry}/podinfo`);
      const whole = { ...files, [appPath()]: text };
      await onStage({ files: whole, hosts: [hostOf()], flags: flagsFor(registry) }, async (stage) => {
        await adopted(stage);
        const { ui, browser, page } = await opened(stage);
        try {
          const app = '/apps/test/podinfo';
          await stage.until('the app on the dashboard', async () => (await page('/')).includes('podinfo'));
          expect(await page(`${app}/images`)).toContain('1.4.1');
          const form = `${app}/acts/release?container=podinfod&tag=1.4.1&reason=because`;
          const preview = await page(form);
          expect(preview).toContain('release test/podinfo 1.4.0 -&gt; 1.4.1');
          expect(preview).toContain('Requested-by: anonymous');
          expect(preview).toContain('podinfo:1.4.1&quot;');
          // Looking has written nothing.
          expect(await stage.file(appPath())).toBe(text);

          const sent = await browser.post(form, `${app}/acts/release`, {
            container: 'podinfod',
            tag: '1.4.1',
            reason: 'because',
          });
          expect(sent.headers.location).toBe(app);
          expect(await page(app)).toMatch(/Commit [0-9a-f]{8}: release test\/podinfo 1\.4\.0 -&gt; 1\.4\.1/);
          expect(await stage.file(appPath())).toBe(text.replace('podinfo:1.4.0', 'podinfo:1.4.1'));
          const body = await stage.run('log', '-1', '--format=%B', '--grep=^Act: release', 'main');
          expect(body).toContain('because');
          expect(body).toMatch(/^App: test\/podinfo\nAct: release\n[^]*\nRequested-by: anonymous\n/m);

          expect((await outcome(stage, 1, slowly)).subject).toBe('promote test/podinfo 1.4.1');
          expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
          await stage.until('the phase on the dashboard', async () => {
            const shown = await page(app);
            return canary(stage).phase === 'Succeeded' && shown.includes('promoted');
          });
          await stage.until('the history', async () => (await page(`${app}/history`)).includes('1.4.1'));
          // The commit that he made, and the outcome of it.
          await stage.until(
            'his name twice in the history',
            async () => (await page(`${app}/history`)).split('by anonymous').length === 3,
          );
          expect(await page(`${app}/yaml`)).toContain('kind: Canary');
          expect(await page(`${app}/pods`)).toContain('podinfo-primary');

          const path = 'apps/podinfo/canary.yaml';
          const before = (await stage.file(path)) ?? '';
          const setting = `${app}/acts/set?set.analysis.threshold=7&reason=stricter`;
          expect(await page(setting)).toContain('threshold: 7');
          await browser.post(setting, `${app}/acts/set`, { 'set.analysis.threshold': '7', reason: 'stricter' });
          expect(await page(app)).toMatch(/Commit [0-9a-f]{8}: set test\/podinfo/);
          expect(await stage.file(path)).toBe(before.replace(/threshold: \d+/, 'threshold: 7'));

          const back = await browser.post(`${app}/acts/rollback`, `${app}/acts/rollback`, { reason: 'it is slow' });
          expect(back).toMatchObject({ status: 303, body: '' });
          expect(await page(app)).toMatch(/Commit [0-9a-f]{8}: take back test\/podinfo/);
          expect(await stage.file(appPath())).toBe(text);
          expect(await stage.file(path)).toContain('threshold: 7');
          await browser.post(form, `${app}/acts/release`, { container: 'nothing', tag: '1.4.1' });
          expect(await page(app)).toContain('the app has no such container');
          expect(stage.happened.some(({ message }) => message.startsWith('Written to Git for anonymous'))).toBe(true);
        } finally {
          await ui.close();
        }
      });
    });
  });
});
