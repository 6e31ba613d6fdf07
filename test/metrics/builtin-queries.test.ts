import { describe, expect, it } from 'vitest';
import {
  type BuiltinMetric,
  builtinQuery,
  isBuiltin,
  type ProxyName,
  proxyOf,
} from '../../src/metrics/builtin-queries.ts';

const subject = { namespace: 'test', target: 'podinfo', service: 'shop', ingress: 'web', interval: '1m' };
const ask = (metric: BuiltinMetric, proxy: ProxyName) => builtinQuery(metric, proxy, subject);

/** How every proxy tells the canary's requests from all others, in Flagger's table. */
const pods = 'kubernetes_namespace="test",kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"';
const istio = 'reporter="destination",destination_workload_namespace="test",destination_workload=~"podinfo"';
const apisix = 'route=~"test_podinfo-shop-canary_.+"';
const contour = 'envoy_cluster_name=~"test_shop-canary_[0-9a-zA-Z-]+"';
const gloo = 'envoy_cluster_name=~"test-shop-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+"';
const knative = 'envoy_cluster_name=~"test/podinfo"';
const kuma = 'service=~"shop-canary_test_svc_[0-9a-zA-Z-]+"';
const linkerd = 'namespace="test",deployment=~"podinfo",direction="inbound"';
const nginx = 'namespace="test",ingress="web",canary!=""';
const osm = 'destination_namespace="test",destination_kind="Deployment",destination_name="podinfo"';
const skipper = 'route=~"kube(ew)?_test__web_canary__.*__shop_canary(_[0-9]+)?"';
const traefik = 'service=~"test-shop-canary-[0-9a-zA-Z-]+@kubernetescrd"';

/** Good requests of all, in percent. */
const share = (series: string, labels: string, ok: string, more = ''): string =>
  `sum(rate(${series}{${labels},${ok}${more}}[1m])) / sum(rate(${series}{${labels}${more}}[1m])) * 100`;
const p99 = (series: string, labels: string): string =>
  `histogram_quantile(0.99, sum(rate(${series}_bucket{${labels}}[1m])) by (le))`;
const mean = (series: string, labels: string): string =>
  `sum(rate(${series}_sum{${labels}}[1m])) / sum(rate(${series}_count{${labels}}[1m])) * 1000`;

const envoyRq = 'envoy_cluster_upstream_rq';
const notEnvoy5 = 'envoy_response_code!~"5.*"';

describe('the built-in success rate', () => {
  it('of apisix [OB01]', () => {
    expect(ask('request-success-rate', 'apisix')).toMatchObject({
      query: share('apisix_http_status', apisix, 'code!~"5.."'),
      factor: 1,
    });
  });
  it('of appmesh [OB03]', () => {
    expect(ask('request-success-rate', 'appmesh')).toMatchObject({ query: share(envoyRq, pods, notEnvoy5), factor: 1 });
  });
  it('of contour [OB05]', () => {
    expect(ask('request-success-rate', 'contour')).toMatchObject({
      query: share(envoyRq, contour, notEnvoy5),
      factor: 1,
    });
  });
  it('of gloo [OB07]', () => {
    expect(ask('request-success-rate', 'gloo')).toMatchObject({ query: share(envoyRq, gloo, notEnvoy5), factor: 1 });
  });
  it('of istio [OB09]', () => {
    expect(ask('request-success-rate', 'istio')).toMatchObject({
      query: share('istio_requests_total', istio, 'response_code!~"5.*"'),
      factor: 1,
    });
  });
  it('of knative [OB11]', () => {
    expect(ask('request-success-rate', 'knative')).toMatchObject({
      query: share(envoyRq, knative, notEnvoy5),
      factor: 1,
    });
  });
  it('of all entrances of an app that has several', () => {
    const of = (proxy: ProxyName): string =>
      builtinQuery('request-success-rate', proxy, { ...subject, entrances: ['web', 'api.v1'] }).query;
    expect(of('nginx')).toContain('namespace="test",ingress=~"web|api\\\\.v1",canary!=""');
    expect(of('skipper')).toContain('route=~"kube(ew)?_test__(web|api_v1)_canary__');
    expect(of('apisix')).toContain('route=~"test_(web|api\\\\.v1)-shop-canary_.+"');
  });
  it('of the plain provider and the Gateway API [OB13]', () => {
    expect(ask('request-success-rate', 'http')).toMatchObject({
      query: share('http_request_duration_seconds_count', pods, 'status!~"5.*"'),
      factor: 1,
    });
  });
  it('of kuma [OB15]', () => {
    expect(ask('request-success-rate', 'kuma')).toMatchObject({ query: share(envoyRq, kuma, notEnvoy5), factor: 1 });
  });
  it('of linkerd [OB17]', () => {
    expect(ask('request-success-rate', 'linkerd')).toMatchObject({
      query: share('response_total', linkerd, 'classification!="failure"'),
      factor: 1,
    });
  });
  it('of nginx [OB19]', () => {
    expect(ask('request-success-rate', 'nginx')).toMatchObject({
      query: share('nginx_ingress_controller_requests', nginx, 'status!~"5.*"'),
      factor: 1,
    });
  });
  it('of osm [OB21]', () => {
    expect(ask('request-success-rate', 'osm')).toMatchObject({
      query: share('osm_request_total', osm, 'response_code!~"5.*"'),
      factor: 1,
    });
  });
  it('of skipper [OB23]', () => {
    expect(ask('request-success-rate', 'skipper')).toMatchObject({
      query: share('skipper_response_duration_seconds_bucket', skipper, 'code!~"5.."', ',le="+Inf"'),
      factor: 1,
    });
  });
  it('of traefik [OB25]', () => {
    expect(ask('request-success-rate', 'traefik')).toMatchObject({
      query: share('traefik_service_request_duration_seconds_bucket', traefik, 'code!~"5.."', ',le="+Inf"'),
      factor: 1,
    });
  });
});

describe('the built-in duration in milliseconds', () => {
  it('of apisix [OB02]', () => {
    expect(ask('request-duration', 'apisix')).toEqual({
      query: p99('apisix_http_latency', `${apisix},type=~"request"`),
      factor: 1,
    });
  });
  it('of appmesh [OB04]', () => {
    expect(ask('request-duration', 'appmesh')).toEqual({ query: p99(`${envoyRq}_time`, pods), factor: 1 });
  });
  it('of contour [OB06]', () => {
    expect(ask('request-duration', 'contour')).toEqual({ query: p99(`${envoyRq}_time`, contour), factor: 1 });
  });
  it('of gloo [OB08]', () => {
    expect(ask('request-duration', 'gloo')).toEqual({ query: p99(`${envoyRq}_time`, gloo), factor: 1 });
  });
  it('of istio [OB10]', () => {
    expect(ask('request-duration', 'istio')).toEqual({
      query: p99('istio_request_duration_milliseconds', istio),
      factor: 1,
    });
  });
  it('of knative [OB12]', () => {
    expect(ask('request-duration', 'knative')).toEqual({ query: p99(`${envoyRq}_time`, knative), factor: 1 });
  });
  it('of the plain provider and the Gateway API [OB14]', () => {
    expect(ask('request-duration', 'http')).toEqual({
      query: p99('http_request_duration_seconds', pods),
      factor: 1000,
    });
  });
  it('of kuma [OB16]', () => {
    expect(ask('request-duration', 'kuma')).toEqual({ query: p99(`${envoyRq}_time`, kuma), factor: 1 });
  });
  it('of linkerd [OB18]', () => {
    expect(ask('request-duration', 'linkerd')).toEqual({ query: p99('response_latency_ms', linkerd), factor: 1 });
  });
  it('of nginx [OB20]', () => {
    expect(ask('request-duration', 'nginx')).toEqual({
      query: mean('nginx_ingress_controller_response_duration_seconds', nginx),
      factor: 1,
    });
  });
  it('of osm [OB22]', () => {
    expect(ask('request-duration', 'osm')).toEqual({ query: p99('osm_request_duration_ms', osm), factor: 1 });
  });
  it('of skipper [OB24]', () => {
    expect(ask('request-duration', 'skipper')).toEqual({
      query: mean('skipper_serve_route_duration_seconds', skipper),
      factor: 1,
    });
  });
  it('of traefik [OB26]', () => {
    expect(ask('request-duration', 'traefik')).toEqual({
      query: `${p99('traefik_service_request_duration_seconds', traefik)} * 1000`,
      factor: 1,
    });
  });
});

describe('built-in queries', () => {
  it('name the service where the proxy does, and take names literally', () => {
    const { query } = builtinQuery('request-success-rate', 'traefik', { ...subject, target: 'a', service: 'shop.v1' });
    expect(query).toContain('service=~"test-shop\\\\.v1-canary-');
    const { query: ofSkipper } = builtinQuery('request-success-rate', 'skipper', { ...subject, service: 'shop-v1' });
    expect(ofSkipper).toContain('__shop_v1_canary');
  });

  it('belong to the proxy of the provider, whether it releases a workload or a Service [R69] [R85]', () => {
    const ofTheirOwn = ['contour', 'gloo', 'istio', 'knative', 'kuma', 'linkerd', 'nginx', 'osm', 'skipper', 'traefik'];
    for (const provider of ofTheirOwn) expect(proxyOf(provider, 'istio')).toBe(provider);
    expect(proxyOf('gatewayapi:v1', 'istio')).toBe('http');
    expect(proxyOf('kubernetes', 'kubernetes')).toBe('http');
    expect(proxyOf('appmesh:v1beta2', 'istio')).toBe('appmesh');
    expect(proxyOf('smi:v1alpha2', 'traefik')).toBe('istio');
    expect(proxyOf('nginx', 'knative')).toBe('nginx');
    // NGINX as the ingress of a Linkerd mesh.
    expect(proxyOf('nginx', 'linkerd')).toBe('linkerd');
  });

  it('are two', () => {
    expect(['request-success-rate', 'request-duration', 'other'].map(isBuiltin)).toEqual([true, true, false]);
  });
});
