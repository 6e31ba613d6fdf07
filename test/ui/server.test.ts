import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { keyOf } from '../../src/lib/key.ts';
import type { Answers, UiParts } from '../../src/ui/server/app.ts';
import { tableOf } from '../../src/ui/server/table.ts';
import type { UiSettings } from '../../src/ui/settings.ts';
import { aBrowser, aDashboard, canaryOf, type Dashboard, plainSettings } from './a-dashboard.ts';

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

describe('What somebody may do', () => {
  it('is what his token says, in the namespaces that it says', async () => {
    const made = await dashboard();
    const shopper = { authorization: `Bearer ${shopToken}` };
    const act = (path: string, headers: Readonly<Record<string, string>>) =>
      made.ask(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: 'reason=because',
      });
    expect((await act('/apps/shop/web/acts/retry', shopper)).status).toBe(303);
    expect((await act('/apps/pay/api/acts/retry', shopper)).status).toBe(403);
    expect((await act('/apps/nowhere/api/acts/retry', shopper)).status).toBe(403);
    expect((await act('/apps/shop/web/acts/retry', { authorization: `Bearer ${readToken}` })).status).toBe(403);
    expect((await act('/apps/shop/web/acts/retry', {})).status).toBe(403);
    expect((await act('/apps/shop/web/acts/retry', { authorization: 'Bearer nobody-has-this-token' })).status).toBe(
      401,
    );
    expect(made.acts).toEqual([{ kind: 'retry', by: 'shopper' }]);
  });

  it('is nothing of another namespace: neither its pages, nor their streams, nor that they are there', async () => {
    const { tokens, made } = await onlyShop();
    const pages = ['', '/history', '/images', '/settings', '/yaml', '/pods', '/live', '/acts/hold'];
    for (const page of pages) {
      const other = await made.ask(`/apps/pay/api${page}`, { headers: tokens });
      const missing = await made.ask(`/apps/pay/nothing${page}`, { headers: tokens });
      expect([other.status, missing.status], page).toEqual([404, 404]);
      expect(withoutTokens(other.body)).toBe(withoutTokens(missing.body));
    }
    const fleet = await made.ask('/', { headers: tokens });
    expect(fleet.body).toContain('web');
    expect(fleet.body).not.toContain('pay/api');
  });

  it('is asked of each POST that there is: who may only read changes nothing, and a GET neither', async () => {
    const made = await dashboard({ tokenFile });
    const table = tableOf(partsForTable, {} as Answers);
    const posts = table.filter(({ method }) => method === 'POST');
    expect(posts.length).toBeGreaterThanOrEqual(3);
    // Only these two concern nobody but the one who asks.
    const free = posts.filter(({ needs }) => needs !== 'operate').map(({ path }) => path);
    expect(free).toEqual(['/sign-in', '/sign-out']);
    const browser = aBrowser(made);
    await browser.post('/sign-in', '/sign-in', { token: readToken });
    for (const { path } of posts.filter(({ needs }) => needs === 'operate')) {
      const filled = path.replace(':namespace', 'shop').replace(':name', 'web').replace(':act', 'abort');
      expect((await browser.post('/', filled, { release: 'a', reason: 'b' })).status, path).toBe(403);
    }
    for (const { path } of table.filter(({ method, path: one }) => method === 'GET' && !one.endsWith('/live'))) {
      const filled = path.replace(':namespace', 'shop').replace(':name', 'web').replaceAll(/:\w+/g, 'hold');
      await made.ask(`${filled}?release=a&reason=b`, { headers: { authorization: `Bearer ${shopToken}` } });
    }
    expect(made.acts).toEqual([]);
  });

  it('ends with the token: what is taken out of the file signs nobody in any more, and no session goes on', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'serin-ui-')), 'tokens');
    writeFileSync(file, `reader ${readToken} read\n`);
    const made = await dashboard({ tokenFile: file });
    const browser = aBrowser(made);
    await browser.post('/sign-in', '/sign-in', { token: readToken });
    expect((await browser.get('/')).status).toBe(200);
    writeFileSync(file, '# nobody\n');
    await expect.poll(async () => (await browser.get('/')).status, { timeout: 8_000 }).toBe(303);
  });
});

describe('A form', () => {
  const fields = { reason: 'because' };
  const path = '/apps/shop/web/acts/retry';

  it('is taken from our own pages only', async () => {
    const made = await dashboard();
    const browser = aBrowser(made);
    await browser.post('/sign-in', '/sign-in', { token: shopToken });
    const csrf = browser.csrfIn((await browser.get('/')).body);
    const send = (
      headers: Readonly<Record<string, string>>,
      body = new URLSearchParams({ csrf, ...fields }).toString(),
    ) =>
      browser.send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      });
    const statuses = [
      await send({}),
      await send({ origin: 'https://evil.example' }),
      await send({ origin: 'null' }),
      await send({ origin: `${made.origin}.evil.example` }),
      await send({ origin: `https://${made.host}` }),
      // What a proxy or whoever else says of the host counts for nothing.
      await send({ origin: 'https://evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }),
      await send({ origin: made.origin }, new URLSearchParams(fields).toString()),
      await send(
        { origin: made.origin },
        new URLSearchParams({ ...fields, csrf: `${csrf.slice(0, -2)}AA` }).toString(),
      ),
      await send({ origin: made.origin, 'content-type': 'text/plain' }),
      await send({ origin: made.origin, 'content-type': 'application/json' }, JSON.stringify({ csrf })),
      await send({ origin: made.origin }, 'a=1&'.repeat(200)),
    ].map(({ status }) => status);
    expect(statuses).toEqual([403, 403, 403, 403, 403, 403, 403, 403, 415, 415, 400]);
    expect(made.acts).toEqual([]);
    expect((await send({ origin: made.origin })).status).toBe(303);
    expect(made.acts).toEqual([{ kind: 'retry', by: 'shopper' }]);
    const page = await browser.get('/apps/shop/web');
    expect(page.body).toContain('it is done');
    expect((await browser.get('/apps/shop/web')).body).not.toContain('it is done');
  });

  it('of one session says nothing in another, nor does the one of before signing in', async () => {
    const made = await dashboard();
    const [one, other] = [aBrowser(made), aBrowser(made)];
    const early = one.csrfIn((await one.get('/sign-in')).body);
    await one.post('/sign-in', '/sign-in', { token: shopToken });
    await other.post('/sign-in', '/sign-in', { token: shopToken });
    const ofOther = other.csrfIn((await other.get('/')).body);
    for (const csrf of [early, ofOther]) {
      const sent = await one.send(path, {
        method: 'POST',
        headers: { origin: made.origin, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ ...fields, csrf }).toString(),
      });
      expect(sent.status).toBe(403);
    }
  });

  it('that is too large is not read', async () => {
    const made = await dashboard();
    const sent = await made.ask('/sign-in', {
      method: 'POST',
      headers: { origin: made.origin, 'content-type': 'application/x-www-form-urlencoded' },
      body: `token=${'x'.repeat(100_000)}`,
    });
    expect(sent.status).toBe(413);
  });
});

describe('A browser', () => {
  it('is told with every answer what it must not do', async () => {
    const made = await dashboard();
    const bearer = { authorization: `Bearer ${readToken}` };
    const asset = /href="(\/assets\/[^"]+\.css)"/.exec((await made.ask('/', { headers: bearer })).body)?.[1] ?? '';
    for (const path of [
      '/',
      '/sign-in',
      asset,
      '/healthz',
      '/nothing',
      '/apps/shop/web',
      '/assets/0/../../package.json',
    ]) {
      const { headers } = await made.ask(path, { headers: bearer });
      const policy = String(headers['content-security-policy']);
      expect(policy, path).toContain("default-src 'none'");
      expect(policy, path).toContain("frame-ancestors 'none'");
      expect(policy, path).not.toMatch(/unsafe|http:|https:|\*/);
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['x-frame-options'], path).toBe('DENY');
      expect(headers['referrer-policy'], path).toBe('same-origin');
    }
    const page = await made.ask('/', { headers: { cookie: 'serin=made.up' } });
    expect(page.headers['cache-control']).toBe('no-store');
    const form = await made.ask('/sign-in');
    expect(String(form.headers['set-cookie'])).toMatch(/^serin=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  it('that signs in gets a session that nobody had before: a cookie that was put there becomes nobody', async () => {
    const made = await dashboard();
    const attacker = aBrowser(made);
    await attacker.get('/sign-in');
    const planted = attacker.jar.get('serin') ?? '';
    const victim = aBrowser(made);
    victim.jar.set('serin', planted);
    await victim.post('/sign-in', '/sign-in', { token: readToken });
    expect(victim.jar.get('serin')).not.toBe(planted);
    expect((await victim.get('/')).status).toBe(200);
    expect((await attacker.get('/')).status).toBe(303);
    for (const forged of ['x.y', `${'a'.repeat(32)}.${'b'.repeat(43)}`, planted.replace(/.$/, 'A'), `${planted}.x`, ''])
      expect((await made.ask('/', { headers: { cookie: `serin=${forged}` } })).status).toBe(303);
  });

  it('is led by no name but our own, and to no place but ours', async () => {
    const made = await dashboard();
    const hosts = [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      'serin.other.svc',
      '[::1',
      'a b',
    ];
    for (const host of hosts) expect([400, 421], host).toContain((await made.ask('/', { headers: { host } })).status);
    for (const host of ['localhost:80', '127.0.0.1', '[::1]:8080', 'serin.serin.svc:80'])
      expect((await made.ask('/', { headers: { host } })).status, host).toBe(303);
    const places = [
      '//evil.example',
      'https://evil.example',
      '/\\evil.example',
      '/.//evil.example',
      'javascript:alert(1)',
      '/%0d%0aset-cookie:a=b',
      '/\t/evil.example',
    ];
    for (const next of places) {
      const browser = aBrowser(made);
      const { headers } = await browser.post('/sign-in', '/sign-in', { token: readToken, next });
      const target = new URL(headers.location ?? '', 'http://own.example');
      expect(target.origin, next).toBe('http://own.example');
      expect(headers['set-cookie']).toHaveLength(1);
    }
  });

  it('behind a proxy with a path gets links below it, and a cookie for that path and TLS only', async () => {
    const made = await dashboard({ tokenFile, url: 'https://deploy.example.com/tools/serin' });
    const host = { host: 'deploy.example.com' };
    for (const path of ['/tools/serin/sign-in', '/sign-in']) {
      const { status, body, headers } = await made.ask(path, { headers: host });
      expect(status).toBe(200);
      expect(body).toContain('action="/tools/serin/sign-in"');
      expect(body).not.toMatch(/(?:href|action|src)="\/(?!tools\/serin)/);
      expect(String(headers['set-cookie'])).toMatch(
        /^__Secure-serin=.*; Path=\/tools\/serin; HttpOnly; SameSite=Lax; Secure$/,
      );
    }
    const away = await made.ask('/tools/serin/apps/shop/web', { headers: host });
    expect(away.headers.location).toBe('/tools/serin/sign-in?next=%2Fapps%2Fshop%2Fweb');
    const browser = aBrowser({
      ask: (path, sent) => made.ask(path, { ...sent, headers: { ...host, ...sent?.headers } }),
      origin: 'https://deploy.example.com',
    });
    const signed = await browser.post('/tools/serin/sign-in', '/tools/serin/sign-in', {
      token: readToken,
      next: '/apps/shop/web',
    });
    expect(signed.headers.location).toBe('/tools/serin/apps/shop/web');
  });

  it('that tries tokens is turned away after some, and the log tells none of them', async () => {
    const made = await dashboard();
    const tried: string[] = [];
    const statuses: number[] = [];
    for (let count = 0; count < 22; count += 1) {
      const token = `guess-${count}-${'g'.repeat(20)}`;
      tried.push(token);
      statuses.push((await made.ask('/', { headers: { authorization: `Bearer ${token}` } })).status);
    }
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(statuses.slice(20)).toEqual([429, 429]);
    const log = made.lines.join('');
    expect(tried.filter((token) => log.includes(token))).toEqual([]);
  });
});

describe('What others have named', () => {
  const evil = '<script>alert(1)</script>';
  const quotes = `"'><img src=x onerror=alert(1)>`;

  it('stands on pages as text, never as markup', async () => {
    const canary = canaryOf('shop', 'web', {
      metadata: {
        namespace: 'shop',
        name: 'web',
        uid: 'u',
        resourceVersion: '1',
        labels: { team: evil, other: quotes },
        annotations: {
          'serin.dev/release': JSON.stringify({
            release: 'abc',
            images: { [evil]: quotes },
            outcome: { verdict: 'rolled-back', failedCheck: evil },
          }),
        },
      },
      status: { phase: 'Failed', failedChecks: 1, canaryWeight: 0, lastTransitionTime: '2026-01-01T00:00:00Z' },
    });
    const made = await aDashboard(
      { anonymous: 'operate' },
      {
        history: () =>
          Promise.resolve([
            {
              namespace: 'shop',
              name: 'web',
              atMs: 0,
              verdict: 'rolled-back',
              commit: 'a'.repeat(40),
              by: evil,
              subject: evil,
              changed: { images: [{ container: evil, from: quotes, to: evil }], others: [quotes] },
              failedCheck: evil,
              asked: [evil],
              evidence: [evil, quotes],
              supersedes: [],
            },
          ]),
        changedBy: () =>
          Promise.resolve({ files: [{ path: evil, texts: { before: evil, after: quotes } }], truncated: false }),
        images: () =>
          Promise.resolve([
            {
              container: evil,
              image: quotes,
              now: evil,
              policy: evil,
              wanted: evil,
              state: 'current',
              reason: evil,
              hold: { by: evil, instead: evil, at: evil },
              problem: evil,
              tags: [{ tag: evil, reason: quotes }],
            },
          ]),
        pods: () =>
          Promise.resolve([
            { name: evil, role: 'canary', images: [quotes], isReady: false, restarts: 1, reason: evil, madeAtMs: 0 },
          ]),
        podLog: () => Promise.resolve([evil, quotes]),
        textInGit: () => Promise.resolve({ path: evil, line: 1, text: evil }),
        planned: () => Promise.resolve({ kind: 'commit', message: evil, files: [{ path: evil, texts: quotes }] }),
        perform: () => Promise.resolve({ kind: 'refused', text: evil }),
      },
      [canary],
    );
    open.push(made);
    const app = keyOf({ namespace: 'shop', name: 'web' });
    const of = { app, atMs: Date.now(), releaseId: 'abc' };
    made.model.take({ kind: 'said', ...of, type: 'Warning', message: `Halt: webhook answered ${evil}` });
    made.model.take({ kind: 'measured', ...of, metric: evil, value: Number.NaN });
    made.model.take({ kind: 'looked', ...of, phase: evil, weight: 10 });
    const commit = 'a'.repeat(40);
    const paths = [
      '',
      '/history',
      `/history/${commit}`,
      '/images',
      '/settings',
      '/yaml',
      '/pods',
      '/acts/retry',
      '/acts/release?container=web&tag=1',
    ];
    let shown = 0;
    for (const path of [
      '/',
      ...paths.map((one) => `/apps/shop/web${one}`),
      `/sign-in?next=${encodeURIComponent(evil)}`,
      `/${encodeURIComponent(evil)}`,
      `/?q=${encodeURIComponent(quotes)}`,
    ]) {
      const { body, status } = await made.ask(path);
      expect(status, path).toBeLessThan(500);
      expect(body, path).not.toContain('<script>alert');
      expect(body, path).not.toContain('<img src=x');
      if (body.includes('&lt;script&gt;')) shown += 1;
      // No script stands in a page at all, and no handler.
      expect(body.match(/<script(?![^>]*\bsrc=)/g), path).toBeNull();
      expect(body.replaceAll(/"[^"]*"/g, '""').match(/<[^>]*\son\w+=/g), path).toBeNull();
    }
    expect(shown).toBeGreaterThan(4);
    const browser = aBrowser(made);
    await browser.post('/apps/shop/web', '/apps/shop/web/acts/retry', {});
    const after = await browser.get('/apps/shop/web');
    expect(after.body).toContain('&lt;script&gt;alert(1)');
    expect(after.body).not.toContain('<script>alert');
  });
});

async function onlyShop() {
  const file = join(mkdtempSync(join(tmpdir(), 'serin-ui-')), 'tokens');
  writeFileSync(file, `shop ${shopToken} operate:shop\n`);
  const made = await dashboard({ tokenFile: file });
  return { made, tokens: { authorization: `Bearer ${shopToken}` } };
}

/** Forms have another token each time. */
const withoutTokens = (html: string): string =>
  html.replaceAll(/name="csrf" value="[^"]*"/g, '').replaceAll(/data-now="\d+"/g, '');

/** Enough to write the table down; nothing is asked of it. */
const partsForTable = { settings: plainSettings, clock: systemClock } as unknown as UiParts;
