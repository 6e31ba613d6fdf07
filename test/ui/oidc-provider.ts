import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export interface Account {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

export interface ProviderOptions {
  readonly redirectUri: string;
  readonly accounts: readonly Account[];
  /** Absent: a public client. */
  readonly clientSecret?: string;
  /** Claims stand in the ID token, and not at the address for them alone. */
  readonly inIdToken?: boolean;
}

/** A provider of OpenID Connect on loopback: the one that many run, with its forms for development. */
export async function aProvider({ redirectUri, accounts, clientSecret, inIdToken = false }: ProviderOptions) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'serin',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: clientSecret === undefined ? 'none' : 'client_secret_basic',
        ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    conformIdTokenClaims: !inIdToken,
    cookies: { keys: ['a key of the test'] },
    findAccount: (_context: unknown, sub: string) => {
      const found = accounts.find((one) => one.sub === sub);
      return found && { accountId: sub, claims: () => Promise.resolve(found) };
    },
  });
  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));
  return {
    issuer,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A browser that signs in at the provider as somebody; gives the address that it is sent back to. */
export async function signInAt(address: string, sub: string): Promise<URL> {
  const jar = new Map<string, string>();
  const ask = async (url: string, body?: string): Promise<Response> => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: {
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    return answer;
  };
  const { origin } = new URL(address);
  let url = address;
  for (let step = 0; step < 12; step += 1) {
    const answer = await ask(url);
    const location = answer.headers.get('location');
    if (location !== null) {
      const next = new URL(location, url);
      if (next.origin !== origin) return next;
      url = next.href;
      continue;
    }
    const html = await answer.text();
    const action = /action="([^"]+)"/.exec(html)?.[1];
    if (action === undefined) throw new Error(`the provider shows no form: ${answer.status} ${html.slice(0, 500)}`);
    const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1] ?? 'consent';
    const sent = await ask(
      new URL(action, url).href,
      new URLSearchParams(prompt === 'login' ? { prompt, login: sub, password: 'any' } : { prompt }).toString(),
    );
    url = new URL(sent.headers.get('location') ?? '/', url).href;
  }
  throw new Error('the provider sends nobody back');
}
