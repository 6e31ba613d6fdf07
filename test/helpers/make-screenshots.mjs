// Pictures of the dashboard for README.md, from the demo as it runs: npm run screenshots
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { setDeployDemo } from '../../dist/cli/demo/deploy.js';

const folder = new URL('../../fixtures/dashboard/', import.meta.url);
const place = (name) => fileURLToPath(new URL(`${name}.png`, folder));
mkdirSync(folder, { recursive: true });

const entry = new URL('../../dist/ui/thread.js', import.meta.url);
const demo = await setDeployDemo({ entry, withQuotes: true }, new AbortController().signal);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const view = async (path, { colorScheme = 'light', width = 1280, height = 900 } = {}) => {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    await page.goto(new URL(path, demo.dashboardUrl).href);
    return page;
  };
  const release = async (page, tag) => {
    await page.goto(new URL('apps/test/podinfo/images', demo.dashboardUrl).href);
    await page.click(`a[aria-label="Release ${tag} of podinfod"]`, { timeout: 60_000 });
    await page.click('button:text-is("Commit")');
  };
  const fleet = await view('');
  for (const app of ['app-test.podinfo', 'app-quotes.quotesbackend'])
    await fleet.locator(`tr[data-part="${app}"]`, { hasText: 'Ready' }).first().waitFor({ timeout: 90_000 });
  while (!(await demo.stage.git('log', '--format=%s', 'main')).includes('adopt')) await new Promise((done) => setTimeout(done, 500));

  // A version that is promoted, then one of which nothing is measured.
  const page = await view('apps/test/podinfo');
  await release(page, '2.1.0');
  await page.locator('.app-head', { hasText: 'Promoted' }).waitFor({ timeout: 90_000 });
  await demo.stage.push('quotes: switch to Star Trek', async (read) => ({
    'apps/quotes.yaml': (await read('apps/quotes.yaml')).replace('quotesbackend:1', 'quotesbackend:2'),
  }));
  await release(page, '2.1.2');
  await page.locator('[data-part=failed] li').first().waitFor({ timeout: 90_000 });
  const [light, dark] = [await view('apps/test/podinfo'), await view('apps/test/podinfo', { colorScheme: 'dark' })];
  await fleet.locator('#moving tr').first().waitFor({ timeout: 30_000 });
  await fleet.screenshot({ path: place('apps-light') });
  await page.locator('.app-head', { hasText: 'Rolled back' }).waitFor({ timeout: 90_000 });
  for (const [one, name] of [
    [light, 'release-light'],
    [dark, 'release-dark'],
  ]) {
    await one.locator('[data-part=markers]', { hasText: 'in Git as' }).waitFor({ timeout: 60_000 });
    await one.screenshot({ path: place(name) });
  }
  const images = await view('apps/test/podinfo/images', { colorScheme: 'dark', height: 620 });
  await images.screenshot({ path: place('images-dark') });
  const phone = await view('apps/test/podinfo', { width: 390, height: 844 });
  await phone.waitForTimeout(500);
  await phone.screenshot({ path: place('phone-light') });
} finally {
  await browser.close();
  await demo.stop();
}
