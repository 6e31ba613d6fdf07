import { afterEach, expect, it } from 'vitest';
import { createBaseline } from '../../../src/agent/dashboard/baseline.ts';
import { createTidings } from '../../../src/agent/dashboard/tidings.ts';
import type { CanarySpec } from '../../../src/canary/types.ts';
import { keyOf } from '../../../src/lib/key.ts';
import { createHttp } from '../../../src/lib/http/client.ts';
import type { Measured } from '../../../src/ui/feed.ts';
import { aSpec } from '../../helpers/a-route-context.ts';
import { startServer, type TestServer } from '../../helpers/http-server.ts';

const http = createHttp({ maxBytes: 100_000, userAgent: 'test' });
const signal = new AbortController().signal;
const plain = aSpec({
  namespace: 'demo',
  name: 'app',
  target: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
});
const names = ['request-success-rate', 'request-duration', 'mine'];
const metrics = names.map((name) => ({
  name,
  interval: '1m',
  range: { min: 99 },
  ...(name === 'mine' ? { query: 'x' } : {}),
}));
const specOf = (provider: string): CanarySpec => ({ ...plain, provider, analysis: { ...plain.analysis, metrics } });

let server: TestServer | undefined;
afterEach(() => server?.close());

/** An agent's dashboard whose metrics server answers `answer` (undefined: never). */
async function start(answer: string | undefined) {
  const running = await startServer((_request, response) => {
    if (answer !== undefined) response.end(answer);
  });
  server = running;
  const clock = { now: () => 1_000_000, elapsed: () => 0 };
  const settings = { metricsServer: running.url, provider: 'kubernetes' };
  const tidings = createTidings(clock, createBaseline({ http, clock, settings }, signal));
  const told: Measured[] = [];
  const follow = () =>
    tidings.follow({ changed: () => undefined, happened: (one) => void (one.kind === 'measured' && told.push(one)) });
  const measured = (metric: string, provider: string): void => {
    const spec = specOf(provider);
    tidings.outlet.tell({ kind: 'measured', app: keyOf(spec), releaseId: undefined, spec, metric, value: 98 });
  };
  const queries = () => running.requests.map(({ path }) => new URL(path, 'http://x').searchParams.get('query') ?? '');
  return { follow, measured, told, queries };
}

const vector = (value: string): string =>
  JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1, value] }] } });
const empty = JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } });

it.each([
  ['kubernetes', 'kubernetes_pod_name=~"app-primary-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'],
  ['istio', 'destination_workload=~"app-primary"'],
  ['contour', 'shop-primary_[0-9a-zA-Z-]+'],
  ['traefik', 'shop-primary-[0-9a-zA-Z-]+@kubernetescrd'],
  ['kuma', 'shop-primary_demo_svc_'],
])('is the primary’s with %s', async (provider, part) => {
  const { follow, measured, told, queries } = await start(vector('99.5'));
  follow();
  measured('request-success-rate', provider);
  await expect.poll(() => told).toMatchObject([{ metric: 'request-success-rate', value: 98, baseline: 99.5 }]);
  expect(queries()).toHaveLength(1);
  expect(queries()[0]).toContain(part);
  expect(queries()[0]).not.toContain('canary');
});

it('is asked neither while nobody follows, nor where nothing tells the versions apart, nor of other queries', async () => {
  const { follow, measured, told, queries } = await start(vector('99.5'));
  measured('request-success-rate', 'istio');
  expect(told).toEqual([]);
  follow();
  measured('request-success-rate', 'nginx');
  measured('mine', 'istio');
  expect(told.map(({ baseline }) => baseline)).toEqual([undefined, undefined]);
  expect(queries()).toEqual([]);
});

it.each([
  ['no series', empty],
  ['no Prometheus', '<html>'],
  ['silence', undefined],
])('is missing with %s, and the new version’s value is told', async (_name, answer) => {
  const { follow, measured, told } = await start(answer);
  follow();
  measured('request-duration', 'istio');
  await expect.poll(() => told, { timeout: 4_000 }).toMatchObject([{ value: 98, baseline: null }]);
});

it('ends nothing where a follower fails', async () => {
  const clock = { now: () => 0, elapsed: () => 0 };
  const tidings = createTidings(clock, () => Promise.resolve(99));
  const failures: unknown[] = [];
  const note = (reason: unknown): void => void failures.push(reason);
  process.on('unhandledRejection', note);
  let calls = 0;
  const happened = (): void => {
    calls += 1;
    throw new Error('the thread is gone');
  };
  tidings.follow({ changed: () => undefined, happened });
  const spec = specOf('istio');
  tidings.outlet.tell({
    kind: 'measured',
    app: keyOf(spec),
    releaseId: undefined,
    spec,
    metric: 'request-duration',
    value: 1,
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', note);
  expect([calls, failures]).toEqual([1, []]);
});

it('asks no more than 4 at a time and 10 per second', async () => {
  const slow = await start(undefined);
  slow.follow();
  for (let at = 0; at < 50; at += 1) slow.measured('request-duration', 'istio');
  slow.measured('request-duration', 'nginx');
  expect(slow.told.at(-1)?.baseline).toBeUndefined();
  await expect.poll(() => slow.told.length, { timeout: 4_000 }).toBe(51);
  expect(slow.queries()).toHaveLength(4);
  await server?.close();
  const quick = await start(vector('1'));
  quick.follow();
  for (let at = 1; at <= 20; at += 1) {
    quick.measured('request-duration', 'istio');
    await expect.poll(() => quick.told.length).toBe(at);
  }
  expect(quick.queries()).toHaveLength(10);
});
