import { afterEach, describe, expect, it } from 'vitest';
import { callWebhook, webhookPayload } from '../../src/analysis/webhook.ts';
import type { WebhookSpec } from '../../src/canary/types.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createHttp } from '../../src/lib/http-client.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';

const signal = new AbortController().signal;
const http = createHttp({ maxBytes: 100_000, userAgent: 'test' });
const opened: TestServer[] = [];
const payload = webhookPayload({ name: 'app', namespace: 'demo' }, 'Progressing', undefined, {});

/** Time that passes as soon as somebody waits. */
function skippingClock(): Clock & { waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.UTC(2026, 0, 1),
    sleep: async (ms, stop) => {
      stop.throwIfAborted();
      waits.push(ms);
    },
    after: () => () => undefined,
  };
}

async function serve(answer: Answer): Promise<TestServer> {
  const server = await startServer(answer);
  opened.push(server);
  return server;
}

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
  it('has Flagger’s fields in their order and leaves empty metadata out', () => {
    expect(JSON.stringify(payload)).toMatch(
      /^\{"name":"app","namespace":"demo","phase":"Progressing","checksum":"[^"]+"\}$/,
    );
    const full = webhookPayload({ name: 'app', namespace: 'demo' }, 'Waiting', undefined, { cmd: 'x' });
    expect(full).toEqual({ ...payload, phase: 'Waiting', metadata: { cmd: 'x' } });
  });

  it('has a checksum that changes with the revision and the configuration only', () => {
    const of = (lastAppliedSpec: string, trackedConfigs: Record<string, string>) =>
      webhookPayload({ name: 'app', namespace: 'demo' }, '', { lastAppliedSpec, trackedConfigs }, {}).checksum;
    const checksum = of('a', { 'configmap/x': '1', 'secret/y': '2' });
    expect(of('a', { 'secret/y': '2', 'configmap/x': '1' })).toBe(checksum);
    expect(of('b', { 'configmap/x': '1', 'secret/y': '2' })).not.toBe(checksum);
    expect(of('a', { 'configmap/x': '3', 'secret/y': '2' })).not.toBe(checksum);
  });
});

describe('callWebhook', () => {
  it('posts the payload as JSON', async () => {
    const { result, server } = await call((_, response) => response.end());
    expect(result).toEqual({ kind: 'passed' });
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/gate?token=secret',
      body: JSON.stringify(payload),
    });
    expect(server.requests[0]?.headers['content-type']).toBe('application/json');
  });

  it.each([200, 201, 202, 203, 204, 206])('passes with %i', async (status) => {
    expect((await call((_, response) => response.writeHead(status).end())).result).toEqual({ kind: 'passed' });
  });

  it.each([400, 403, 404, 501])('is rejected by %i at once, in the hook’s words', async (status) => {
    const { result, server } = await call((_, response) => response.writeHead(status).end('  not\n now '), {
      retries: 3,
    });
    expect(result).toEqual({ kind: 'rejected', reason: 'not now' });
    expect(server.requests).toHaveLength(1);
  });

  it('names the status where the hook says nothing', async () => {
    expect((await call((_, response) => response.writeHead(403).end())).result).toEqual({
      kind: 'rejected',
      reason: 'status 403 Forbidden',
    });
  });

  it('keeps what a failing hook said, and no parameter of its URL', async () => {
    const { result, server } = await call((_, response) =>
      response.writeHead(500).end('command failed: exit status 1'),
    );
    const reason = `POST ${server.url}/gate giving up after 1 attempt(s): command failed: exit status 1`;
    expect(result).toEqual({ kind: 'rejected', reason });
  });

  it('tries again with growing pauses and passes in the end', async () => {
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
      reason: expect.stringContaining('giving up after 5 attempt(s): slow down'),
    });
  });

  it('gives a slow hook up in time, each try anew', async () => {
    const { result, server } = await call(() => undefined, { timeoutMs: 40, retries: 1 });
    expect(result).toEqual({
      kind: 'rejected',
      reason: `POST ${server.url}/gate giving up after 2 attempt(s): no complete answer within 0.04 s`,
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
      reason: `POST ${dead}/ giving up after 1 attempt(s): connection refused`,
    });
    expect((await callWebhook(hookTo('no url'), payload, io, signal)).kind).toBe('rejected');
  });

  it('stops with the agent, while it asks and while it waits', async () => {
    const server = await serve(() => undefined);
    const stop = new AbortController();
    const asked = callWebhook(hookTo(server.url), payload, { http, clock: skippingClock() }, stop.signal);
    setTimeout(() => stop.abort(new Error('shutting down')), 20);
    await expect(asked).rejects.toThrow('shutting down');
  });
});
