import { describe, expect, it } from 'vitest';
import { builtinQuery, isBuiltin, type ProxyName, proxyOf } from '../../src/metrics/builtin-queries.ts';

const subject = { namespace: 'test', target: 'podinfo', service: 'podinfo', ingress: 'web', interval: '1m' };
const pod = 'kubernetes_namespace="test",kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"';
const traefik = 'service=~"test-podinfo-canary-[0-9a-zA-Z-]+@kubernetescrd"';
const nginx = 'namespace="test",ingress="web",canary!=""';

describe('built-in queries', () => {
  it.each<[ProxyName, string]>([
    [
      'istio',
      'sum(rate(istio_requests_total{reporter="destination",destination_workload_namespace="test",destination_workload=~"podinfo",response_code!~"5.*"}[1m])) / sum(rate(istio_requests_total{reporter="destination",destination_workload_namespace="test",destination_workload=~"podinfo"}[1m])) * 100',
    ],
    [
      'linkerd',
      'sum(rate(response_total{namespace="test",deployment=~"podinfo",direction="inbound",classification!="failure"}[1m])) / sum(rate(response_total{namespace="test",deployment=~"podinfo",direction="inbound"}[1m])) * 100',
    ],
    [
      'http',
      `sum(rate(http_request_duration_seconds_count{${pod},status!~"5.*"}[1m])) / sum(rate(http_request_duration_seconds_count{${pod}}[1m])) * 100`,
    ],
    [
      'nginx',
      `sum(rate(nginx_ingress_controller_requests{${nginx},status!~"5.*"}[1m])) / sum(rate(nginx_ingress_controller_requests{${nginx}}[1m])) * 100`,
    ],
    [
      'traefik',
      `sum(rate(traefik_service_request_duration_seconds_bucket{${traefik},code!~"5..",le="+Inf"}[1m])) / sum(rate(traefik_service_request_duration_seconds_bucket{${traefik},le="+Inf"}[1m])) * 100`,
    ],
  ])('divide the good requests of %s by all', (proxy, query) => {
    expect(builtinQuery('request-success-rate', proxy, subject)).toMatchObject({ query, factor: 1 });
  });

  it.each<[ProxyName, string, number]>([
    [
      'istio',
      'histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{reporter="destination",destination_workload_namespace="test",destination_workload=~"podinfo"}[1m])) by (le))',
      1,
    ],
    [
      'linkerd',
      'histogram_quantile(0.99, sum(rate(response_latency_ms_bucket{namespace="test",deployment=~"podinfo",direction="inbound"}[1m])) by (le))',
      1,
    ],
    ['http', `histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{${pod}}[1m])) by (le))`, 1000],
    [
      'nginx',
      `sum(rate(nginx_ingress_controller_response_duration_seconds_sum{${nginx}}[1m])) / sum(rate(nginx_ingress_controller_response_duration_seconds_count{${nginx}}[1m])) * 1000`,
      1,
    ],
    [
      'traefik',
      `histogram_quantile(0.99, sum(rate(traefik_service_request_duration_seconds_bucket{${traefik}}[1m])) by (le)) * 1000`,
      1,
    ],
  ])('take durations of %s in milliseconds', (proxy, query, factor) => {
    expect(builtinQuery('request-duration', proxy, subject)).toEqual({ query, factor });
  });

  it('name the service where the proxy does, and take names literally', () => {
    const { query } = builtinQuery('request-success-rate', 'traefik', { ...subject, target: 'a', service: 'shop.v1' });
    expect(query).toContain('service=~"test-shop\\\\.v1-canary-');
  });

  it('belong to the proxy of the provider', () => {
    expect(proxyOf('traefik', 'istio')).toBe('traefik');
    expect(proxyOf('gatewayapi:v1', 'istio')).toBe('http');
    expect(proxyOf('kubernetes', 'kubernetes')).toBe('http');
    expect(proxyOf('smi:v1alpha2', 'traefik')).toBe('istio');
    expect(proxyOf('nginx', 'nginx')).toBe('nginx');
    // NGINX as the ingress of a Linkerd mesh.
    expect(proxyOf('nginx', 'linkerd')).toBe('linkerd');
  });

  it('are two', () => {
    expect(['request-success-rate', 'request-duration', 'other'].map(isBuiltin)).toEqual([true, true, false]);
  });
});
