import { createPublicKey, createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { readReference } from '../../src/images/reference.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import type { Http } from '../../src/lib/http/http.ts';
import { createRegistryClient } from '../../src/registry/client.ts';
import { createClouds } from '../../src/registry/clouds/clouds.ts';
import { type Call, signatureProblem } from '../helpers/aws-signature.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { type ManualClock, manualClock } from '../helpers/manual-clock.ts';
import { type DoubleOptions, type RegistryDouble, startRegistryDouble } from '../helpers/registry-double.ts';

const { signal } = new AbortController();
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const startMs = Date.parse('2026-11-30T12:00:00Z');
const hourMs = 3_600_000;

/** A server of a cloud: what it was asked, and what it answers. */
async function cloudServer(
  answer: (call: Call) => { readonly status?: number; readonly body: unknown },
): Promise<TestServer & { readonly calls: Call[] }> {
  const calls: Call[] = [];
  const server = await startServer((request: IncomingMessage, response: ServerResponse, body: string) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const call = { method: request.method ?? '', path: request.url ?? '', headers, body };
    calls.push(call);
    const { status = 200, body: said } = answer(call);
    response.writeHead(status).end(typeof said === 'string' ? said : JSON.stringify(said));
  });
  opened.push(() => server.close());
  return { ...server, calls };
}

interface World {
  readonly host: string;
  readonly cloud: string;
  readonly environment: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly signIn: NonNullable<DoubleOptions['signIn']>;
}
interface Asked {
  readonly clock: ManualClock;
  readonly double: RegistryDouble;
  readonly environment: Record<string, string>;
  readonly files: Record<string, string>;
  list(): Promise<{ readonly kind: string; readonly reason?: string }>;
}

/** A client that reaches a registry of a cloud under its own name. */
async function worldOf({ host, cloud, environment, files = {}, signIn }: World): Promise<Asked> {
  const clock = manualClock(startMs);
  const double = await startRegistryDouble({ signIn });
  opened.push(() => double.close());
  await double.push('team/app', '1.0.0');
  const http = createHttp({ maxBytes: 100_000, userAgent: 'serin-test' });
  opened.push(() => http.close());
  const routed: Http = {
    request: (request, asking) =>
      http.request({ ...request, url: request.url.replace(`http://${host}/`, `${double.url}/`) }, asking),
  };
  const own = createClouds({
    names: new Set([cloud]),
    baseOf: (registry) => `http://${registry}`,
    clock,
    http: routed,
    local: http,
    environment,
    readFile: (path) => {
      const text = files[path];
      return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text);
    },
    timeoutMs: 2_000,
  });
  const pace = { burst: 1_000, perSecond: 1_000 };
  const client = createRegistryClient({
    http: routed,
    clock,
    maxAnswerBytes: 100_000,
    timeoutMs: 2_000,
    plainHttp: new Set([host]),
    pace,
    own,
  });
  const reference = readReference(`${host}/team/app`);
  if ('problem' in reference) throw new Error(reference.problem);
  return { clock, double, environment, files, list: () => client.tags(reference, {}, signal) };
}

describe('ECR', () => {
  const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
  const signIn = { kind: 'basic', username: 'AWS', password: 'password-of-ecr' } as const;
  const tokenAnswer = (lifeMs: number, clock: () => number) => ({
    authorizationData: [
      {
        authorizationToken: Buffer.from('AWS:password-of-ecr').toString('base64'),
        expiresAt: (clock() + lifeMs) / 1_000,
        proxyEndpoint: `https://${host}`,
      },
    ],
  });
  /** An API of ECR that only takes what is signed with these keys. */
  const ecr = (keys: { readonly id: string; readonly secret: string; readonly token?: string }, now: () => number) =>
    cloudServer((call) => {
      const problem =
        call.headers['x-amz-target'] === 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' &&
        call.headers['content-type'] === 'application/x-amz-json-1.1' &&
        call.body === '{}'
          ? signatureProblem(call, keys, { service: 'ecr', region: 'eu-west-1', nowMs: now() })
          : 'another call';
      return problem === undefined
        ? { body: tokenAnswer(12 * hourMs, now) }
        : { status: 400, body: { __type: 'InvalidSignatureException', message: `secret-of-the-server ${problem}` } };
    });

  it('is signed in to by keys of the environment, and anew before the password ends', async () => {
    let nowMs = startMs;
    const api = await ecr({ id: 'AKIDEXAMPLE', secret: 'secret/of+aws' }, () => nowMs);
    const world = await worldOf({
      host,
      cloud: 'aws',
      environment: {
        AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'secret/of+aws',
        AWS_ENDPOINT_URL_ECR: api.url,
      },
      signIn,
    });
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    const pass = (ms: number): void => {
      nowMs += ms;
      world.clock.advance(ms);
    };
    for (let hour = 0; hour < 11; hour += 1) {
      pass(hourMs);
      expect(await world.list()).toMatchObject({ kind: 'answer' });
    }
    expect(api.calls).toHaveLength(1);
    pass(hourMs - 4 * 60_000);
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    expect(api.calls).toHaveLength(2);
    // A call that is not signed as it should be is told, and nothing of what AWS says.
    world.environment['AWS_SECRET_ACCESS_KEY'] = 'another';
    pass(13 * hourMs);
    const refused = await world.list();
    expect(refused).toMatchObject({ kind: 'failed', why: 'sign-in' });
    expect(refused.reason).toContain('GetAuthorizationToken of AWS answers 400');
    expect(JSON.stringify(refused)).not.toMatch(/secret|another/);
  });

  it('is signed in to by the role of a service account, whose token is read again', async () => {
    let nowMs = startMs;
    const session = { id: 'ASIAEXAMPLE', secret: 'secret-of-session', token: 'token/of+session==' };
    const api = await ecr(session, () => nowMs);
    const sts = await cloudServer(({ body, headers }) => {
      const form = new URLSearchParams(body);
      const isRight =
        headers['authorization'] === undefined &&
        form.get('Action') === 'AssumeRoleWithWebIdentity' &&
        form.get('Version') === '2011-06-15' &&
        form.get('RoleArn') === 'arn:aws:iam::123456789012:role/serin' &&
        /^[\w+=,.@-]{2,64}$/.test(form.get('RoleSessionName') ?? '') &&
        form.get('WebIdentityToken') === `token-of-pod-${nowMs === startMs ? 1 : 2}`;
      if (!isRight)
        return { status: 403, body: '<ErrorResponse><Message>secret-of-the-server</Message></ErrorResponse>' };
      return {
        body: `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>${session.token}</SessionToken><SecretAccessKey>${session.secret}</SecretAccessKey><Expiration>${new Date(nowMs + hourMs).toISOString()}</Expiration><AccessKeyId>${session.id}</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
      };
    });
    const world = await worldOf({
      host,
      cloud: 'aws',
      environment: {
        AWS_REGION: 'eu-west-1',
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/serin',
        AWS_WEB_IDENTITY_TOKEN_FILE: '/token',
        AWS_ENDPOINT_URL_STS: sts.url,
        AWS_ENDPOINT_URL_ECR: api.url,
      },
      files: { '/token': 'token-of-pod-1\n' },
      signIn,
    });
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    world.files['/token'] = 'token-of-pod-2';
    nowMs += 12 * hourMs;
    world.clock.advance(12 * hourMs);
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    expect([sts.calls.length, api.calls.length]).toEqual([2, 2]);
    world.files['/token'] = 'token-of-nobody';
    nowMs += 12 * hourMs;
    world.clock.advance(12 * hourMs);
    const refused = await world.list();
    expect(refused.reason).toContain('AssumeRoleWithWebIdentity of AWS answers 403');
    expect(JSON.stringify(refused)).not.toMatch(/secret|token-of/);
  });

  it('is signed in to by a Pod Identity', async () => {
    const session = { id: 'ASIAPOD', secret: 'secret-of-pod', token: 'session-of-pod' };
    const api = await ecr(session, () => startMs);
    const agent = await cloudServer(({ headers }) =>
      headers['authorization'] === 'token-of-pod'
        ? {
            body: {
              AccessKeyId: session.id,
              SecretAccessKey: session.secret,
              Token: session.token,
              Expiration: new Date(startMs + 6 * hourMs).toISOString(),
            },
          }
        : { status: 401, body: 'secret-of-the-server' },
    );
    const world = await worldOf({
      host,
      cloud: 'aws',
      environment: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${agent.url}/v1/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/eks',
        AWS_ENDPOINT_URL_ECR: api.url,
      },
      files: { '/eks': 'token-of-pod' },
      signIn,
    });
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    expect(agent.calls.map(({ path }) => path)).toEqual(['/v1/credentials']);
  });

  it.each<[what: string, environment: Record<string, string>, reason: string]>([
    ['nothing', {}, 'nothing says who the agent is to AWS'],
    ['half a key', { AWS_ACCESS_KEY_ID: 'AKID' }, 'AWS_SECRET_ACCESS_KEY is not set'],
    ['a role and no token', { AWS_ROLE_ARN: 'x', AWS_WEB_IDENTITY_TOKEN_FILE: '/none' }, 'cannot be read'],
    [
      'an agent somewhere else',
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.org/v1' },
      'leads to where credentials are not asked for',
    ],
  ])('says what is missing where the environment has %s', async (_, environment, reason) => {
    const world = await worldOf({ host, cloud: 'aws', environment, signIn });
    const refused = await world.list();
    expect(refused).toMatchObject({ kind: 'failed', why: 'sign-in' });
    expect(refused.reason).toContain(reason);
  });

  it.each<[answer: unknown, status: number, why: string]>([
    [{ authorizationData: [] }, 200, 'strange'],
    [{ authorizationData: [{ authorizationToken: 'eA==' }] }, 200, 'strange'],
    [{ authorizationData: [{ authorizationToken: Buffer.from('AWS:a\r\nb').toString('base64') }] }, 200, 'strange'],
    ['<html>', 200, 'strange'],
    ['', 503, 'unreachable'],
    [{ __type: 'ThrottlingException' }, 429, 'unreachable'],
  ])('gives a clear reason where the answer is %j (%d)', async (answer, status, why) => {
    const api = await cloudServer(() => ({ status, body: answer }));
    const environment = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_ENDPOINT_URL_ECR: api.url };
    const world = await worldOf({ host, cloud: 'aws', environment, signIn });
    expect(await world.list()).toMatchObject({ kind: 'failed', why });
    // Many repositories of one registry ask once.
    await world.list();
    expect(api.calls).toHaveLength(1);
  });

  it.each([
    'example.org',
    '123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.org',
    'x.dkr.ecr.eu-west-1.amazonaws.com',
    '123456789012.dkr.ecr.eu-west-1.on.aws',
    'a123456789012.dkr.ecr.eu-west-1.amazonaws.com',
  ])('is not %s', async (other) => {
    const world = await worldOf({ host: other, cloud: 'aws', environment: {}, signIn });
    expect(await world.list()).toMatchObject({ reason: expect.stringContaining('none is known for it') as string });
  });
});

describe('Artifact Registry', () => {
  const host = 'europe-west1-docker.pkg.dev';
  const signIn = { kind: 'basic', username: 'oauth2accesstoken', password: 'token.of.google' } as const;

  it('is signed in to by the metadata server, and anew before the token ends', async () => {
    const metadata = await cloudServer(({ headers, path }) =>
      headers['metadata-flavor'] === 'Google' && path === '/computeMetadata/v1/instance/service-accounts/default/token'
        ? { body: { access_token: 'token.of.google', expires_in: 3_600, token_type: 'Bearer' } }
        : { status: 403, body: '' },
    );
    const environment = { GCE_METADATA_HOST: metadata.url.replace('http://', '') };
    const world = await worldOf({ host, cloud: 'google', environment, signIn });
    for (const [ms, calls] of [
      [0, 1],
      [54 * 60_000, 1],
      [2 * 60_000, 2],
    ] as const) {
      world.clock.advance(ms);
      expect(await world.list()).toMatchObject({ kind: 'answer' });
      expect(metadata.calls).toHaveLength(calls);
    }
  });

  const keyPair = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const jwtProblem = (assertion: string, key: KeyObject, audience: string): string | undefined => {
    const [head = '', claims = '', signature = ''] = assertion.split('.');
    const decoded = (text: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Record<string, unknown>;
    if (!createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(key, signature, 'base64url')) return 'signature';
    const { alg, kid } = decoded(head);
    const { iss, aud, iat, exp, scope } = decoded(claims);
    const isRight =
      alg === 'RS256' &&
      kid === 'key-1' &&
      iss === 'serin@project.iam.gserviceaccount.com' &&
      aud === audience &&
      scope === 'https://www.googleapis.com/auth/cloud-platform' &&
      iat === startMs / 1_000 &&
      exp === startMs / 1_000 + 3_600;
    return isRight ? undefined : 'claims';
  };
  const keyFile = (tokenUri: string, more: Record<string, unknown> = {}): string =>
    JSON.stringify({
      type: 'service_account',
      client_email: 'serin@project.iam.gserviceaccount.com',
      private_key_id: 'key-1',
      private_key: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: tokenUri,
      ...more,
    });

  it('is signed in to by the key of a service account', async () => {
    const token = await cloudServer(({ body, headers }) => {
      const form = new URLSearchParams(body);
      const problem =
        form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
        headers['content-type'] === 'application/x-www-form-urlencoded'
          ? jwtProblem(
              form.get('assertion') ?? '',
              createPublicKey(keyPair.publicKey.export({ type: 'spki', format: 'pem' })),
              `${token.url}/token`,
            )
          : 'grant';
      return problem === undefined
        ? { body: { access_token: 'token.of.google', expires_in: 3_599 } }
        : { status: 400, body: { error: 'invalid_grant', error_description: `secret-of-the-server ${problem}` } };
    });
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: '/key.json' };
    const files = { '/key.json': keyFile(`${token.url}/token`) };
    const world = await worldOf({ host, cloud: 'google', environment, files, signIn });
    expect(await world.list()).toMatchObject({ kind: 'answer' });
    const other = await worldOf({
      host: 'gcr.io',
      cloud: 'google',
      environment,
      files: { '/key.json': keyFile(`${token.url}/token`, { client_email: 'other@project' }) },
      signIn,
    });
    const refused = await other.list();
    expect(refused.reason).toContain(
      'the token server of Google answers 400: the key of the service account is not accepted',
    );
    expect(JSON.stringify(refused)).not.toContain('secret-of-the-server');
  });

  it.each<[what: string, text: string, reason: string]>([
    ['is none', 'x', 'is no JSON'],
    ['is of another kind', keyFile('https://x', { type: 'external_account' }), 'holds no key of a service account'],
    ['leads to a server without TLS', keyFile('http://example.org/token'), 'is none that is asked'],
    ['holds no key', keyFile('https://example.org/', { private_key: 'secret-in-the-file' }), 'private key'],
  ])('says what is wrong with a file that %s', async (_, text, reason) => {
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: '/key.json' };
    const world = await worldOf({ host, cloud: 'google', environment, files: { '/key.json': text }, signIn });
    const refused = await world.list();
    expect(refused.reason).toContain(reason);
    expect(JSON.stringify(refused)).not.toMatch(/secret-in|PRIVATE/);
  });
});

const inOrder = (fields: Iterable<readonly [string, string]>): string =>
  [...fields]
    .map(([name, value]) => `${name}=${value}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join('&');

describe('ACR', () => {
  const host = 'teamregistry.azurecr.io';
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const refresh = `${part({ alg: 'RS256' })}.${part({ exp: (startMs + 3 * hourMs) / 1_000 })}.c2ln`;
  const signIn = { kind: 'bearer', username: 'x', password: 'y', identityToken: refresh } as const;

  it.each<[who: string, environment: Record<string, string>, proof: Record<string, string>]>([
    [
      'workload identity',
      { AZURE_FEDERATED_TOKEN_FILE: '/azure' },
      {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: 'token-of-pod',
      },
    ],
    ['a secret', { AZURE_CLIENT_SECRET: 'secret-of-client' }, { client_secret: 'secret-of-client' }],
  ])(
    'is signed in to by %s: a token of Entra becomes one of the registry, and anew before it ends',
    async (_, given, proof) => {
      const entra = await cloudServer(({ path, body }) => {
        const expected = {
          grant_type: 'client_credentials',
          client_id: 'client-1',
          scope: 'https://containerregistry.azure.net/.default',
          ...proof,
        };
        const isRight =
          path === '/tenant-1/oauth2/v2.0/token' &&
          inOrder(Object.entries(expected)) === inOrder(new URLSearchParams(body));
        return isRight ? { body: { access_token: 'token.of.entra', expires_in: 3_599 } } : { status: 400, body: '' };
      });
      const exchanged: string[] = [];
      const environment = {
        AZURE_CLIENT_ID: 'client-1',
        AZURE_TENANT_ID: 'tenant-1',
        AZURE_AUTHORITY_HOST: `${entra.url}/`,
        ...given,
      };
      const world = await worldOf({ host, cloud: 'azure', environment, files: { '/azure': 'token-of-pod\n' }, signIn });
      world.double.answerFirst((request, response, body) => {
        if (request.url !== '/oauth2/exchange') return false;
        const form = Object.fromEntries(new URLSearchParams(body));
        exchanged.push(body);
        const isRight =
          request.method === 'POST' &&
          JSON.stringify(form) ===
            JSON.stringify({
              grant_type: 'access_token',
              service: host,
              tenant: 'tenant-1',
              access_token: 'token.of.entra',
            });
        response.writeHead(isRight ? 200 : 401).end(JSON.stringify({ refresh_token: refresh }));
        return true;
      });
      for (const [ms, calls] of [
        [0, 1],
        [2 * hourMs + 50 * 60_000, 1],
        [6 * 60_000, 2],
      ] as const) {
        world.clock.advance(ms);
        expect(await world.list()).toMatchObject({ kind: 'answer' });
        expect([entra.calls.length, exchanged.length]).toEqual([calls, calls]);
      }
    },
  );

  it('says what is missing', async () => {
    const world = await worldOf({ host, cloud: 'azure', environment: { AZURE_TENANT_ID: 'x' }, signIn });
    expect(await world.list()).toMatchObject({
      why: 'sign-in',
      reason: expect.stringContaining('AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE is not set') as string,
    });
  });
});

it('Clouds that are not named give nothing', async () => {
  const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
  const environment = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const signIn = { kind: 'basic', username: 'AWS', password: 'p' } as const;
  const world = await worldOf({ host, cloud: 'google', environment, signIn });
  expect(await world.list()).toMatchObject({ reason: expect.stringContaining('none is known for it') as string });
});
