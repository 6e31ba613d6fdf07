import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumNote, chromiumPath, openChromium } from '../helpers/chromium.ts';
import { aDashboard, type Dashboard } from './a-dashboard.ts';
import { anAgent } from './an-agent.ts';
import { factsOf, looksOf, ordinaryDay } from './fleet-fixture.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const commit = 'd'.repeat(40);
const paths = [
  '/',
  '/?q=none-such',
  '/apps/shop/cart',
  '/apps/pay/ledger',
  '/apps/shop/cart/history',
  `/apps/shop/cart/history/${commit}`,
  '/apps/shop/cart/images',
  '/apps/shop/cart/settings',
  '/apps/shop/cart/yaml',
  '/apps/shop/cart/acts/release?container=app&tag=2.1.2',
  '/apps/shop/cart/acts/hold?release=4f1c2ab0',
  '/apps/shop/none',
];

describe.skipIf(chromiumPath === undefined)(`the dashboard in a browser${chromiumNote}`, () => {
  let browser: Browser;
  let dashboard: Dashboard;
  let closed: Dashboard;

  beforeAll(async () => {
    browser = await openChromium();
    dashboard = await aDashboard({ anonymous: 'operate' }, anAgent, []);
    closed = await aDashboard({ kubernetes: true }, anAgent, []);
    for (const one of ordinaryDay()) dashboard.model.take({ kind: 'app', ...one });
  });
  afterAll(async () => {
    await browser?.close();
    await dashboard?.server.close();
    await closed?.server.close();
  });

  /** A page of its own, and what a browser complains about on it. */
  const opened = async (
    path: string,
    options: BrowserContextOptions = {},
    origin = dashboard.origin,
  ): Promise<{ page: Page; complaints: string[]; readonly close: () => Promise<void> }> => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('status of 404')) complaints.push(message.text());
    });
    await page.goto(origin + path);
    return { page, complaints, close: () => context.close() };
  };

  /** Complaints of axe that are serious or worse, with the elements. */
  const barriers = async (page: Page): Promise<readonly string[]> => {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { violations } = await (
        globalThis as unknown as {
          axe: {
            run(options: object): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
          };
        }
      ).axe.run({ resultTypes: ['violations'] });
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map(({ html }) => html)
              .slice(0, 3)
              .join(' | ')}`,
        );
    });
  };

  describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
    let view: Awaited<ReturnType<typeof opened>>;
    beforeAll(async () => {
      view = await opened('/', { colorScheme });
    });
    afterAll(() => view?.close());

    it.each(paths)('has no barrier on %s, fits on a phone, and keeps to its own policy', async (path) => {
      const { page, complaints } = view;
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto(dashboard.origin + path);
      if (path === '/apps/shop/cart') await page.waitForSelector('.u-over');
      expect(await barriers(page)).toEqual([]);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
      expect(complaints.splice(0)).toEqual([]);
    });

    it('has no barrier where one signs in', async () => {
      const { page } = view;
      await page.goto(`${closed.origin}/sign-in`);
      expect(await page.textContent('h1')).toBe('Sign in');
      expect(await barriers(page)).toEqual([]);
    });
  });

  it('can be read without a script: who needs a person, the curves, the checks', async () => {
    const first = await opened('/', { javaScriptEnabled: false });
    expect(await first.page.textContent('#needs-person')).toContain('checkout');
    await first.page.fill('.filters input[name=q]', 'ranker');
    await first.page.click('.filters button');
    expect(await first.page.locator('table.apps tbody').last().locator('tr').count()).toBe(1);
    await first.close();
    const app = await opened('/apps/shop/cart', { javaScriptEnabled: false });
    expect(await app.page.locator('svg.chart').count()).toBe(3);
    expect(await app.page.locator('svg.chart .hatch').count()).toBeGreaterThan(0);
    expect(await app.page.textContent('[data-part=checks]')).toContain('99 %');
    // What the script keeps current is not promised here.
    expect(await app.page.isVisible('.theme')).toBe(false);
    await app.close();
  });

  it('moves an app of the first page to where it belongs now, without a reload', async () => {
    const { page, complaints, close } = await opened('/');
    expect(await page.locator('#moving tr[data-part="app-shop.cart"]').count()).toBe(1);
    const gate = { name: 'gate', type: 'confirm-promotion', url: 'http://gate.test/' };
    dashboard.model.take({
      kind: 'app',
      ...factsOf({ name: 'cart', phase: 'WaitingPromotion', weight: 50, candidate: '2.1.2', webhooks: [gate] }),
    });
    await page.waitForSelector('#needs-person tr[data-part="app-shop.cart"]');
    expect(await page.locator('#moving tr[data-part="app-shop.cart"]').count()).toBe(0);
    expect(await page.textContent('[data-count="needs-person"]')).toBe('3');
    expect(await page.textContent('#needs-person tr[data-part="app-shop.cart"]')).toContain('50 %');
    dashboard.model.take({ kind: 'app', ...factsOf({ name: 'cart', phase: 'Succeeded', stable: '2.1.2' }) });
    await page.locator('#needs-person tr[data-part="app-shop.cart"]').waitFor({ state: 'detached' });
    expect(await page.locator('tr[data-part="app-shop.cart"]').count()).toBe(1);
    expect(await page.textContent('tr[data-part="app-shop.cart"]')).toContain('Promoted');
    expect(complaints).toEqual([]);
    await close();
  });

  it('shows a release as it goes on, keeps what is open, and offers other acts when there are others', async () => {
    const cart = (made: Partial<Parameters<typeof factsOf>[0]>) =>
      dashboard.model.take({
        kind: 'app',
        ...factsOf({
          name: 'cart',
          phase: 'Progressing',
          candidate: '2.1.2',
          weight: 10,
          looks: looksOf({ count: 1 }),
          ...made,
        }),
      });
    cart({});
    const { page, complaints, close } = await opened('/apps/shop/cart');
    await page.waitForSelector('.u-over');
    await page.click('[data-part=checks] summary');
    cart({ weight: 40, looks: looksOf({ count: 4, missing: [3], endMs: Date.now() + 9_000 }) });
    await page.locator('[data-part=facts]', { hasText: '40 %' }).waitFor();
    expect(await page.textContent('[data-part=checks]')).toContain('no values found');
    expect(await page.textContent('.live-plots')).toContain('no values found');
    expect(await page.locator('[data-part=checks] details[open]').count()).toBe(1);
    expect(await page.locator('.acts-list .button').allTextContents()).toEqual(['Hold', 'Promote now', 'Abort']);
    cart({ phase: 'Failed', weight: 0, outcome: 'rolled-back', looks: looksOf({ count: 5, missing: [3, 4] }) });
    await page.locator('.app-head', { hasText: 'Rolled back' }).waitFor();
    await page.locator('.acts-list .button', { hasText: 'Hold' }).waitFor({ state: 'detached' });
    expect(await page.textContent('[data-part=markers]')).toContain('in Git as');
    expect(complaints).toEqual([]);
    await close();
  });

  it('is worked by keys alone: find an app, go to it, choose light or dark, which stays', async () => {
    const { page, close } = await opened('/', { colorScheme: 'light' });
    await page.keyboard.press('/');
    expect(await page.evaluate('document.activeElement.name')).toBe('q');
    await page.keyboard.type('ledger');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=ledger/);
    await page.locator('.app a').last().focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/apps\/pay\/ledger/);
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.focus('.theme');
    await page.keyboard.press('Enter');
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await ground()).toBe(dark);
    await close();
  });

  it('runs nothing that stands in names, messages and answers', async () => {
    const bad = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>';
    const facts = factsOf({
      name: 'cart',
      phase: 'Progressing',
      weight: 20,
      candidate: bad,
      stable: bad,
      labels: { team: bad },
      looks: looksOf({ count: 3, missing: [2] }).map((look) => ({
        ...look,
        checks: look.checks.map((check) => ({ ...check, name: bad })),
      })),
      events: [{ atMs: Date.now(), type: 'Warning', message: bad }],
    });
    dashboard.model.take({ kind: 'app', ...facts });
    for (const path of ['/', '/apps/shop/cart', `/?q=${encodeURIComponent(bad)}&label=${encodeURIComponent(bad)}`]) {
      const { page, close } = await opened(path, { bypassCSP: true });
      if (path.startsWith('/apps')) await page.waitForSelector('.u-over');
      // Also what comes by the stream.
      dashboard.model.take({
        kind: 'said',
        app: facts.app,
        atMs: Date.now(),
        releaseId: undefined,
        type: 'Warning',
        message: `${bad} now`,
      });
      await page.waitForTimeout(1_100);
      expect(await page.evaluate('window.hit')).toBeUndefined();
      expect(await page.locator('img').count()).toBe(0);
      await close();
    }
  });

  it('says so when it is not live any more', async () => {
    const other = await aDashboard({ anonymous: 'read' }, anAgent, []);
    const { page, close } = await opened('/', {}, other.origin);
    expect(await page.isVisible('.offline')).toBe(false);
    await other.server.close();
    await page.waitForSelector('.offline', { state: 'visible' });
    await close();
  });
});
