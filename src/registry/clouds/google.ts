import { createSign } from 'node:crypto';
import { jsonOf } from '../../lib/json.ts';
import { Failed } from '../failure.ts';
import type { Lasting } from '../renewed.ts';
import { type Cloud, type CloudDeps, fileText, jsonAnswer, wordIn } from './cloud.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform';
const usualLifeS = 300;
const keyFile = 'GOOGLE_APPLICATION_CREDENTIALS';

/**
 * Google's Artifact Registry and Container Registry by an access token: of the service account that the metadata server gives the pod (also by workload
 * identity of GKE), or of one whose key GOOGLE_APPLICATION_CREDENTIALS names.
 */
export function createGoogle(deps: CloudDeps): Cloud {
  return {
    keyOf: (registry) =>
      /^(?:[a-z0-9-]{1,40}\.)?gcr\.io$|^[a-z0-9-]{1,60}-docker\.pkg\.dev$/.test(registry) ? 'google' : undefined,
    async fetch(_registry, signal) {
      const { value: password, lifeMs } = await ownToken(deps, scope, signal);
      return { value: { kind: 'basic', username: 'oauth2accesstoken', password }, lifeMs };
    },
  };
}

/** An access token of the agent's own service account. */
export async function ownToken(deps: CloudDeps, wanted: string, signal: AbortSignal): Promise<Lasting<string>> {
  const file = deps.environment[keyFile] ?? '';
  if (file === '') return lasting(await byMetadata(deps, signal));
  return tokenOfKey(
    deps,
    await fileText(deps, file, keyFile),
    { what: `the file that ${keyFile} names`, scope: wanted },
    signal,
  );
}

/** An access token of the service account whose key this is. `what`: how the key is called for people. */
export async function tokenOfKey(
  deps: CloudDeps,
  key: string,
  of: { readonly what: string; readonly scope: string },
  signal: AbortSignal,
): Promise<Lasting<string>> {
  return lasting(await byKey(deps, key, of, signal));
}

function lasting([name, { access_token: token, expires_in: seconds }]: Named): Lasting<string> {
  const lifeS = typeof seconds === 'number' && seconds > 0 ? seconds : usualLifeS;
  return { value: wordIn(token, name), lifeMs: lifeS * 1_000 };
}

type Named = readonly [name: string, answer: Readonly<Record<string, unknown>>];

async function byMetadata({ local, environment, timeoutMs }: CloudDeps, signal: AbortSignal): Promise<Named> {
  const name = 'the metadata server of Google';
  const host = environment['GCE_METADATA_HOST'] ?? 'metadata.google.internal';
  const answer = await local.request(
    {
      method: 'GET',
      url: `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`,
      headers: { 'metadata-flavor': 'Google' },
      timeoutMs,
    },
    signal,
  );
  return [name, jsonAnswer(answer, name, 'the pod has no service account of Google')];
}

async function byKey(
  { clock, http, timeoutMs }: CloudDeps,
  text: string,
  { what, scope: wanted }: { readonly what: string; readonly scope: string },
  signal: AbortSignal,
): Promise<Named> {
  const name = 'the token server of Google';
  let key: Readonly<Record<string, unknown>>;
  try {
    key = jsonOf(JSON.parse(text));
  } catch {
    throw new Failed('sign-in', `${what} is no JSON`);
  }
  const { type, client_email: email, private_key: privateKey, private_key_id: kid } = key;
  if (type !== 'service_account' || typeof email !== 'string' || typeof privateKey !== 'string')
    throw new Failed(
      'sign-in',
      `${what} holds no key of a service account; others are not read here: use workload identity of GKE`,
    );
  const audience = tokenServer(key['token_uri'], what);
  const nowS = Math.floor(clock.now() / 1_000);
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = encoded({ alg: 'RS256', typ: 'JWT', ...(typeof kid === 'string' ? { kid } : {}) });
  const claims = encoded({ iss: email, scope: wanted, aud: audience, iat: nowS, exp: nowS + 3_600 });
  let signature: string;
  try {
    signature = createSign('RSA-SHA256').update(`${head}.${claims}`).sign(privateKey, 'base64url');
  } catch {
    throw new Failed('sign-in', `the private key in ${what} is none`);
  }
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${head}.${claims}.${signature}`,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await http.request(
    { method: 'POST', url: audience, headers, body: form.toString(), timeoutMs },
    signal,
  );
  return [name, jsonAnswer(answer, name, 'the key of the service account is not accepted')];
}

/** Signed tokens go over TLS, or stay on the machine. */
function tokenServer(value: unknown, what: string): string {
  const text = value ?? 'https://oauth2.googleapis.com/token';
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && url.hostname === '127.0.0.1')) return url.href;
  throw new Failed('sign-in', `the token_uri in ${what} is none that is asked`);
}
