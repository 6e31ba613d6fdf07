import { afterEach, describe, expect, it } from 'vitest';
import type { Deps } from '../../src/agent/deps.ts';
import { createEventHooks } from '../../src/outlets/event-hooks.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import type { CanaryEvent } from '../../src/canary/types.ts';
import { agentSettings } from '../../src/cli/agent-settings.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { readSettings } from '../../src/config/settings.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { createLogger } from '../../src/lib/log.ts';
import { createOutbox } from '../../src/lib/outbox.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { type Answer, startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

const opened: TestServer[] = [];
const http = createHttp({ maxBytes: 10_000, userAgent: 'test' });
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

async function serve(answer: Answer = (_, response) => response.end()): Promise<TestServer> {
  const server = await startServer(answer);
  opened.push(server);
  return server;
}

const aCanary = (webhooks: readonly object[], status: object = {}): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace: 'demo', name: 'app', uid: 'u1' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '10s', threshold: 2, stepWeight: 10, webhooks },
  },
  status,
});

function hooks(environment: Readonly<Record<string, string>> = {}) {
  const clock = skippingClock();
  const log: string[] = [];
  const deps: Deps = {
    clock,
    http,
    cluster: {} as Cluster,
    sources: [],
    log: createLogger('debug', (line) => void log.push(line)),
    telemetry: createTelemetry('test', 'traefik'),
    settings: agentSettings(readSettings({ flags: {}, environment, file: {} })),
  };
  const outbox = createOutbox({ clock, limit: 10, onDropped: () => undefined, onError: () => undefined });
  const tell = createEventHooks(deps, outbox);
  return {
    log,
    waits: clock.waits,
    tell: (canary: KubeObject, event: Partial<CanaryEvent> = {}): void =>
      tell(canary, parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 }), {
        type: 'Normal',
        level: 'info',
        message: 'something',
        ...event,
      }),
    settled: async (): Promise<void> => {
      while (outbox.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    },
  };
}

const eventHook = (url: string, more: object = {}): object => ({ name: 'told', type: 'event', url, ...more });

describe('event webhooks', () => {
  it('get Flagger’s payload: canary, phase, checksum, and the event among the metadata [CW03]', async () => {
    const server = await serve();
    const { tell, settled } = hooks();
    const metadata = { team: 'shop', eventMessage: 'mine', timestamp: 'mine' };
    tell(aCanary([eventHook(server.url, { metadata })], { phase: 'Progressing', lastAppliedSpec: 'v1' }), {
      type: 'Warning',
      message: 'Halt < 99%',
    });
    await settled();
    const body = server.requests[0]?.body ?? '';
    const checksum = /"checksum":"(\w+)"/.exec(body)?.[1] ?? '';
    expect(body).toBe(
      `{"name":"app","namespace":"demo","phase":"Progressing","checksum":"${checksum}",` +
        `"metadata":{"eventMessage":"Halt \\u003c 99%","eventType":"Warning","team":"shop","timestamp":"1767225600000"}}`,
    );
    tell(aCanary([eventHook(server.url)], { phase: 'Progressing', lastAppliedSpec: 'v2' }));
    await settled();
    expect(server.requests[1]?.body).not.toContain(checksum);
  });

  it('are told what phase the event means, where that is another one', async () => {
    const server = await serve();
    const { tell, settled } = hooks();
    tell(aCanary([eventHook(server.url)], { phase: 'Promoting' }), { phase: 'Succeeded' });
    tell(aCanary([eventHook(server.url)]));
    await settled();
    const phases = server.requests.map(({ body }) => (JSON.parse(body) as { phase: string }).phase);
    expect(phases).toEqual(['Succeeded', 'Initializing']);
  });

  it('that refuse are named in the log, and nothing else happens [CW04]', async () => {
    const server = await serve((_, response) => response.writeHead(500).end('broken'));
    const { tell, settled, log } = hooks();
    tell(aCanary([eventHook(`${server.url}/services/topsecret?key=topsecret`)]));
    await settled();
    const text = `error sending event to webhook: POST ${server.url}/... giving up after 1 attempt(s): status 500 Internal Server Error`;
    expect(log.join('')).toContain(text);
    expect(log.join('')).not.toContain('topsecret');
  });

  it('keep their order while one is tried again, with numbers that rise and a key for each [R65] [R77]', async () => {
    let calls = 0;
    const server = await serve((_, response) => {
      calls += 1;
      response.writeHead(calls === 1 ? 503 : 200).end();
    });
    const { tell, settled, waits } = hooks();
    const canary = aCanary([eventHook(server.url, { retries: 1 })]);
    for (const message of ['one', 'two', 'three']) tell(canary, { message });
    await settled();
    const told = server.requests.map(({ body, headers }) => ({
      message: (JSON.parse(body) as { metadata: { eventMessage: string } }).metadata.eventMessage,
      key: String(headers['idempotency-key']),
      sequence: Number(headers['x-sequence']),
    }));
    expect(told.map(({ message }) => message)).toEqual(['one', 'one', 'two', 'three']);
    expect(told[1]?.key).toBe(told[0]?.key);
    expect(new Set(told.map(({ key }) => key)).size).toBe(3);
    expect(told.map(({ sequence }) => sequence)).toEqual(
      told.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
    );
    expect(waits).toHaveLength(1);
  });

  it('of the settings hear of Canaries that have none, also under Flagger’s name for them', async () => {
    const [global, own] = [await serve(), await serve()];
    const { tell, settled } = hooks({ EVENT_WEBHOOK_URL: global.url });
    tell(aCanary([]), { message: 'one' });
    tell(aCanary([eventHook(own.url)]), { message: 'two' });
    await settled();
    const messages = [global, own].map(({ requests }) => requests.map(({ body }) => /one|two/.exec(body)?.[0]));
    expect(messages).toEqual([['one'], ['two']]);
  });
});
