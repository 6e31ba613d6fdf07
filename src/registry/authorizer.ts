import type { Clock } from '../lib/clock.ts';
import type { Http, HttpResponse } from '../lib/http/http.ts';
import { type Challenge, readChallenges } from './challenge.ts';
import type { Credentials } from './docker-config.ts';
import { Failed } from './failure.ts';
import { firstOf, type Keychain } from './keychain.ts';

/** Whom a request is for. */
interface Subject {
  readonly registry: string;
  readonly repository: string;
  /** Spoken to without TLS, because the operator named it. */
  readonly isPlain: boolean;
  readonly credentials: Keychain | undefined;
}

/** Signs in to registries: basic, or by a token for reading one repository. */
export interface Authorizer {
  /** The header that counts, anew where the former has ended and it is known how to sign in; undefined: nothing was asked for yet. Throws Failed. */
  known(subject: Subject, signal: AbortSignal): Promise<string | undefined>;
  forget(subject: Subject): void;
  /** What was answered a challenge with was not accepted either: it is looked up anew the next time. */
  refused(subject: Subject): void;
  /** The header that answers a challenge. Throws Failed. */
  answer(subject: Subject, challenge: string, signal: AbortSignal): Promise<string>;
}

interface Held {
  /** What was answered, to do it again: a request that would be refused first is saved. */
  readonly challenge: string;
  readonly header: string;
  /** On the clock that nobody sets. */
  readonly untilMs: number;
}

const maxHeld = 2_000;
const maxTokenLength = 32_768;
const minLifeMs = 60_000;
const maxLifeMs = 60 * 60_000;
/** So long before its end a token is renewed. */
const earlyMs = 10_000;

export function createAuthorizer({
  http,
  clock,
  timeoutMs,
  own,
}: {
  /** For a registry's requests. */
  readonly http: (registry: string) => Http;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Credentials of the agent's own, which count where a subject's say nothing. Absent: there are none. */
  readonly own?: Keychain;
}): Authorizer {
  /** By configuration, so that nobody reads with what somebody else was given; anonymous ones stand apart. */
  const held = new WeakMap<object, Map<string, Held>>();
  const nobody = {};
  const heldBy = ({ credentials }: Subject): Map<string, Held> => {
    const owner = credentials ?? nobody;
    const known = held.get(owner);
    if (known) return known;
    const fresh = new Map<string, Held>();
    held.set(owner, fresh);
    return fresh;
  };
  const keyOf = ({ registry, repository }: Subject): string => `${registry}/${repository}`;

  const credentialsFor = ({ credentials, registry, repository }: Subject, signal: AbortSignal) =>
    firstOf(credentials, own).lookUp(registry, repository, signal);
  const tokenFor = async (
    subject: Subject,
    challenge: Challenge,
    signal: AbortSignal,
  ): Promise<Omit<Held, 'challenge'>> => {
    const realm = realmOf(challenge, subject);
    const service = challenge.params.get('service');
    // Never more than what is needed, whatever the registry asks for.
    const scope = `repository:${subject.repository}:pull`;
    const credentials = await credentialsFor(subject, signal);
    const answer = await http(subject.registry).request(
      credentials?.kind === 'identity'
        ? byIdentity(realm, service, scope, credentials.token, timeoutMs)
        : byBasic(realm, service, scope, credentials, timeoutMs),
      signal,
    );
    return heldIn(answer, clock.elapsed());
  };

  const answer = async (subject: Subject, header: string, signal: AbortSignal): Promise<string> => {
    const challenges = readChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (!bearer && !isBasic) throw new Failed('credentials', 'it answers 401, and does not say how to sign in');
    const entry = bearer ? await tokenFor(subject, bearer, signal) : basicEntry(await credentialsFor(subject, signal));
    const entries = heldBy(subject);
    const [oldest] = entries.keys();
    if (entries.size >= maxHeld && oldest !== undefined) entries.delete(oldest);
    entries.set(keyOf(subject), { ...entry, challenge: header });
    return entry.header;
  };

  return {
    async known(subject, signal) {
      const entry = heldBy(subject).get(keyOf(subject));
      if (!entry) return undefined;
      return clock.elapsed() < entry.untilMs ? entry.header : answer(subject, entry.challenge, signal);
    },
    forget(subject) {
      heldBy(subject).delete(keyOf(subject));
    },
    refused(subject) {
      heldBy(subject).delete(keyOf(subject));
      firstOf(subject.credentials, own).refused?.(subject.registry);
    },
    answer,
  };
}

function basicEntry(found: Credentials | undefined): Omit<Held, 'challenge'> {
  if (found?.kind !== 'basic') throw new Failed('credentials', 'it asks for a password, and none is known for it');
  return { header: basicHeader(found), untilMs: Number.NEGATIVE_INFINITY };
}

/** A token server may be another host; what is sent to it is encrypted, unless the registry itself is spoken to without. */
function realmOf({ params }: Challenge, { isPlain }: Subject): URL {
  const realm = params.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (
    !url ||
    !(url.protocol === 'https:' || (url.protocol === 'http:' && isPlain)) ||
    url.username !== '' ||
    url.password !== ''
  )
    throw new Failed('strange', 'it names no token server that may be asked');
  return url;
}

type Request = Parameters<Http['request']>[0];

function byBasic(
  realm: URL,
  service: string | undefined,
  scope: string,
  credentials: Credentials | undefined,
  timeoutMs: number,
): Request {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  const headers = credentials?.kind === 'basic' ? { authorization: basicHeader(credentials) } : {};
  return { method: 'GET', url: url.href, headers, timeoutMs };
}

function byIdentity(realm: URL, service: string | undefined, scope: string, token: string, timeoutMs: number): Request {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'serin',
    refresh_token: token,
    scope,
    ...(service === undefined ? {} : { service }),
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', url: realm.href, headers, body: form.toString(), timeoutMs };
}

const basicHeader = ({ username, password }: { readonly username: string; readonly password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

function heldIn({ status, body }: HttpResponse, nowMs: number): Omit<Held, 'challenge'> {
  if (status === 401 || status === 403)
    throw new Failed('credentials', `its token server answers ${status}: the credentials are not accepted`);
  if (status !== 200)
    throw new Failed(status >= 500 || status === 429 ? 'unreachable' : 'strange', `its token server answers ${status}`);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  const {
    token,
    access_token: access,
    expires_in: seconds,
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = [token, access].find((one) => typeof one === 'string' && one !== '');
  // Whatever else is in it would become a header of its own.
  if (typeof text !== 'string' || text.length > maxTokenLength || !/^[\x21-\x7e]+$/.test(text))
    throw new Failed('strange', 'its token server gives no token');
  const lifeMs = typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1_000 : minLifeMs;
  return { header: `Bearer ${text}`, untilMs: nowMs + Math.min(lifeMs, maxLifeMs) - earlyMs };
}
