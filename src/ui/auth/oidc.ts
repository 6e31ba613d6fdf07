import { readFile } from 'node:fs/promises';
import * as oauth from 'oauth4webapi';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { createFetch, type Fetch } from '../../lib/http/fetch.ts';
import { LatestUsed } from '../../lib/latest-used.ts';
import type { Logger } from '../../lib/log.ts';
import { UiError } from '../told.ts';
import type { OidcSettings } from '../settings.ts';
import type { Identity } from './identity.ts';
import { shown } from './rights-files.ts';

/** Signing in at a provider of OpenID Connect: authorization code with PKCE. */
export interface Oidc {
  /** Where to send a browser. `visit`: the cookie by which it has to come back. Rejects with UiError where the provider does not answer. */
  start(visit: string, next: string): Promise<URL>;
  /** Who came back, and where he wanted to go. Rejects with UiError where it is not as it was begun. */
  finish(visit: string, callback: URL): Promise<{ readonly identity: Identity; readonly next: string }>;
}

interface Begun {
  readonly visit: string;
  readonly next: string;
  readonly verifier: string;
  readonly nonce: string;
  readonly atMs: number;
}

/** How long a person may take to sign in. */
const patienceMs = 600_000;
const discoveryFreshMs = 600_000;
const timeoutMs = 10_000;
const mostBegun = 1_000;
const mostGroups = 1_000;

export interface OidcParts {
  readonly settings: OidcSettings;
  /** The public address of the callback. */
  readonly redirectUri: string;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly log: Pick<Logger, 'warn'>;
}

export function createOidc({ settings, redirectUri, clock, log }: OidcParts): Oidc {
  const { clientId, scopes } = settings;
  const issuer = new URL(settings.issuer);
  const client: oauth.Client = { client_id: clientId };
  const begun = new LatestUsed<Begun>(mostBegun);
  let found: { readonly server: oauth.AuthorizationServer; readonly atMs: number } | undefined;
  let sending: Promise<Fetch> | undefined;
  const options = async () => {
    sending ??= senderOf(settings);
    sending.catch(() => (sending = undefined));
    return {
      [oauth.customFetch]: await sending,
      // Only where the operator named such an address, which settings allow on loopback alone.
      [oauth.allowInsecureRequests]: issuer.protocol === 'http:',
    };
  };
  const discovered = async (): Promise<oauth.AuthorizationServer> => {
    if (found && clock.elapsed() - found.atMs < discoveryFreshMs) return found.server;
    const answer = await oauth.discoveryRequest(issuer, { ...(await options()), algorithm: 'oidc' });
    found = { server: await oauth.processDiscoveryResponse(issuer, answer), atMs: clock.elapsed() };
    return found.server;
  };
  const failed = (what: string, error: unknown): UiError => {
    // What the provider said may hold what was sent to it.
    const reason = error instanceof oauth.ResponseBodyError ? error.error : messageOf(error);
    log.warn({ issuer: settings.issuer, reason }, what);
    return new UiError(503, `${what}. Try again, or ask who runs it.`);
  };

  return {
    async start(visit, next) {
      try {
        const server = await discovered();
        if (server.authorization_endpoint === undefined)
          throw new Error('the provider names no authorization_endpoint');
        const [verifier, state, nonce] = [
          oauth.generateRandomCodeVerifier(),
          oauth.generateRandomState(),
          oauth.generateRandomNonce(),
        ];
        begun.set(state, { visit, next, verifier, nonce, atMs: clock.elapsed() });
        const address = new URL(server.authorization_endpoint);
        const asked = {
          client_id: clientId,
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: scopes.join(' '),
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          state,
          nonce,
        };
        for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
        return address;
      } catch (error) {
        throw failed('The provider of accounts does not answer', error);
      }
    },
    async finish(visit, callback) {
      const state = callback.searchParams.get('state') ?? '';
      const own = begun.get(state);
      // Whoever began it in another browser, and sent the answer here, would have this one signed in as himself.
      if (!own || own.visit !== visit || clock.elapsed() - own.atMs > patienceMs)
        throw new UiError(400, 'This sign-in was not begun in this browser, or took too long. Sign in again.');
      begun.delete(state);
      try {
        const server = await discovered();
        const sent = await options();
        const code = oauth.validateAuthResponse(server, client, callback, state);
        const auth = await clientAuth(server, settings);
        const answer = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          auth,
          code,
          redirectUri,
          own.verifier,
          sent,
        );
        const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
          expectedNonce: own.nonce,
          requireIdToken: true,
        });
        await oauth.validateApplicationLevelSignature(server, answer, sent);
        const claims = oauth.getValidatedIdTokenClaims(tokens);
        if (!claims) throw new Error('the provider gave no ID token');
        const more =
          claims[settings.groupsClaim] !== undefined || server.userinfo_endpoint === undefined
            ? {}
            : await oauth.processUserInfoResponse(
                server,
                client,
                claims.sub,
                await oauth.userInfoRequest(server, client, tokens.access_token, sent),
              );
        return { identity: identityOf({ ...more, ...claims }, claims.sub, settings), next: own.next };
      } catch (error) {
        if (error instanceof oauth.AuthorizationResponseError)
          throw new UiError(403, `The provider of accounts refused: ${shown(error.error)}.`);
        throw failed('Signing in did not work', error);
      }
    },
  };
}

/** An address that nobody has proven to be his is no name. */
function identityOf(
  claims: Readonly<Record<string, unknown>>,
  sub: string,
  { nameClaim, groupsClaim }: Pick<OidcSettings, 'nameClaim' | 'groupsClaim'>,
): Identity {
  const told = Object.hasOwn(claims, nameClaim) ? claims[nameClaim] : undefined;
  const isUnproven = nameClaim === 'email' && claims['email_verified'] === false;
  const name = typeof told === 'string' && told !== '' && !isUnproven ? told : sub;
  const groups = Object.hasOwn(claims, groupsClaim) ? claims[groupsClaim] : [];
  const all = Array.isArray(groups) ? groups : [groups];
  return {
    kind: 'oidc',
    name: shown(name),
    groups: all.filter((group) => typeof group === 'string').slice(0, mostGroups),
  };
}

async function clientAuth(server: oauth.AuthorizationServer, settings: OidcSettings): Promise<oauth.ClientAuth> {
  if (settings.clientSecretFile === undefined) return oauth.None();
  const secret = (await readFile(settings.clientSecretFile, 'utf8')).trim();
  const known = server.token_endpoint_auth_methods_supported;
  // By the specification it is the first where a provider does not say.
  return known === undefined || known.includes('client_secret_basic')
    ? oauth.ClientSecretBasic(secret)
    : oauth.ClientSecretPost(secret);
}

async function senderOf({ caFile }: OidcSettings): Promise<Fetch> {
  if (caFile === undefined) return createFetch({ timeoutMs });
  const { rootCertificates } = await import('node:tls');
  return createFetch({ timeoutMs, ca: [...rootCertificates, await readFile(caFile, 'utf8')] });
}
