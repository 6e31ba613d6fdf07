import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { OidcSettings } from '../../src/ui/settings.ts';
import { aBrowser, aDashboard } from './a-dashboard.ts';
import { type Account, aProvider, type ProviderOptions, signInAt } from './oidc-provider.ts';

const closing: (() => Promise<void>)[] = [];
// The provider warns those who would run it so in production.
beforeAll(() => {
  for (const level of ['info', 'warn'] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await Promise.all(closing.map((close) => close()));
});

const folder = mkdtempSync(join(tmpdir(), 'serin-oidc-'));
const rightsFile = join(folder, 'rights');
writeFileSync(rightsFile, '# who may what\nread,operate:shop shop-team\noperate cn=Platform Team,ou=groups\n');
const secretFile = join(folder, 'secret');
writeFileSync(secretFile, 'the secret of the client\n');

const accounts: readonly Account[] = [
  { sub: 'jane', email: 'jane@example.com', email_verified: true, groups: ['shop-team', 'all'] },
  { sub: 'joe', email: 'chief@example.com', email_verified: false, groups: 'cn=Platform Team,ou=groups' },
  { sub: 'guest', email: 'guest@example.com', groups: [] },
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function world(more: Partial<OidcSettings> = {}, provided: Partial<ProviderOptions> = {}) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/serin`;
  const provider = await aProvider({ redirectUri: `${url}/oidc/callback`, accounts, ...provided });
  closing.push(() => provider.close());
  const made = await aDashboard({
    port,
    url,
    oidc: {
      issuer: provider.issuer,
      clientId: 'serin',
      clientSecretFile: undefined,
      scopes: ['openid', 'profile', 'email', 'groups'],
      nameClaim: 'email',
      groupsClaim: 'groups',
      rightsFile,
      caFile: undefined,
      ...more,
    },
  });
  closing.push(() => made.server.close());
  const begin = async (browser: ReturnType<typeof aBrowser>, next = '/apps/shop/web') => {
    const begun = await browser.get(`/serin/oidc/start?next=${encodeURIComponent(next)}`);
    expect(begun.status).toBe(303);
    return String(begun.headers.location);
  };
  const signIn = async (sub: string) => {
    const browser = aBrowser(made);
    const back = await signInAt(await begin(browser), sub);
    const landed = await browser.get(`${back.pathname}${back.search}`);
    return { browser, landed, back };
  };
  return { made, provider, begin, signIn };
}

describe('Who signs in by OpenID Connect', () => {
  it('is who the provider says, with the rights of his groups, and is sent where he wanted to go', async () => {
    const { made, signIn } = await world();
    const { browser, landed, back } = await signIn('jane');
    expect([landed.status, landed.headers.location]).toEqual([303, '/serin/apps/shop/web']);
    const page = await browser.get('/serin/');
    expect(page.body).toContain('jane@example.com');
    expect((await browser.post('/serin/', '/serin/apps/shop/web/acts/retry', {})).status).toBe(303);
    expect((await browser.post('/serin/', '/serin/apps/pay/api/acts/retry', {})).status).toBe(403);
    expect(made.acts).toEqual([{ kind: 'retry', by: 'jane@example.com' }]);
    // What came back counts once.
    expect((await browser.get(`${back.pathname}${back.search}`)).status).toBe(400);
    expect(made.lines.join('')).not.toContain(back.searchParams.get('code'));
  });

  it('by a client with a secret, and with claims in the ID token', async () => {
    const { made, signIn } = await world(
      { clientSecretFile: secretFile },
      { clientSecret: 'the secret of the client', inIdToken: true },
    );
    const { browser } = await signIn('jane');
    expect((await browser.get('/serin/')).body).toContain('jane@example.com');
    expect(made.lines.join('')).not.toContain('the secret of the client');
    const wrong = await world({ clientSecretFile: secretFile }, { clientSecret: 'another one' });
    const { landed } = await wrong.signIn('jane');
    expect(landed.status).toBe(503);
    expect(landed.body).not.toContain('secret of the client');
    expect(wrong.made.lines.join('')).toContain('Signing in did not work');
    expect(wrong.made.lines.join('')).not.toContain('the secret of the client');
  });

  it('gets the rights of a group with blanks in its name, and no name that nobody has proven to be his', async () => {
    const { made, signIn } = await world();
    const { browser } = await signIn('joe');
    expect((await browser.get('/serin/')).body).not.toContain('chief@example.com');
    expect((await browser.post('/serin/', '/serin/apps/pay/api/acts/retry', {})).status).toBe(303);
    expect(made.acts).toEqual([{ kind: 'retry', by: 'joe' }]);
  });

  it('without a group that has a right sees nothing, and reads where no rights are written down', async () => {
    const strict = await world();
    expect((await (await strict.signIn('guest')).browser.get('/serin/')).status).toBe(403);
    const open = await world({ rightsFile: undefined });
    const { browser } = await open.signIn('guest');
    expect((await browser.get('/serin/')).status).toBe(200);
    expect((await browser.post('/serin/', '/serin/apps/shop/web/acts/retry', {})).status).toBe(403);
  });

  it('cannot sign another browser in: what somebody began elsewhere ends there', async () => {
    const { begin, made } = await world();
    const attacker = aBrowser(made);
    const back = await signInAt(await begin(attacker), 'jane');
    const victim = aBrowser(made);
    await victim.get('/serin/sign-in');
    const sent = await victim.get(`${back.pathname}${back.search}`);
    expect(sent.status).toBe(400);
    expect((await victim.get('/serin/')).status).toBe(303);
    // Nor is a state made up, or an answer of another provider taken.
    const own = aBrowser(made);
    const started = new URL(await begin(own));
    const state = started.searchParams.get('state') ?? '';
    for (const query of ['code=x&state=made-up', `code=x&state=${state}&iss=https%3A%2F%2Fevil.example`, ''])
      expect((await own.get(`/serin/oidc/callback?${query}`)).status).toBeGreaterThanOrEqual(400);
    expect(started.searchParams.get('code_challenge_method')).toBe('S256');
    expect(started.searchParams.get('redirect_uri')).toMatch(/\/serin\/oidc\/callback$/);
  });

  it('is told when the provider refuses or does not answer', async () => {
    const { begin, made, provider } = await world();
    const browser = aBrowser(made);
    const state = new URL(await begin(browser)).searchParams.get('state') ?? '';
    const refused = await browser.get(
      `/serin/oidc/callback?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`,
    );
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('access_denied');
    const silent = await world({ issuer: `http://127.0.0.1:${await freePort()}` });
    expect((await aBrowser(silent.made).get('/serin/oidc/start')).status).toBe(503);
  });
});
