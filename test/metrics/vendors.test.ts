import { createVerify, generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/lib/http/client.ts';
import type { Http } from '../../src/lib/http/http.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { cloudwatch } from '../../src/metrics/cloudwatch.ts';
import { externalmetrics } from '../../src/metrics/externalmetrics.ts';
import { keptn } from '../../src/metrics/keptn.ts';
import type { MetricQuery, MetricsOfCluster, ProviderIo } from '../../src/metrics/provider.ts';
import { splunk } from '../../src/metrics/splunk.ts';
import { stackdriver } from '../../src/metrics/stackdriver.ts';
import { createIdentity } from '../../src/registry/clouds/identity.ts';
import { signatureProblem } from '../helpers/aws-signature.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { manualClock } from '../helpers/manual-clock.ts';

const { signal } = new AbortController();
const nowMs = Date.parse('2026-11-30T12:00:00Z');
const http = createHttp({ maxBytes: 100_000, userAgent: 'serin-test' });
const opened: TestServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});
const serve = async (answer: Parameters<typeof startServer>[0]): Promise<TestServer> => {
  const server = await startServer(answer);
  opened.push(server);
  return server;
};

/** The vendors' own hosts, led to test servers. */
const routed = (...ways: readonly (readonly [origin: string, to: TestServer])[]): Http => ({
  request(request, stop) {
    const way = ways.find(([origin]) => request.url.startsWith(`${origin}/`));
    if (!way) throw new Error(`nobody is led to ${new URL(request.url).origin}`);
    return http.request({ ...request, url: request.url.replace(way[0], way[1].url) }, stop);
  },
});

const environmentOf = (environment: Record<string, string>, io: Http, files: Record<string, string> = {}) => {
  const clock = manualClock(nowMs);
  const clouds = createIdentity({
    clock,
    http: io,
    local: io,
    environment,
    readFile: async (path) => files[path] ?? Promise.reject(new Error('ENOENT')),
    timeoutMs: 2_000,
  });
  return { clock, clouds };
};

/** A server of CloudWatch that takes only what these keys have signed, and answers as recorded. */
const cloudWatchServer = (
  keys: { readonly id: string; readonly secret: string; readonly token?: string },
  answer: { readonly status?: number; readonly body: string },
) =>
  serve((request, response, body) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    // What the vendor's host would be called.
    const call = { method: request.method ?? '', path: request.url ?? '', body, headers };
    const problem =
      headers['content-type'] === 'application/x-www-form-urlencoded; charset=utf-8'
        ? signatureProblem({ ...call, headers: { ...headers, host: signedHost(headers['host'] ?? '') } }, keys, {
            service: 'monitoring',
            region: 'eu-west-1',
            nowMs,
          })
        : 'another type';
    if (problem === undefined) return response.writeHead(answer.status ?? 200).end(answer.body);
    const code = '<Code>SignatureDoesNotMatch</Code>';
    return response
      .writeHead(403)
      .end(
        `<ErrorResponse><Error><Type>Sender</Type>${code}<Message>topsecret ${problem}</Message></Error></ErrorResponse>`,
      );
  });
/** A request that was led here was signed for the host that it was meant for. */
let signedHost = (host: string): string => host;

const recorded =
  '<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">\n  <GetMetricDataResult>\n    <MetricDataResults>\n      <member>\n        <Timestamps>\n          <member>2026-11-30T11:59:00Z</member>\n          <member>2026-11-30T11:58:00Z</member>\n        </Timestamps>\n        <Values>\n          <member>0.25</member>\n          <member>9.0</member>\n        </Values>\n        <Label>errors</Label>\n        <Id>e1</Id>\n        <StatusCode>Complete</StatusCode>\n      </member>\n    </MetricDataResults>\n    <Messages/>\n  </GetMetricDataResult>\n</GetMetricDataResponse>\n';
const awsError = (code: string) =>
  `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error><Type>Sender</Type><Code>${code}</Code><Message>topsecret</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
const question = (address = '', more: Partial<MetricQuery> = {}): MetricQuery => ({
  address,
  region: 'eu-west-1',
  query: '[{"Id":"e1","Expression":"1/4"}]',
  nowMs,
  windowMs: 60_000,
  ...more,
});

describe('CloudWatch', () => {
  const origin = 'https://monitoring.eu-west-1.amazonaws.com';
  const secret = { aws_access_key_id: 'AKIDEXAMPLE', aws_secret_access_key: 'secret/of+aws' };
  const keys = { id: 'AKIDEXAMPLE', secret: 'secret/of+aws' };

  it('is asked with the signature of the keys that the Secret has, and of nobody else', async () => {
    const server = await cloudWatchServer(keys, { body: recorded });
    const ask = (credentials: Record<string, string>) =>
      cloudwatch.measure(question(server.url, { credentials }), { http, clock: { now: () => nowMs } }, signal);
    expect(await ask(secret)).toEqual({ kind: 'value', value: 0.25 });
    expect(await ask({ ...secret, aws_secret_access_key: 'another' })).toEqual({
      kind: 'refused',
      passing: false,
      reason: 'error response: Status 403 Forbidden: SignatureDoesNotMatch',
    });
    const session = await cloudWatchServer({ ...keys, token: 'sess/ion==' }, { body: recorded });
    expect(
      await cloudwatch.measure(
        question(session.url, { credentials: { ...secret, aws_session_token: 'sess/ion==' } }),
        { http, clock: { now: () => nowMs } },
        signal,
      ),
    ).toEqual({ kind: 'value', value: 0.25 });
  });

  it('is asked as whom the platform makes the agent, at its own address, whatever a MetricTemplate says', async () => {
    const server = await cloudWatchServer({ ...keys, token: 'tok' }, { body: recorded });
    const trap = await serve((_, response) => response.end(recorded));
    signedHost = () => 'monitoring.eu-west-1.amazonaws.com';
    const led = routed([origin, server]);
    const { clock, clouds } = environmentOf(
      { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret, AWS_SESSION_TOKEN: 'tok' },
      led,
    );
    const reading = await cloudwatch.measure(question(trap.url), { http: led, clock, clouds }, signal);
    signedHost = (host) => host;
    expect(reading).toEqual({ kind: 'value', value: 0.25 });
    expect(trap.requests).toEqual([]);
  });

  it('is asked where the operator says, and by a role of the service account', async () => {
    const server = await cloudWatchServer({ id: 'ASIA', secret: 's', token: 't' }, { body: recorded });
    const sts = await serve((_, response, body) =>
      response.end(
        new URLSearchParams(body).get('WebIdentityToken') === 'of-pod'
          ? '<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials>'
          : '',
      ),
    );
    const { clock, clouds } = environmentOf(
      {
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/serin',
        AWS_WEB_IDENTITY_TOKEN_FILE: '/token',
        AWS_ENDPOINT_URL_STS: sts.url,
        AWS_ENDPOINT_URL_CLOUDWATCH: server.url,
      },
      http,
      { '/token': 'of-pod' },
    );
    for (let times = 0; times < 3; times += 1)
      expect(await cloudwatch.measure(question(), { http, clock, clouds }, signal)).toEqual({
        kind: 'value',
        value: 0.25,
      });
    expect(sts.requests).toHaveLength(1);
  });

  it('is told apart where the agent is nobody, where AWS is busy, and where it refuses', async () => {
    const { clock, clouds } = environmentOf({}, http);
    const nobody = cloudwatch.measure(question(), { http, clock, clouds }, signal);
    await expect(nobody).rejects.toMatchObject({ code: 'CANARY_INVALID' });
    await expect(nobody).rejects.toThrow('nothing says who the agent is to AWS');
    const read = async (status: number, code: string) => {
      const server = await cloudWatchServer(keys, { status, body: awsError(code) });
      const io = { http, clock };
      const measured = await cloudwatch.measure(question(server.url, { credentials: secret }), io, signal);
      const probed = await cloudwatch.probe(
        { address: server.url, region: 'eu-west-1', credentials: secret },
        io,
        signal,
      );
      expect(JSON.stringify([measured, probed])).not.toMatch(/topsecret|secret\/of/);
      return [measured.kind === 'refused' && `${measured.passing} ${measured.reason}`, probed.kind];
    };
    expect(await read(400, 'Throttling')).toEqual([
      'true error response: Status 400 Bad Request: Throttling',
      'refused',
    ]);
    expect(await read(403, 'AccessDenied')).toEqual([
      'false error response: Status 403 Forbidden: AccessDenied',
      'refused',
    ]);
    expect(await read(400, 'ValidationError')).toEqual([
      'false error response: Status 400 Bad Request: ValidationError',
      'value',
    ]);
    expect(await read(500, 'InternalServiceFault')).toEqual([
      'true error response: Status 500 Internal Server Error: InternalServiceFault',
      'refused',
    ]);
    expect(await read(400, 'Topsecret')).toEqual(['false error response: Status 400 Bad Request', 'refused']);
  });

  it.each([
    ['a word', 'x', 'no JSON'],
    ['an object', '{}', 'a list of MetricDataQuery'],
    ['an empty list', '[]', 'a list of MetricDataQuery'],
    ['a list of texts', '["a"]', 'a list of MetricDataQuery'],
    ['more than AWS takes', JSON.stringify(Array.from({ length: 501 }, () => ({ Id: 'a' }))), 'at most 500'],
    ['what is nested for ever', `[{"Metric":${'{"Metric":'.repeat(20)}1${'}'.repeat(20)}}]`, 'nested too deep'],
  ])('takes no query that is %s, and says so beforehand', (_what, query, told) => {
    expect(cloudwatch.queryProblem?.(query)).toContain(told);
  });

  it('says nothing of a query that a template completes', () => {
    expect(cloudwatch.queryProblem?.('[{"Id":"{{ target }}"}]')).toBeUndefined();
    expect(cloudwatch.queryProblem?.('[{"id":"a","expression":"b"}]')).toBeUndefined();
  });

  it.each(['', 'Europe', 'eu-west-1.evil.example/', 'eu-west-1@evil'])('has no region %j', (region) => {
    expect(() => cloudwatch.check({ address: '', region })).toThrow('region');
  });
});

describe('Google Cloud Monitoring', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const origin = 'https://monitoring.googleapis.com';
  const keyOf = (tokenUri: string, email = 'serin@our.iam') =>
    JSON.stringify({
      type: 'service_account',
      client_email: email,
      private_key_id: 'kid-1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: tokenUri,
    });
  /** Gives a token to whoever has signed for the one scope that is needed. */
  const tokenServer = () =>
    serve((_, response, body) => {
      const [head = '', claims = '', signature = ''] = (new URLSearchParams(body).get('assertion') ?? '').split('.');
      const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
      const isSigned = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url');
      const isRight =
        isSigned &&
        said['iss'] === 'serin@our.iam' &&
        said['scope'] === 'https://www.googleapis.com/auth/monitoring.read' &&
        Number(said['exp']) === nowMs / 1_000 + 3_600;
      response
        .writeHead(isRight ? 200 : 400)
        .end(JSON.stringify(isRight ? { access_token: 'ya29.own', expires_in: 3_599 } : { error: 'topsecret' }));
    });
  const answer = { timeSeriesData: [{ pointData: [{ values: [{ doubleValue: 99.5 }] }] }] };
  const monitoring = () =>
    serve((request, response, body) => {
      const isKnown = request.headers.authorization === 'Bearer ya29.own';
      const isAsked = request.url === '/v3/projects/our-project/timeSeries:query' && request.method === 'POST';
      if (!isKnown) return response.writeHead(401).end('{"error":{"status":"UNAUTHENTICATED","message":"topsecret"}}');
      if (!isAsked || (JSON.parse(body) as { query: string }).query === '')
        return response.writeHead(400).end('{"error":{"status":"INVALID_ARGUMENT","message":"topsecret"}}');
      return response.end(JSON.stringify(answer));
    });
  const asked = (credentials: Record<string, string>, address = origin): MetricQuery => ({
    address,
    credentials,
    query: 'fetch x',
    nowMs,
    windowMs: 60_000,
  });

  it('is asked with a token that the key in the Secret has signed for, once an hour', async () => {
    const [tokens, server] = [await tokenServer(), await monitoring()];
    const { clock, clouds } = environmentOf({}, http);
    const io: ProviderIo = { http: routed([origin, server]), clock, clouds };
    const credentials = { project: 'our-project', serviceAccountKey: keyOf(tokens.url) };
    for (let times = 0; times < 3; times += 1)
      expect(await stackdriver.measure(asked(credentials), io, signal)).toEqual({ kind: 'value', value: 99.5 });
    expect(await stackdriver.probe(asked(credentials), io, signal)).toEqual({ kind: 'value', value: 1 });
    expect(tokens.requests).toHaveLength(1);
    const other = { ...credentials, serviceAccountKey: keyOf(tokens.url, 'nobody@our.iam') };
    const refused = stackdriver.measure(asked(other), io, signal);
    await expect(refused).rejects.toMatchObject({ code: 'CANARY_INVALID' });
    await expect(refused).rejects.not.toThrow('topsecret');
  });

  it('is asked with the agent’s own token at its own address alone', async () => {
    const server = await monitoring();
    const trap = await serve((_, response) => response.end(JSON.stringify(answer)));
    const metadata = await serve((request, response) =>
      response
        .writeHead(request.headers['metadata-flavor'] === 'Google' ? 200 : 403)
        .end(JSON.stringify({ access_token: 'ya29.own', expires_in: 300 })),
    );
    const { clock, clouds } = environmentOf({ GCE_METADATA_HOST: new URL(metadata.url).host }, http);
    const io: ProviderIo = { http: routed([origin, server]), clock, clouds };
    expect(await stackdriver.measure(asked({ project: 'our-project' }, trap.url), io, signal)).toEqual({
      kind: 'value',
      value: 99.5,
    });
    expect(trap.requests).toEqual([]);
  });

  it('tells by name what it refuses, and quotes nothing else', async () => {
    const server = await monitoring();
    const clouds = { google: async () => 'ya29.others', aws: () => Promise.reject(new Error('not asked')) };
    const io: ProviderIo = { http: routed([origin, server]), clock: { now: () => nowMs }, clouds };
    expect(await stackdriver.measure(asked({ project: 'our-project' }), io, signal)).toEqual({
      kind: 'refused',
      passing: false,
      reason: 'error response: Status 401 Unauthorized: UNAUTHENTICATED',
    });
    await expect(stackdriver.measure(asked({ project: 'our/../project' }), io, signal)).rejects.toThrow(
      'no id of a project',
    );
  });
});

describe('Splunk', () => {
  it.each([
    ['https://api.us1.signalfx.com', 'https://stream.us1.signalfx.com', 'https://api.us1.signalfx.com'],
    ['wss://stream.us1.signalfx.com', 'https://stream.us1.signalfx.com', 'https://api.us1.signalfx.com'],
    ['https://splunk.example/api', 'https://splunk.example/api', 'https://splunk.example/api'],
    ['ws://api.example/', 'http://stream.example', 'http://api.example'],
  ])('is asked where Flagger asks it: %s [PV32]', async (address, programs, others) => {
    const urls: string[] = [];
    const io: ProviderIo = {
      clock: { now: () => nowMs },
      http: {
        request: async ({ url }) => {
          urls.push(url.replace(/\?.*/, ''));
          return { status: 500, headers: {}, body: '' };
        },
      },
    };
    const target = { address, credentials: { sf_token_key: 'k' } };
    await splunk.measure({ ...target, query: 'q', nowMs, windowMs: 60_000 }, io, signal);
    await splunk.probe(target, io, signal);
    expect(urls).toEqual([`${programs}/v2/signalflow/execute`, `${others}/v2/metric`]);
  });
});

const ofCluster = (more: Partial<MetricsOfCluster>): ProviderIo => ({
  http: { request: () => Promise.reject(new Error('nobody is asked over HTTP')) },
  clock: { now: () => nowMs },
  cluster: {
    namespace: 'prod',
    get: async () => undefined,
    externalMetric: async () => undefined,
    ...more,
  },
});

describe('external metrics', () => {
  const ask = (query: string, io: ProviderIo, more: Partial<MetricQuery> = {}) =>
    externalmetrics.measure({ address: '', query, nowMs, windowMs: 60_000, ...more }, io, signal);

  it.each([
    ['queue', { namespace: 'default', name: 'queue', labelSelector: '' }],
    ['/queue', { namespace: 'default', name: 'queue', labelSelector: '' }],
    ['prod/queue', { namespace: 'prod', name: 'queue', labelSelector: '' }],
    ['/prod/queue', { namespace: 'prod', name: 'queue', labelSelector: '' }],
    [' prod/queue?labelSelector=app%3Dshop%2Cx\n', { namespace: 'prod', name: 'queue', labelSelector: 'app=shop,x' }],
    ['prod/a%2Fb', { namespace: 'prod', name: 'a/b', labelSelector: '' }],
  ])('are asked of the cluster by %j [PV35] [PV37]', async (query, wanted) => {
    const seen: unknown[] = [];
    const list = { kind: 'ExternalMetricValueList', items: [{ value: '250m' }] };
    const io = ofCluster({ externalMetric: async (metric) => (seen.push(metric), list) });
    expect(await ask(query, io)).toEqual({ kind: 'value', value: 0.25 });
    expect(seen).toEqual([wanted]);
  });

  it.each(['', '/', 'a/b/c', 'prod/', 'prod/..', 'UPPER/queue', '../queue', 'prod/%', '%2e%2e/x', 'prod/%2e%2e'])(
    'are not asked by %j, which validate says beforehand',
    async (query) => {
      expect(externalmetrics.queryProblem?.(query)).toContain('namespace/metric?labelSelector=');
      await expect(ask(query, ofCluster({}))).rejects.toMatchObject({ code: 'CANARY_INVALID' });
    },
  );

  it('tell apart that nobody serves them, that they may not be read, and that the API server is away', async () => {
    const failing = (code: 'CLUSTER_REFUSED' | 'CLUSTER_UNREACHABLE') =>
      ofCluster({ externalMetric: () => Promise.reject(new AgentError(code, 'why')) });
    expect(await ask('queue', ofCluster({}))).toMatchObject({ kind: 'refused', passing: false });
    expect(await ask('queue', failing('CLUSTER_REFUSED'))).toEqual({ kind: 'refused', passing: false, reason: 'why' });
    expect(await ask('queue', failing('CLUSTER_UNREACHABLE'))).toEqual({
      kind: 'refused',
      passing: true,
      reason: 'why',
    });
    const strange = ofCluster({ externalMetric: async () => ({ items: 1 }) });
    expect(await ask('queue', strange)).toMatchObject({ kind: 'refused', passing: true });
  });

  it('are probed in the namespace of the Canary', async () => {
    const seen: unknown[] = [];
    const list = { kind: 'ExternalMetricValueList', items: [] };
    const io = ofCluster({ externalMetric: async (metric) => (seen.push(metric), list) });
    expect(await externalmetrics.probe({ address: '' }, io, signal)).toEqual({ kind: 'value', value: 1 });
    expect(seen).toEqual([{ namespace: 'prod', name: 'dummy-metric', labelSelector: '' }]);
  });

  it('never send a token to the cluster that is meant for an address', () => {
    expect(() => externalmetrics.check({ address: '', credentials: { token: 'x' } })).toThrow('address is missing');
    expect(() => externalmetrics.check({ address: 'https://metrics', credentials: { token: 'x' } })).not.toThrow();
  });
});

describe('Keptn', () => {
  const ask = (query: string, io: ProviderIo) =>
    keptn.measure({ address: '', query, nowMs, windowMs: 60_000 }, io, signal);

  it('gives what a KeptnMetric has measured last [PV28] [PV29]', async () => {
    const seen: unknown[] = [];
    const reading = (status: unknown) => {
      const object = { apiVersion: 'metrics.keptn.sh/v1beta1', kind: 'KeptnMetric', metadata: { name: 'rt' }, status };
      return ask('KeptnMetric/prod/rt\n', ofCluster({ get: async (ref) => (seen.push(ref), object) }));
    };
    expect(await reading({ value: '12.5' })).toEqual({ kind: 'value', value: 12.5 });
    expect(await reading({})).toMatchObject({ kind: 'no-data' });
    expect(await reading(undefined)).toMatchObject({ kind: 'no-data' });
    expect(await reading({ value: 'topsecret' })).toMatchObject({ kind: 'refused', passing: false });
    expect(seen[0]).toEqual({
      apiVersion: 'metrics.keptn.sh/v1beta1',
      kind: 'KeptnMetric',
      namespace: 'prod',
      name: 'rt',
    });
    expect(await ask('keptnmetrics/prod/rt', ofCluster({}))).toMatchObject({ kind: 'refused', passing: false });
    await expect(ask('keptnmetric/prod/rt', { http, clock: { now: () => 0 } })).rejects.toThrow('no cluster');
  });

  it.each(['', 'prod/rt', 'keptnmetric/prod', 'keptnmetric/pr od/rt', 'pods/prod/rt'])('takes no query %j', (query) => {
    expect(keptn.queryProblem?.(query)).toContain('keptnmetric/namespace/name');
  });

  it('makes no analyses, and says so beforehand', () => {
    expect(keptn.queryProblem?.('analysis/prod/rt/1m')).toContain('analyses of Keptn are not made');
  });
});
