import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { UiSettings } from '../../src/ui/settings.ts';
import { aBrowser, aDashboard, type Dashboard } from './a-dashboard.ts';

const open: Dashboard[] = [];
afterAll(() => Promise.all(open.map(({ server }) => server.close())));

const readToken = 'read-token-that-is-long-enough';
const shopToken = 'shop-token-that-is-long-enough';
const tokenFile = join(mkdtempSync(join(tmpdir(), 'serin-ui-')), 'tokens');
writeFileSync(tokenFile, `# people\nreader ${readToken} read\nshopper ${shopToken} read,operate:shop\n`);

async function dashboard(settings: Partial<UiSettings> = { tokenFile }): Promise<Dashboard> {
  const made = await aDashboard(settings);
  open.push(made);
  return made;
}

describe('The dashboard', () => {
  it('shows nothing to whoever has not signed in, and lets him sign in and out', async () => {
    const made = await dashboard();
    const browser = aBrowser(made);
    const first = await browser.get('/apps/shop/web?tab=1');
    expect(first.status).toBe(303);
    expect(first.headers.location).toBe('/sign-in?next=%2Fapps%2Fshop%2Fweb%3Ftab%3D1');
    const wrong = await browser.post('/sign-in', '/sign-in', { token: 'x'.repeat(30) });
    expect(wrong.status).toBe(401);
    const before = browser.jar.get('serin');
    const right = await browser.post('/sign-in', '/sign-in', { token: readToken, next: '/apps/shop/web' });
    expect([right.status, right.headers.location]).toEqual([303, '/apps/shop/web']);
    expect(browser.jar.get('serin')).not.toBe(before);
    const page = await browser.get('/');
    expect(page.status).toBe(200);
    expect(page.body).toContain('shop/web');
    expect(page.body).toContain('reader');
    const former = browser.jar.get('serin') ?? '';
    expect((await browser.post('/', '/sign-out', {})).status).toBe(303);
    expect((await browser.get('/')).status).toBe(303);
    // The cookie of before is worth nothing, wherever it was copied to.
    expect((await made.ask('/', { headers: { cookie: `serin=${former}` } })).status).toBe(303);
    expect(made.lines.join('')).not.toContain(readToken);
  });
});
