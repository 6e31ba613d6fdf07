import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeployDemo, setDeployDemo } from '../../src/cli/demo/deploy.ts';
import { chromiumNote, chromiumPath, openChromium } from '../helpers/chromium.ts';

const entry = new URL('../../dist/ui/thread.js', import.meta.url);
/** A whole release on a busy machine. */
const slowly = { timeout: 60_000 };

describe.skipIf(chromiumPath === undefined)(
  `the deploy screen of the talk${chromiumNote}`,
  { timeout: 200_000 },
  () => {
    let browser: Browser;
    let demo: DeployDemo;
    beforeAll(async () => {
      browser = await openChromium();
      demo = await setDeployDemo({ entry, withQuotes: false }, new AbortController().signal);
    }, 90_000);
    afterAll(async () => {
      await browser?.close();
      await demo?.stop();
    });

    it('a version is picked and fails without metrics, an older one is picked and promoted, and a threshold is edited, each as a commit', async () => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) complaints.push(message.text());
      });
      const subjects = async (): Promise<readonly string[]> =>
        (await demo.stage.git('log', '--format=%s', 'main')).trim().split('\n');

      await page.goto(demo.dashboardUrl);
      await page.locator('tr[data-part="app-test.podinfo"]', { hasText: 'Ready' }).first().waitFor(slowly);
      await expect.poll(subjects, slowly).toContain('adopt test/podinfo');
      await page.click('.app a >> nth=0');

      await pick(page, '2.1.2');
      expect(await subjects()).toContain('release test/podinfo 2.1.1 -> 2.1.2');
      // Without a reload: the share of users, the new pods, and why it does not go on.
      await page.locator('.app-head', { hasText: '2.1.2' }).waitFor(slowly);
      await page.locator('[data-part=facts]', { hasText: '20 %' }).waitFor(slowly);
      await page.locator('[data-part=pods]', { hasText: 'New version 2.1.2' }).waitFor(slowly);
      await page.locator('[data-part=failed]', { hasText: /no values found|no traffic to measure/ }).waitFor(slowly);
      await page.locator('.app-head', { hasText: 'Rolled back' }).waitFor(slowly);
      await expect.poll(async () => (await subjects())[0], slowly).toMatch(/^rollback test\/podinfo 2\.1\.2: /);
      expect(await demo.stage.git('show', 'main:apps/podinfo.yaml')).toContain('podinfo:2.1.1');

      await tab(page, 'History');
      await page.click('.log .subject a >> nth=0');
      expect(await page.textContent('.told')).toMatch(/podinfod 2\.1\.1.*2\.1\.2/);
      expect(await page.locator('.patch .add', { hasText: 'podinfo:2.1.1' }).count()).toBeGreaterThan(0);
      await tab(page, 'Images');
      // It is not told as the current version, although Git had it a moment ago.
      expect(await page.locator('tr', { hasText: '2.1.2' }).textContent()).toContain('Rolled back');
      expect(await page.locator('tr', { hasText: '2.1.1' }).textContent()).toContain('Users have it');

      await pick(page, '2.1.0');
      await page.locator('.app-head', { hasText: 'Progressing' }).waitFor(slowly);
      await page.locator('.app-head', { hasText: 'Promoted' }).waitFor(slowly);
      await page.locator('[data-part=markers]', { hasText: '60 % of users' }).waitFor(slowly);
      await expect.poll(async () => (await subjects())[0], slowly).toBe('promote test/podinfo 2.1.0');

      await tab(page, 'Settings');
      await page.fill('input[name="set.analysis.threshold"]', '7');
      await page.click('text=Preview the commit');
      await page.locator('.patch .add', { hasText: 'threshold: 7' }).waitFor(slowly);
      await page.click('button:text-is("Commit")');
      await expect.poll(() => demo.stage.git('show', 'main:apps/podinfo.yaml'), slowly).toContain('threshold: 7');
      expect(await demo.stage.git('log', '-1', '--format=%B', 'main', '--', 'apps/podinfo.yaml')).toContain(
        'anonymous',
      );
      expect(complaints).toEqual([]);
      await context.close();
    });
  },
);

async function tab(page: Page, name: string): Promise<void> {
  await page.click(`.tabs a:text-is("${name}")`);
}

/** As a person does: the list of versions, the commit that it makes, and the commit. */
async function pick(page: Page, tag: string): Promise<void> {
  await tab(page, 'Images');
  await page.click(`a[aria-label="Release ${tag} of podinfod"]`);
  await page.locator('h2', { hasText: 'The commit that this makes' }).waitFor();
  expect(await page.locator('.patch .add', { hasText: `podinfo:${tag}` }).count()).toBe(1);
  await page.click('button:text-is("Commit")');
  await page.locator('.note.done, .note.waits').waitFor();
}
