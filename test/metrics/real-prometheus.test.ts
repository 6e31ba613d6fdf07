import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measure, type MetricIo, metricsOnline } from '../../src/analysis/measure.ts';
import type { MetricSpec, Sample } from '../../src/canary/types.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { aSpec } from '../helpers/a-route-context.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { hasPrometheus, startPrometheus } from '../helpers/prometheus.ts';

const signal = new AbortController().signal;
const http = createHttp({ maxBytes: 1_000_000, userAgent: 'test' });

/** What each proxy exports for canary `shop` in namespace `prod`: its labels, and how outcomes are told. */
const proxies = [
  {
    provider: 'traefik',
    labels: 'service="prod-shop-canary-80@kubernetescrd"',
    outcome: (good: boolean) => `code="${good ? 200 : 500}"`,
    histogram: 'traefik_service_request_duration_seconds',
    unit: 1,
  },
  {
    provider: 'nginx',
    labels: 'namespace="prod",ingress="shop",canary="prod-shop-canary-80"',
    outcome: (good: boolean) => `status="${good ? 200 : 503}"`,
    counter: 'nginx_ingress_controller_requests',
    histogram: 'nginx_ingress_controller_response_duration_seconds',
    unit: 1,
  },
  {
    provider: 'linkerd',
    labels: 'namespace="prod",deployment="shop",direction="inbound"',
    outcome: (good: boolean) => `classification="${good ? 'success' : 'failure'}"`,
    counter: 'response_total',
    histogram: 'response_latency_ms',
    unit: 1000,
  },
  {
    provider: 'kubernetes',
    labels: 'kubernetes_namespace="prod",kubernetes_pod_name="shop-7d9f8-x2x4z"',
    outcome: (good: boolean) => `status="${good ? 200 : 500}"`,
    histogram: 'http_request_duration_seconds',
    unit: 1,
  },
  {
    provider: 'smi:v1alpha2',
    labels: 'reporter="destination",destination_workload_namespace="prod",destination_workload="shop"',
    outcome: (good: boolean) => `response_code="${good ? 200 : 500}"`,
    counter: 'istio_requests_total',
    histogram: 'istio_request_duration_milliseconds',
    unit: 1000,
  },
  ...(
    [
      ['contour', 'envoy_cluster_name="prod_shop-canary_80"'],
      ['gloo', 'envoy_cluster_name="prod-shop-canaryupstream-80_gloo-system"'],
      ['knative', 'envoy_cluster_name="prod/shop"'],
      ['kuma', 'service="shop-canary_prod_svc_80"'],
      [
        'appmesh:v1beta2',
        'kubernetes_namespace="prod",kubernetes_pod_name="shop-7d9f8-x2x4z",envoy_cluster_name="cds"',
      ],
    ] as const
  ).map(([provider, labels]) => ({
    provider,
    labels,
    outcome: (good: boolean) => `envoy_response_code="${good ? 200 : 503}"`,
    counter: 'envoy_cluster_upstream_rq',
    histogram: 'envoy_cluster_upstream_rq_time',
    unit: 1000,
  })),
  {
    provider: 'skipper',
    labels: 'route="kube_prod__shop_canary__shop_example_com____shop_canary"',
    outcome: (good: boolean) => `code="${good ? 200 : 500}"`,
    histogram: 'skipper_response_duration_seconds',
    mean: 'skipper_serve_route_duration_seconds',
    unit: 1,
  },
  {
    provider: 'apisix',
    labels: 'route="prod_shop-shop-canary_main"',
    outcome: (good: boolean) => `type="request",code="${good ? 200 : 502}"`,
    counter: 'apisix_http_status',
    histogram: 'apisix_http_latency',
    unit: 1000,
  },
  {
    provider: 'osm',
    labels: 'destination_namespace="prod",destination_kind="Deployment",destination_name="shop"',
    outcome: (good: boolean) => `response_code="${good ? 200 : 500}"`,
    counter: 'osm_request_total',
    histogram: 'osm_request_duration_ms',
    unit: 1000,
  },
] as const;

/** Providers whose duration is a mean; that of all others is the 99th percentile. */
const means: ReadonlySet<string> = new Set(['nginx', 'skipper']);

/** 97 of 100 requests succeed; all take between 0.1 and 0.25 seconds, 0.2 on average. */
function exposition(round: number): string {
  const lines: string[] = [];
  for (const proxy of proxies) {
    const { labels, outcome, histogram, unit } = proxy;
    for (const [good, share] of [
      [true, 97],
      [false, 3],
    ] as const) {
      const all = `${labels},${outcome(good)}`;
      const count = share * round;
      if ('counter' in proxy) lines.push(`${proxy.counter}{${all}} ${count}`);
      lines.push(`${histogram}_bucket{${all},le="${0.1 * unit}"} 0`);
      lines.push(`${histogram}_bucket{${all},le="${0.25 * unit}"} ${count}`);
      lines.push(`${histogram}_bucket{${all},le="+Inf"} ${count}`);
      const summed = 'mean' in proxy ? proxy.mean : histogram;
      lines.push(`${summed}_sum{${all}} ${0.2 * unit * count}`, `${summed}_count{${all}} ${count}`);
    }
    // The primary must not be taken for the canary.
    lines.push(`${histogram}_count{${labels.replaceAll('shop', 'shop-primary')},${outcome(false)}} ${round * 999}`);
  }
  lines.push(
    `response_total{namespace="prod",deployment="broken",direction="inbound",classification="failure"} ${round}`,
  );
  lines.push('response_total{namespace="prod",deployment="idle",direction="inbound",classification="success"} 5');
  return `${lines.join('\n')}\n`;
}

describe.runIf(hasPrometheus)('a real Prometheus', () => {
  let exporter: TestServer;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    let round = 0;
    exporter = await startServer((_, response) => {
      round += 1;
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(exposition(round));
    });
    prometheus = await startPrometheus(new URL(exporter.url).host);
    while (exporter.requests.length < 6) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  afterAll(async () => {
    await prometheus.close();
    await exporter.close();
  });

  const io = (meshProvider = 'traefik'): MetricIo => ({
    http,
    clock: Date,
    metricsServer: prometheus.url,
    meshProvider,
    template: () => undefined,
    secret: async () => undefined,
  });
  /** What it found, apart from how that came about. */
  const ask = async (
    metric: Partial<MetricSpec> & { name: string },
    provider: string,
    target = 'shop',
  ): Promise<Omit<Sample, 'source'>> => {
    const spec = aSpec({ provider, target: { apiVersion: 'apps/v1', kind: 'Deployment', name: target } });
    const { source: _how, ...found } = (await measure(
      spec,
      { interval: '30s', range: {}, ...metric },
      io(),
      signal,
    )) as Sample & {
      source?: unknown;
    };
    return found;
  };
  const value = (expected: number) => ({ kind: 'value', value: expect.closeTo(expected, 6) });

  it.each(proxies.map(({ provider }) => provider))('answers the built-in queries of %s', async (provider) => {
    expect(await ask({ name: 'request-success-rate' }, provider)).toEqual(value(97));
    expect(await ask({ name: 'request-duration' }, provider)).toEqual(value(means.has(provider) ? 200 : 248.5));
  });

  it('tells failing from silent', async () => {
    expect(await ask({ name: 'request-success-rate' }, 'linkerd', 'broken')).toEqual({ kind: 'value', value: 0 });
    const silent = { kind: 'no-data', cause: 'noSeries', reason: 'running query failed: no values found' };
    expect(await ask({ name: 'request-success-rate' }, 'linkerd', 'idle')).toEqual({
      kind: 'no-data',
      cause: 'noTraffic',
      reason: 'running query failed: the result is NaN',
    });
    expect(await ask({ name: 'request-success-rate' }, 'linkerd', 'absent')).toEqual(silent);
    expect(await ask({ name: 'request-duration' }, 'linkerd', 'absent')).toEqual(silent);
  });

  it('answers own queries, and refuses wrong ones', async () => {
    expect(await ask({ name: 'own', query: 'vector(6) * 7' }, 'traefik')).toEqual({ kind: 'value', value: 42 });
    expect(await ask({ name: 'own', query: 'scalar(vector(1))' }, 'traefik')).toEqual({ kind: 'value', value: 1 });
    expect(await ask({ name: 'own', query: 'vector(0) / 0' }, 'traefik')).toMatchObject({ cause: 'noTraffic' });
    expect(await ask({ name: 'own', query: 'vector(1) / 0' }, 'traefik')).toMatchObject({ kind: 'invalid' });
    expect(await ask({ name: 'own', query: 'sum(' }, 'traefik')).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('400 Bad Request'),
    });
    expect(await ask({ name: 'own', query: 'response_total' }, 'traefik')).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('multiple values'),
    });
    expect(await ask({ name: 'own', query: 'up[1m]' }, 'traefik')).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('a matrix'),
    });
  });

  it('is online', async () => {
    const spec = aSpec({ analysis: { metrics: [{ name: 'request-duration', interval: '1m', range: {} }] } });
    expect(await metricsOnline(spec, io(), signal)).toEqual({ kind: 'value', value: 1 });
  });
});
