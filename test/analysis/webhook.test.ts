import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callWebhook, webhookPayload } from '../../src/analysis/webhook.ts';
import type { WebhookSpec } from '../../src/canary/types.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

const signal = new AbortController().signal;
const http = createHttp({ maxBytes: 100_000, userAgent: 'test' });
const opened: TestServer[] = [];
const payload = webhookPayload({ name: 'app', namespace: 'demo' }, 'Progressing', undefined, {});

async function serve(answer: Answer): Promise<TestServer> {
  const server = await startServer(answer);
  opened.push(server);
  return server;
}

const figures = { requests: 600, failed: 3, p50Ms: 3.1, p95Ms: 9.4, p99Ms: 12.4 };

const hookTo = (url: string, more: Partial<WebhookSpec> = {}): WebhookSpec => ({
  name: 'gate',
  type: 'confirm-rollout',
  url,
  timeoutMs: 1_000,
  retries: 0,
  disableTls: false,
  muteAlert: false,
  metadata: {},
  ...more,
});

async function call(answer: Answer, more: Partial<WebhookSpec> = {}) {
  const server = await serve(answer);
  const clock = skippingClock();
  const result = await callWebhook(
    hookTo(`${server.url}/gate?token=secret`, more),
    payload,
    { http, clock, random: () => 0.5 },
    signal,
  );
  return { result, server, waits: clock.waits };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

describe('webhookPayload', () => {
  it('has Flagger’s fields in their order and leaves empty metadata out [CW01]', () => {
    expect(JSON.stringify(payload)).toMatch(
      /^\{"name":"app","namespace":"demo","phase":"Progressing","checksum":"[^"]+"\}$/,
    );
    const full = webhookPayload({ name: 'app', namespace: 'demo' }, 'Waiting', undefined, { cmd: 'x' });
    expect(full).toEqual({ ...payload, phase: 'Waiting', metadata: { cmd: 'x' } });
  });

  it('has a checksum that changes with the revision and the configuration only [CW05]', () => {
    const of = (lastAppliedSpec: string, trackedConfigs: Record<string, string>) =>
      webhookPayload({ name: 'app', namespace: 'demo' }, '', { lastAppliedSpec, trackedConfigs }, {}).checksum;
    const checksum = of('a', { 'configmap/x': '1', 'secret/y': '2' });
    expect(of('a', { 'secret/y': '2', 'configmap/x': '1' })).toBe(checksum);
    expect(of('b', { 'configmap/x': '1', 'secret/y': '2' })).not.toBe(checksum);
    expect(of('a', { 'configmap/x': '3', 'secret/y': '2' })).not.toBe(checksum);
    const none = webhookPayload({ name: 'app', namespace: 'demo' }, '', { lastAppliedSpec: 'a' }, {}).checksum;
    expect(none).toBe(of('a', {}));
    expect(none).not.toBe(checksum);
  });
});

describe('callWebhook', () => {
  it('posts the payload as JSON [CW01]', async () => {
    const { result, server } = await call((_, response) => response.writeHead(202).end());
    expect(result).toEqual({ kind: 'passed' });
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/gate?token=secret',
      body: JSON.stringify(payload),
    });
    expect(server.requests[0]?.headers['content-type']).toBe('application/json');
  });

  it.each([200, 201, 202, 203, 204, 206])('passes with %i [R62]', async (status) => {
    expect((await call((_, response) => response.writeHead(status).end())).result).toEqual({ kind: 'passed' });
  });

  it.each([400, 403, 404, 501])('is rejected by %i at once, without the hook’s words', async (status) => {
    const { result, server } = await call((_, response) => response.writeHead(status).end('  top\n secret '), {
      retries: 3,
    });
    expect(result).toEqual({ kind: 'rejected', reason: expect.stringMatching(/^status \d{3} [A-Za-z ]+$/) });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['{"canary":{"requests":600,"failed":3,"p50Ms":3.1,"p95Ms":9.4,"p99Ms":12.4,"more":"x"}}', { canary: figures }],
    [
      `{"primary":${JSON.stringify(figures)},"canary":${JSON.stringify(figures)}}`,
      { canary: figures, primary: figures },
    ],
    ['{"canary":{"requests":"600","failed":3,"p50Ms":3.1,"p95Ms":9.4,"p99Ms":12.4}}', undefined],
    ['{"canary":{"requests":-1,"failed":3,"p50Ms":3.1,"p95Ms":9.4,"p99Ms":12.4}}', undefined],
    ['{"canary":{"requests":1e99,"failed":3,"p50Ms":3.1,"p95Ms":9.4,"p99Ms":12.4}}', undefined],
    ['{"__proto__":{"requests":600}}', undefined],
    [`{"canary":"${'x'.repeat(2_000)}"}`, undefined],
    ['requests=600', undefined],
  ])('takes of a load tester’s header %s numbers only', async (header, load) => {
    const { result } = await call((_, response) => response.setHeader('serin-load', header).end());
    expect(result).toEqual({ kind: 'passed', ...(load ? { load } : {}) });
  });

  it('names the status where the hook says nothing', async () => {
    expect((await call((_, response) => response.writeHead(403).end())).result).toEqual({
      kind: 'rejected',
      reason: 'status 403 Forbidden',
    });
  });

  it('tells the status of a failing hook, and neither its words nor the path of its URL [CW02] [R63]', async () => {
    const { result, server } = await call((_, response) =>
      response.writeHead(500).end('command failed: exit status 1'),
    );
    const reason = `POST ${server.url}/... giving up after 1 attempt(s): status 500 Internal Server Error`;
    expect(result).toEqual({ kind: 'rejected', reason });
  });

  it('tries again with growing pauses and passes in the end [CW06]', async () => {
    let calls = 0;
    const answer: Answer = (_, response) => {
      calls += 1;
      response.writeHead(calls < 4 ? 503 : 200).end();
    };
    const { result, waits } = await call(answer, { retries: 3 });
    expect(result).toEqual({ kind: 'passed' });
    expect(waits).toEqual([750, 1_500, 3_000]);
  });

  it('waits as long as it is asked to, within reason', async () => {
    const after = ['2', 'Thu, 01 Jan 2026 00:00:05 GMT', '86400', 'nonsense'];
    let calls = 0;
    const answer: Answer = (_, response) => {
      response.writeHead(429, { 'retry-after': after[calls] ?? '' }).end('slow down');
      calls += 1;
    };
    const { result, waits } = await call(answer, { retries: 4 });
    expect(waits.slice(0, 3)).toEqual([2_000, 5_000, 30_000]);
    expect(result).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('giving up after 5 attempt(s): status 429 Too Many Requests'),
    });
  });

  it('gives a slow hook up in time, each try anew', async () => {
    const { result, server } = await call(() => undefined, { timeoutMs: 40, retries: 1 });
    expect(result).toEqual({
      kind: 'rejected',
      reason: `POST ${server.url}/... giving up after 2 attempt(s): no complete answer within 0.04 s`,
    });
  });

  it('survives cut and refused connections', async () => {
    const { result } = await call((request) => request.socket.destroy());
    expect(result).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('giving up after 1 attempt(s): '),
    });
    const dead = await deadUrl();
    const io = { http, clock: skippingClock() };
    expect(await callWebhook(hookTo(dead), payload, io, signal)).toEqual({
      kind: 'rejected',
      reason: `POST ${dead} giving up after 1 attempt(s): connection refused`,
    });
    expect((await callWebhook(hookTo('no url'), payload, io, signal)).kind).toBe('rejected');
  });

  it('writes metadata as Go does: by key, with escapes', async () => {
    const full = webhookPayload({ name: 'app', namespace: 'demo' }, 'Waiting', undefined, { b: 'x < 1', a: '&' });
    const server = await serve((_, response) => response.end());
    await callWebhook(hookTo(server.url), full, { http, clock: skippingClock() }, signal);
    expect(server.requests[0]?.body).toMatch(/,"metadata":\{"a":"\\u0026","b":"x \\u003c 1"\}\}$/);
  });

  it('sends all tries of a call under one key [R77]', async () => {
    const server = await serve((_, response) => response.writeHead(503).end());
    const io = { http, clock: skippingClock(), headers: { 'idempotency-key': 'k1' } };
    await callWebhook(hookTo(server.url, { retries: 1 }), payload, io, signal);
    expect(server.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['k1', 'k1']);
  });

  it('follows redirects that keep the request', async () => {
    const { result, server } = await call((request, response) =>
      request.url?.startsWith('/gate') ? response.writeHead(307, { location: '/there' }).end() : response.end(),
    );
    expect(result).toEqual({ kind: 'passed' });
    expect(server.requests.at(-1)).toMatchObject({ method: 'POST', path: '/there', body: JSON.stringify(payload) });
  });

  describe('on a server with a certificate of its own', () => {
    const tls = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
    let asked = 0;
    const server = createServer({ cert: tls('localhost.cert.pem'), key: tls('localhost.key.pem') }, (_, response) => {
      asked += 1;
      response.writeHead(202).end();
    });
    const io = { http, clock: skippingClock() };
    let url = '';
    beforeAll(async () => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    it('is accepted where disableTLS says so [CW07]', async () => {
      expect(await callWebhook(hookTo(url, { disableTls: true }), payload, io, signal)).toEqual({ kind: 'passed' });
    });

    it('is rejected otherwise, and not tried again', async () => {
      const before = asked;
      const result = await callWebhook(hookTo(url, { retries: 3 }), payload, io, signal);
      expect(result).toMatchObject({
        kind: 'rejected',
        reason: expect.stringMatching(/giving up after 1 attempt\(s\): TLS: /),
      });
      expect(io.clock.waits).toEqual([]);
      expect(asked).toBe(before);
    });
  });

  it('stops with the agent, while it asks and while it waits', async () => {
    const server = await serve(() => undefined);
    const stop = new AbortController();
    const asked = callWebhook(hookTo(server.url), payload, { http, clock: skippingClock() }, stop.signal);
    setTimeout(() => stop.abort(new Error('shutting down')), 20);
    await expect(asked).rejects.toThrow('shutting down');
  });
});
