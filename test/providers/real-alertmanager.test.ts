import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/lib/http/client.ts';
import { alertmanager } from '../../src/notifiers/alertmanager.ts';
import type { Alert } from '../../src/notifiers/notifier.ts';
import { sendAlert } from '../../src/notifiers/send.ts';
import { anAlert } from '../conformance/describe-notifier.ts';
import { hasAlertmanager, startAlertmanager } from '../helpers/alertmanager.ts';
import { eventually } from '../helpers/eventually.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

interface Told {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

describe.skipIf(!hasAlertmanager)('a real Alertmanager (npm run tools)', () => {
  const { signal } = new AbortController();
  const http = createHttp({ maxBytes: 100_000, userAgent: 'test' });
  let receiver: TestServer;
  let server: { url: string; close(): Promise<void> };
  beforeAll(async () => {
    receiver = await startServer((_, response) => response.end());
    server = await startAlertmanager(receiver.url);
  }, 30_000);
  afterAll(async () => {
    await server.close();
    await receiver.close();
  });
  const send = (alert: Partial<Alert>, address = server.url) =>
    sendAlert(
      alertmanager,
      { ...anAlert, ...alert },
      { address, channel: 'general', username: 'flagger' },
      { http, clock: skippingClock() },
      signal,
    );
  const known = async (): Promise<readonly Told[]> =>
    (await (await fetch(`${server.url}/api/v2/alerts`)).json()) as readonly Told[];

  it('takes an alert of each severity, and hands it on with its labels and annotations', async () => {
    for (const severity of ['info', 'warn', 'error'] as const)
      expect(await send({ severity, message: `it is ${severity}` })).toBeUndefined();
    const labels = (await known()).map((one) => one.labels);
    expect(new Set(labels.map(({ severity }) => severity))).toEqual(new Set(['critical', 'info', 'warning']));
    for (const one of labels) expect(one).toMatchObject({ alertname: 'SerinCanary', namespace: 'demo', canary: 'app' });
    await eventually('three messages', () => receiver.requests.length >= 3);
    const handed = receiver.requests.flatMap(
      ({ body }) => (JSON.parse(body) as { readonly alerts: readonly Told[] }).alerts,
    );
    expect(handed).toContainEqual(
      expect.objectContaining({
        labels: expect.objectContaining({ severity: 'critical' }) as unknown,
        annotations: {
          summary: 'app.demo',
          description: 'it is error',
          cluster: 'north',
          target: 'Deployment/app.demo',
          traffic_routing: 'Weight step: 10 max: 50',
        },
      }),
    );
  });

  it.each([
    ['letters of any script', 'gescheitert: größer als 99 % ✗ 失敗'],
    ['quotes and line ends', 'a "quoted"\nline \\ and <tags>'],
    ['nothing but a space', ' '],
    ['a long text', 'x'.repeat(20_000)],
  ])('takes %s', async (_what, message) => {
    expect(await send({ name: `of-${message.length}`, severity: 'error', message })).toBeUndefined();
    const found = (await known()).find(({ labels }) => labels['canary'] === `of-${message.length}`);
    expect(found?.annotations['description']).toBe(message);
  });

  it('is found under its own path, and told where it is not', async () => {
    expect(await send({}, `${server.url}/api/v2/alerts`)).toBeUndefined();
    expect(await send({}, `${server.url}/elsewhere`)).toBe('status 404');
  });
});
