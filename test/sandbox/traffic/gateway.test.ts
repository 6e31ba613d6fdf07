import { connect } from 'node:net';
import { request as open } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { startLoad } from '../../../src/sandbox/traffic/load.ts';
import { createWeightedChoice } from '../../../src/sandbox/traffic/weighted-choice.ts';
import { fastClock } from '../../helpers/fast-clock.ts';
import { aGateway, routed, type TestGateway } from './a-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
});
afterEach(() => gateway.stop());

describe('the weighted choice', () => {
  const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 4 });

  it('takes each exactly as often as it weighs, from any turn on, and is never far off in between', () => {
    fc.assert(
      fc.property(weights, fc.nat(50), (all, skipped) => {
        const pick = createWeightedChoice();
        const choices = all.map((weight, index) => ({ id: String(index), weight }));
        const total = all.reduce((a, b) => a + b, 0);
        const next = () => pick('place', choices);
        if (total === 0) return next() === undefined;
        for (let turn = 0; turn < skipped; turn += 1) next();
        const counts = all.map(() => 0);
        for (let turn = 1; turn <= total; turn += 1) {
          const index = Number(next()?.id);
          counts[index] = (counts[index] ?? 0) + 1;
          for (const [one, count] of counts.entries()) {
            if (Math.abs(count - (turn * (all[one] ?? 0)) / total) > all.length) return false;
          }
        }
        return counts.every((count, index) => count === all[index]);
      }),
      { numRuns: 60 },
    );
  });

  it('starts anew when the weights change', () => {
    const pick = createWeightedChoice();
    const pickBetween = (a: number, b: number) =>
      pick('place', [
        { id: 'a', weight: a },
        { id: 'b', weight: b },
      ])?.id;
    for (let turn = 0; turn < 5; turn += 1) expect(pickBetween(100, 0)).toBe('a');
    expect(new Set([pickBetween(50, 50), pickBetween(50, 50)])).toEqual(new Set(['a', 'b']));
    for (let turn = 0; turn < 5; turn += 1) expect(pickBetween(0, 100)).toBe('b');
  });
});

describe('the gateway', () => {
  it('passes bodies, statuses and headers through and takes turns between pods', async () => {
    await gateway.service('shop', { pods: 3 });
    await gateway.service('tea', {
      handle: (_request, respond) => respond(418, { 'x-tea': 'pot', connection: 'close' }),
    });
    const body = 'x'.repeat(300_000);
    const headers = { 'x-mine': '1', connection: 'keep-alive, x-hop', 'x-hop': '1' };
    const { echo } = await gateway.ask('shop.test', '/a%20b?c=d', { method: 'PUT', body, headers });
    expect(echo).toMatchObject({
      method: 'PUT',
      url: '/a%20b?c=d',
      body,
      headers: { host: 'shop.test', 'x-mine': '1' },
    });
    expect(echo.headers).not.toHaveProperty('x-hop');
    expect(await gateway.ask('tea.test')).toMatchObject({ status: 418, headers: { 'x-tea': 'pot' }, text: 'handled' });
  });

  it('streams an answer while it is still being written', async () => {
    let finish: () => void = () => undefined;
    await gateway.service('stream', {
      handle: (request) => {
        const { socket } = request;
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n');
        finish = () => socket.write('4\r\nlast\r\n0\r\n\r\n');
      },
    });
    const chunks: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const request = open(gateway.traffic.url, { headers: { host: 'stream.test' } }, (response) => {
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk.toString());
          if (chunks.length === 1) finish();
        });
        response.once('end', resolve);
      });
      request.once('error', reject);
      request.end();
    });
    expect(chunks).toEqual(['first', 'last']);
  });

  it('tries another pod when one is gone, and says 502 when a request with a body cannot be repeated', async () => {
    await gateway.service('dying', { handle: (request) => void request.socket.destroy() });
    expect((await gateway.ask('dying.test')).status).toBe(502);
    expect((await gateway.ask('dying.test', '/', { method: 'POST', body: 'x' })).status).toBe(502);
    let calls = 0;
    await gateway.service('flaky', {
      handle: (request, respond) => {
        calls += 1;
        if (calls === 1) request.socket.destroy();
        else respond(200, {});
      },
    });
    expect((await gateway.ask('flaky.test')).status).toBe(200);
  });

  it('believes an application that tells its delay, so that fast clocks do not hide slowness', async () => {
    await gateway.service('slow', {
      handle: (_request, respond) => respond(200, { 'server-timing': 'app;dur=812.5' }),
    });
    gateway.apply(
      routed('traefik.io/v1alpha1', 'TraefikService', 'web', { weighted: { services: [{ name: 'slow', port: 80 }] } }),
    );
    await gateway.ask('web.test');
    await expect.poll(() => gateway.counted).toMatchObject([{ durationMs: 812.5, status: 200 }]);
  });

  it('counts clients that go away as 499 and lets the pod know', async () => {
    let gone = false;
    await gateway.service('slow', { handle: (request) => void request.socket.once('close', () => (gone = true)) });
    gateway.apply(
      routed('traefik.io/v1alpha1', 'TraefikService', 'web', { weighted: { services: [{ name: 'slow', port: 80 }] } }),
    );
    const socket = connect(Number(new URL(gateway.traffic.url).port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: web.test\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await expect.poll(() => gone).toBe(true);
    await expect.poll(() => gateway.counted).toMatchObject([{ status: 499 }]);
  });

  it('stops while requests are under way', async () => {
    await gateway.service('slow', { handle: () => undefined });
    const refused = gateway.ask('slow.test').catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await gateway.traffic.stop();
    expect(await refused).toBeInstanceOf(Error);
    await expect(gateway.ask('slow.test')).rejects.toThrow('ECONNREFUSED');
  });

  it('has the series of deleted pods forgotten', () => {
    const spec = { containers: [{ name: 'app', image: 'x' }] };
    gateway.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one', namespace: 'test' }, spec });
    gateway.store.remove('v1', 'Pod', 'test', 'one');
    const removed = gateway.store.get('v1', 'Pod', 'test', 'one') === undefined;
    expect(gateway.forgotten).toEqual(removed ? ['test/one'] : []);
  });
});

describe('the load generator', () => {
  it('keeps its rate, counts versions and statuses, and ends at its total', async () => {
    await gateway.service('shop');
    const startedMs = Date.now();
    const load = startLoad({
      url: gateway.traffic.url,
      host: 'shop.test',
      perSecond: 20,
      total: 20,
      clock: fastClock(10),
    });
    await load.done;
    const tookMs = Date.now() - startedMs;
    expect(load.counts()).toEqual({
      requests: 20,
      statuses: { 200: 20 },
      versions: { shop: 20 },
      succeeded: { shop: 20 },
    });
    expect(tookMs).toBeGreaterThanOrEqual(85);
    expect(tookMs).toBeLessThan(1_000);
  });

  it('never has more under way than it may, and stops at once', async () => {
    let inFlight = 0;
    let most = 0;
    await gateway.service('slow', {
      handle: (request) => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        request.socket.once('close', () => (inFlight -= 1));
      },
    });
    const load = startLoad({
      url: gateway.traffic.url,
      host: 'slow.test',
      perSecond: 500,
      concurrency: 3,
      clock: systemClock,
    });
    await expect.poll(() => inFlight).toBe(3);
    await load.stop();
    expect(most).toBe(3);
    expect(load.counts().requests).toBe(0);
  });

  it('counts what nobody answers as status 0', async () => {
    const load = startLoad({ url: 'http://127.0.0.1:1', host: 'x', perSecond: 1_000, total: 3, clock: systemClock });
    await load.done;
    expect(load.counts().statuses).toEqual({ 0: 3 });
  });
});
