import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtinQuery, proxyOf } from '../../../src/metrics/builtin-queries.ts';
import type { RequestSeen } from '../../../src/sandbox/types.ts';
import { type Metrics, startMetrics } from '../../../src/sandbox/metrics/metrics.ts';
import { manualClock, type ManualClock } from './manual-clock.ts';

let clock: ManualClock;
let metrics: Metrics;
beforeEach(async () => {
  clock = manualClock(1_000_000_000);
  metrics = await startMetrics({ clock, retentionMs: 300_000 });
});
afterEach(() => metrics.stop());

const seen = (over: Partial<RequestSeen> = {}): RequestSeen => ({
  pod: { namespace: 'test', name: 'podinfo-6c8f-abcde', labels: { app: 'podinfo', 'app.kubernetes.io/name': 'x' } },
  workload: 'podinfo',
  method: 'GET',
  path: '/status/404',
  status: 200,
  durationMs: 42,
  ...over,
});

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly resultType: string;
    readonly result: { metric: Record<string, string>; value: [number, string] }[];
  };
}

async function ask(query: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${metrics.url}/api/v1/query?query=${encodeURIComponent(query)}`, init);
  return (await answer.json()) as Answer;
}

/** The one number that the query answers. */
async function numberOf(query: string): Promise<number> {
  const { data } = await ask(query);
  expect(data.result, query).toHaveLength(1);
  return Number(data.result[0]?.value[1]);
}

/** One second of traffic after the other. */
function pass(seconds: number, each: () => void = () => undefined): void {
  for (let second = 0; second < seconds; second += 1) {
    each();
    clock.advance(1_000);
  }
}

describe('the metrics of the embedded cluster', () => {
  it.each(['kubernetes', 'gatewayapi:v1', 'linkerd', 'istio', 'osm', 'appmesh:v1beta2', 'smi:v1alpha2'])(
    'answer the built-in queries of %s',
    async (provider) => {
      pass(30, () => {
        for (let turn = 0; turn < 4; turn += 1) metrics.countPod(seen({ status: turn === 0 ? 500 : 200 }));
        metrics.countPod(
          seen({
            workload: 'podinfo-primary',
            pod: { namespace: 'test', name: 'podinfo-primary-6c8f-abcde', labels: {} },
          }),
        );
      });
      const subject = { namespace: 'test', target: 'podinfo', service: 'shop', ingress: 'web', interval: '20s' };
      const [rate, duration] = (['request-success-rate', 'request-duration'] as const).map((metric) =>
        builtinQuery(metric, proxyOf(provider, ''), subject),
      );
      expect(await numberOf(rate?.query ?? '')).toBeCloseTo(75, 6);
      const ms = (await numberOf(duration?.query ?? '')) * (duration?.factor ?? 0);
      expect(ms).toBeGreaterThan(25);
      expect(ms).toBeLessThanOrEqual(50);
    },
  );

  it('count what pods answer under the names of applications, Linkerd and Istio', async () => {
    pass(30, () => {
      for (let turn = 0; turn < 4; turn += 1) metrics.countPod(seen({ status: turn === 0 ? 500 : 200 }));
    });
    const pod = 'kubernetes_namespace="test",kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"';
    expect(await numberOf(`sum(rate(http_requests_total{${pod}}[20s]))`)).toBeCloseTo(4, 6);
    expect(
      await numberOf(
        `sum(rate(http_request_duration_seconds_count{${pod},status!~"5.*"}[20s])) / sum(rate(http_request_duration_seconds_count{${pod}}[20s])) * 100`,
      ),
    ).toBeCloseTo(75, 6);
    expect(await numberOf('sum(rate(response_total{deployment="podinfo",classification="failure"}[20s]))')).toBeCloseTo(
      1,
      6,
    );
    const quantile =
      'histogram_quantile(0.99, sum(rate(response_latency_ms_bucket{direction="inbound"}[20s])) by (le))';
    expect(await numberOf(quantile)).toBeCloseTo(49.9, 6);
    expect(await numberOf('sum(istio_requests_total{reporter="destination",destination_workload=~"podinfo"})')).toBe(
      120,
    );
    expect(
      await numberOf('count by (path) (http_request_duration_seconds_count{app_kubernetes_io_name="x",status="200"})'),
    ).toBe(1);
  });

  it('count what the proxies pass on', async () => {
    metrics.countTraefik('test-podinfo-canary-80@kubernetescrd', { method: 'GET', status: 200, durationMs: 200 });
    const ingress = { namespace: 'test', ingress: 'podinfo', service: 'podinfo', host: 'a.b', path: '/', canary: 'c' };
    metrics.countIngress(ingress, { method: 'GET', status: 503, durationMs: 7 });
    pass(1);
    expect(await numberOf('traefik_service_requests_total{service=~"test-.+@kubernetescrd",code="200"}')).toBe(1);
    expect(await numberOf('traefik_service_request_duration_seconds_bucket{le="0.3"}')).toBe(1);
    expect(await numberOf('nginx_ingress_controller_requests{canary!="",status=~"5.*"}')).toBe(1);
    expect(await numberOf('nginx_ingress_controller_response_duration_seconds_sum * 1000')).toBeCloseTo(7, 9);
  });

  it('end the series of a pod that is gone at once', async () => {
    pass(3, () => metrics.countPod(seen()));
    expect((await ask('http_requests_total')).data.result).toHaveLength(1);
    metrics.forgetPod('test', 'podinfo-6c8f-abcde');
    pass(1);
    expect((await ask('http_requests_total')).data.result).toEqual([]);
    expect((await ask('http_requests_total[10s]')).data.result).toHaveLength(1);
    expect(await (await fetch(`${metrics.url}/metrics`)).text()).toBe('');
  });

  it('forget what is older than the retention', async () => {
    pass(2, () => metrics.countPod(seen()));
    metrics.forgetPod('test', 'podinfo-6c8f-abcde');
    pass(1);
    expect(metrics.series.named(undefined).length).toBeGreaterThan(0);
    pass(600);
    expect(metrics.series.named(undefined)).toEqual([]);
  });

  it('keep the window of a series that goes on', () => {
    metrics.countPod(seen());
    pass(2_000);
    const [series] = metrics.series.named('http_requests_total');
    expect(series?.times.length).toBeGreaterThanOrEqual(300);
    expect(series?.times.length).toBeLessThan(520);
  });

  it('answer queries sent as a form, and say when they cannot', async () => {
    const form = new URLSearchParams({ query: 'vector(1) + 1', time: '2001-09-09T01:46:40Z' });
    const answer = await fetch(`${metrics.url}/api/v1/query`, { method: 'POST', body: form });
    expect(await answer.json()).toEqual({
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, value: [1_000_000_000, '2'] }] },
    });
    const refused = await fetch(`${metrics.url}/api/v1/query?query=${encodeURIComponent('sum(rate(x[1m:5s]))')}`);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error: 'invalid parameter "query": 1:14: parse error: subqueries are not supported by this server',
    });
    expect((await fetch(`${metrics.url}/api/v1/query?query=1&time=noon`)).status).toBe(400);
  });

  it('speak the rest of the API that clients look at', async () => {
    pass(2, () => metrics.countPod(seen()));
    const get = async (path: string): Promise<unknown> => (await fetch(`${metrics.url}${path}`)).json();
    expect(await get('/api/v1/labels?match[]=response_total')).toMatchObject({ data: expect.arrayContaining(['tls']) });
    expect(await get('/api/v1/label/deployment/values')).toEqual({ status: 'success', data: ['podinfo'] });
    expect(await get('/api/v1/series?match[]=response_total')).toMatchObject({ data: [{ deployment: 'podinfo' }] });
    expect(await get('/api/v1/status/buildinfo')).toMatchObject({ status: 'success' });
    const end = clock.now() / 1000;
    expect(await get(`/api/v1/query_range?query=response_total&start=${end - 1}&end=${end}&step=1s`)).toMatchObject({
      data: {
        resultType: 'matrix',
        result: [
          {
            values: [
              [end - 1, '1'],
              [end, '2'],
            ],
          },
        ],
      },
    });
    for (const path of ['/-/healthy', '/-/ready']) expect((await fetch(metrics.url + path)).status).toBe(200);
    expect((await fetch(`${metrics.url}/nothing`)).status).toBe(404);
    const text = await (await fetch(`${metrics.url}/metrics`)).text();
    expect(text).toMatch(/^response_total\{.*deployment="podinfo".*\} 2$/m);
  });
});
