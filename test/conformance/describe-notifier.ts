import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/lib/http/client.ts';
import type { Alert, Channel, Notifier } from '../../src/notifiers/notifier.ts';
import { sendAlert } from '../../src/notifiers/send.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

export const anAlert: Alert = {
  namespace: 'demo',
  name: 'app',
  severity: 'info',
  message: 'New revision detected, progressing canary analysis.',
  fields: [
    { name: 'Cluster', value: 'north' },
    { name: 'Target', value: 'Deployment/app.demo' },
    { name: 'Traffic routing', value: 'Weight step: 10 max: 50' },
  ],
};

/** What every notifier must do, whatever its messages look like; against a real server. */
export function describeNotifier(
  notifier: Notifier,
  /** How a text stands in its messages, as JSON. */
  written: (text: string) => string = (text) => text,
  /** Where a token goes. */
  tokenIn: (request: { readonly headers: IncomingHttpHeaders; readonly body: string }) => unknown = ({ headers }) =>
    headers['authorization']?.replace('Bearer ', ''),
): void {
  const opened: TestServer[] = [];
  const { signal } = new AbortController();
  const http = createHttp({ maxBytes: 10_000, userAgent: 'test' });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((server) => server.close()));
  });
  const send = async (
    answer: Answer,
    { alert = anAlert, token }: { alert?: Alert; token?: string } = {},
  ): Promise<{ failure: string | undefined; server: TestServer; waits: number[] }> => {
    const server = await startServer(answer);
    opened.push(server);
    const clock = skippingClock();
    const address = `${server.url}/services/T0/B0/topsecret`;
    const channel: Channel = { address, channel: 'general', username: 'flagger', ...(token ? { token } : {}) };
    const io = { http, clock, random: () => 0.5 };
    return { failure: await sendAlert(notifier, alert, channel, io, signal), server, waits: clock.waits };
  };

  describe(`notifier ${notifier.name} [NT06]`, () => {
    it('posts JSON that says which canary, what happened and the details in their order', async () => {
      const { failure, server } = await send((_, response) => response.end('ok'));
      expect(failure).toBeUndefined();
      const [{ method, headers, body } = { method: '', headers: {}, body: '' }, ...rest] = server.requests;
      expect(rest).toEqual([]);
      expect(method).toBe('POST');
      expect(headers['content-type']).toBe('application/json');
      expect(headers['authorization']).toBeUndefined();
      const text = JSON.stringify(JSON.parse(body));
      const places = [anAlert.message, ...anAlert.fields.map(({ value }) => value)].map((part) => text.indexOf(part));
      expect(places.every((place) => place >= 0)).toBe(true);
      const details = places.slice(1);
      expect(details).toEqual(details.toSorted((a, b) => a - b));
      expect(text).toMatch(/app\.demo|"name":"app","namespace":"demo"/);
    });

    it('says that an error is one', async () => {
      const { server } = await send((_, response) => response.end());
      const { server: other } = await send((_, response) => response.end(), {
        alert: { ...anAlert, severity: 'error' },
      });
      expect(other.requests[0]?.body).not.toBe(server.requests[0]?.body);
    });

    it('sends a token where there is one', async () => {
      const { server } = await send((_, response) => response.end(), { token: 'xoxb-1' });
      const [request] = server.requests;
      expect(request && tokenIn(request)).toBe('xoxb-1');
    });

    it('tries again what may pass, with pauses that grow [R78]', async () => {
      let calls = 0;
      const { failure, waits } = await send((_, response) => {
        calls += 1;
        response.writeHead(calls === 1 ? 500 : calls === 2 ? 429 : 204).end();
      });
      expect(failure).toBeUndefined();
      expect(waits).toEqual([750, 1_500]);
    });

    it('comes again when the receiver wishes, within five minutes', async () => {
      const wishes = ['45', 'Thu, 01 Jan 2026 00:01:30 GMT', '86400'];
      let calls = 0;
      const { failure, waits } = await send((_, response) => {
        const wish = wishes[calls];
        calls += 1;
        if (wish === undefined) response.end('ok');
        else response.writeHead(calls === 2 ? 503 : 429, { 'retry-after': wish }).end('rate_limited');
      });
      expect(failure).toBeUndefined();
      expect(waits).toEqual([45_000, 90_000, 300_000]);
      const foreign = await send((_, response) => response.writeHead(500, { 'retry-after': '45' }).end());
      expect(foreign.waits).toEqual([750, 1_500, 3_000]);
    });

    it('gives up what does not pass, without its address and what a stranger says', async () => {
      const refused = await send((_, response) => response.writeHead(404).end('no_service'));
      expect(refused.failure).toBe('status 404: no_service');
      expect(refused.waits).toEqual([]);
      const broken = await send((request, response) => response.writeHead(503).end(`down: ${request.url ?? ''}`));
      expect(broken.waits).toHaveLength(3);
      expect(broken.failure).toBe('status 503');
      const dead = `${await deadUrl()}/topsecret`;
      const channel = { address: dead, channel: 'general', username: 'flagger' };
      const failure = await sendAlert(notifier, anAlert, channel, { http, clock: skippingClock() }, signal);
      expect(failure).toBe('connection refused');
    });

    it('keeps whatever a person writes in one JSON text', async () => {
      const message = 'success rate 53% < 99% "quoted" \n & <!channel> \u2028';
      const { server } = await send((_, response) => response.end(), { alert: { ...anAlert, message, fields: [] } });
      const body = JSON.stringify(JSON.parse(server.requests[0]?.body ?? ''));
      expect(body).toContain(JSON.stringify(written(message)).slice(1, -1));
    });
  });
}
