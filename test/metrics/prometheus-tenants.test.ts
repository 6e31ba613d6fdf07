import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measure, metricsOnline, type MetricIo } from '../../src/analysis/measure.ts';
import type { MetricSpec } from '../../src/canary/types.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { aSpec } from '../helpers/a-route-context.ts';

const tlsFile = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
const identity = { cert: tlsFile('localhost.cert.pem'), key: tlsFile('localhost.key.pem') };
const { signal } = new AbortController();
const basic = `Basic ${Buffer.from('ann:pass-word').toString('base64')}`;

/** As Mimir does it: a tenant has to be named, who asks has to sign in, and its API stands under a path. */
function answer({ url = '', headers }: IncomingMessage): { readonly status: number; readonly body: string } {
  if (!url.startsWith('/prometheus/api/v1/query?')) return { status: 404, body: '404 page not found' };
  const { authorization } = headers;
  if (authorization !== 'Bearer tok-en' && authorization !== basic) return { status: 401, body: 'unauthorized' };
  const tenant = headers['x-scope-orgid'];
  if (tenant === undefined) return { status: 401, body: 'no org id' };
  const values: Readonly<Record<string, string>> = { 'team-a': '1', 'team-a|team-b': '3' };
  const value = values[String(tenant)];
  const result = value === undefined ? [] : [{ metric: {}, value: [1, value] }];
  return { status: 200, body: JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }) };
}

describe('Mimir, Cortex and Thanos by a MetricTemplate of Prometheus', () => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = createServer(identity, (request, response) => {
      const { status, body } = answer(request);
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const metric: MetricSpec = {
    name: 'errors',
    interval: '1m',
    range: { max: 1 },
    templateRef: { namespace: 'prod', name: 'errors' },
  };
  const spec = aSpec({ namespace: 'prod', name: 'shop', analysis: { ...aSpec({}).analysis, metrics: [metric] } });
  const world = (provider: object, secret: Readonly<Record<string, string>> | undefined, ca: boolean) => {
    const io: MetricIo = {
      http: createHttp({ maxBytes: 100_000, userAgent: 'test', ...(ca ? { ca: identity.cert } : {}) }),
      clock: { now: () => 0 },
      metricsServer: 'http://127.0.0.1:1',
      meshProvider: 'istio',
      template: () => ({
        apiVersion: 'flagger.app/v1beta1',
        kind: 'MetricTemplate',
        metadata: { namespace: 'prod', name: 'errors' },
        spec: {
          provider: {
            type: 'prometheus',
            address: `https://localhost:${port}/prometheus`,
            ...(secret ? { secretRef: { name: 'keys' } } : {}),
            ...provider,
          },
          query: 'sum(up)',
        },
      }),
      secret: async () => secret,
    };
    return { measured: () => measure(spec, metric, io, signal), probed: () => metricsOnline(spec, io, signal) };
  };
  const tenant = (...names: readonly string[]) => ({ headers: { 'X-Scope-OrgID': names } });

  it.each([
    ['a token', { token: 'tok-en' }, tenant('team-a'), true, 1],
    ['user and password', { username: 'ann', password: 'pass-word' }, tenant('team-a'), true, 1],
    ['several tenants', { token: 'tok-en' }, tenant('team-a|team-b'), true, 3],
    [
      'a certificate that nobody vouches for, where that is said',
      { token: 'tok-en' },
      { ...tenant('team-a'), insecureSkipVerify: true },
      false,
      1,
    ],
  ])('is asked with %s', async (_what, secret, provider, ca, value) => {
    const { measured, probed } = world(provider, secret, ca);
    expect(await measured()).toMatchObject({ kind: 'value', value, source: { query: 'sum(up)' } });
    // Its vector(1) is of the tenant, too; there it is whatever the tenant has.
    expect((await probed()).kind).toBe('value');
  });

  it('is told apart: no tenant, a tenant without series, a wrong token, another path, a certificate that nobody vouches for', async () => {
    const ask = (provider: object, secret: Readonly<Record<string, string>>, ca = true) =>
      world(provider, secret, ca).measured();
    const token = { token: 'tok-en' };
    expect(await ask({}, token)).toEqual({ kind: 'invalid', text: expect.stringContaining('Status 401') as unknown });
    expect(await ask(tenant('team-c'), token)).toMatchObject({ kind: 'no-data', cause: 'noSeries' });
    expect(await ask(tenant('team-a'), { token: 'topsecret' })).toMatchObject({ kind: 'invalid' });
    expect(await ask({ ...tenant('team-a'), address: `https://localhost:${port}` }, token)).toMatchObject({
      text: expect.stringContaining('Status 404') as unknown,
    });
    const refused = await ask(tenant('team-a'), token, false);
    expect(JSON.stringify(refused)).toContain('TLS: self-signed certificate');
    expect(JSON.stringify(refused)).not.toContain('tok-en');
  });
});
