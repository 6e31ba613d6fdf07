import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../../src/canary/types.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { refKey, refOf } from '../../../src/manifest/types.ts';
import { routerFor } from '../../../src/routers/registry.ts';
import type { LiveObjects } from '../../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../../helpers/a-route-context.ts';
import { builtinQuery, proxyOf } from '../../../src/metrics/builtin-queries.ts';
import { startMetrics } from '../../../src/sandbox/metrics/metrics.ts';
import { manualClock } from '../metrics/manual-clock.ts';
import { aGateway, routed, type TestGateway } from './a-gateway.ts';

const host = 'shop.example.com';
const inMesh = 'shop.test:80';
let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
  for (const name of ['shop', 'shop-primary', 'shop-canary']) await gateway.service(name);
});
afterEach(() => gateway.stop());

const backend = { service: { name: 'shop', port: { number: 80 } } };
const ingress = routed('networking.k8s.io/v1', 'Ingress', 'web', {
  rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
});
const apisixRoute = routed('apisix.apache.org/v2', 'ApisixRoute', 'web', {
  http: [
    {
      name: 'main',
      priority: 1,
      match: { hosts: [host], paths: ['/*'] },
      backends: [{ serviceName: 'shop', servicePort: 80 }],
    },
  ],
});
const delegating = routed('gateway.solo.io/v1', 'VirtualService', 'web', {
  virtualHost: {
    domains: [host],
    routes: [{ matchers: [{ prefix: '/' }], delegateAction: { ref: { name: 'shop', namespace: 'test' } } }],
  },
});
const edge = routed('gateway.networking.k8s.io/v1', 'HTTPRoute', 'web', {
  hostnames: [host],
  rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
});

const grpc = routed('gateway.networking.k8s.io/v1', 'GRPCRoute', 'web', {
  hostnames: [host],
  rules: [{ matches: [{ method: { service: 'shop.Cart' } }], backendRefs: [{ name: 'shop', port: 80 }] }],
});

const named = (apiVersion: string, kind: string) => ({ apiVersion, kind, namespace: 'test', name: 'web' });
const target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'shop' };
const httpRoute = named('gateway.networking.k8s.io/v1', 'HTTPRoute');
const match = [{ headers: { 'x-beta': { exact: '1' } } }];
const analysis = { strategy: { kind: 'ab-testing' as const, iterations: 2, match } };
const cases: readonly (readonly [string, Partial<CanarySpec>, string, readonly Record<string, unknown>[]])[] = [
  ['skipper', { ingressRef: named('networking.k8s.io/v1', 'Ingress') }, host, [ingress]],
  ['apisix', { routeRef: named('apisix.apache.org/v2', 'ApisixRoute') }, host, [apisixRoute]],
  ['gloo', {}, host, [delegating]],
  ['kuma', {}, inMesh, []],
  ['osm', {}, inMesh, []],
  ['appmesh:v1beta2', {}, inMesh, []],
  ['appmesh', { service: aSpec({ service: { raw: { meshName: 'global' } } }).service }, inMesh, []],
  [
    'gatewayapi:v1',
    { service: aSpec({ service: { routeRef: httpRoute, raw: { routeRef: httpRoute } } }).service },
    host,
    [edge],
  ],
];

/** What the router writes for this share, over whatever stands. */
function put(spec: CanarySpec, canaryWeight: number): void {
  const context = aRouteContext(spec);
  const router = routerFor(spec.provider);
  const live: LiveObjects = router
    .refs(context)
    .map((ref) => gateway.store.get(ref.apiVersion, ref.kind, ref.namespace, ref.name) as KubeObject | undefined);
  for (const object of router.render(context, { canaryWeight, mirror: false }, live)) {
    const standing = live.find((one) => one && refKey(refOf(one)) === refKey(refOf(object)));
    const { apiVersion, kind } = object;
    // There is no Canary, and what nobody owns would be taken away.
    const { ownerReferences: _owners, ...metadata } = object.metadata;
    const written = { ...object, metadata };
    if (standing)
      gateway.store.update(
        apiVersion,
        kind,
        metadata.namespace,
        metadata.name,
        (draft) => void Object.assign(draft, written),
      );
    else gateway.store.create(written);
  }
}

describe.each(cases)('what the router %s writes', (provider, more, asked, before) => {
  const spec = aSpec({ provider, namespace: 'test', target, ...more });

  it('leads so many of a hundred requests to the canary as it says', async () => {
    gateway.apply(...before);
    for (const weight of [0, 20, 55, 100, 0]) {
      put(spec, weight);
      const found = await gateway.spread(asked, 100);
      expect([found['shop-canary'] ?? 0, (found['shop-primary'] ?? 0) + (found['shop'] ?? 0)]).toEqual([
        weight,
        100 - weight,
      ]);
    }
  });
});

it('what is written into a GRPCRoute of its users leads so many calls of a service to the canary as it says', async () => {
  gateway.apply(grpc);
  const routeRef = named('gateway.networking.k8s.io/v1', 'GRPCRoute');
  const { service } = aSpec({ service: { routeRef, raw: { routeRef } } });
  const spec = aSpec({ provider: 'gatewayapi:v1', namespace: 'test', target, service });
  for (const weight of [0, 40, 100, 0]) {
    put(spec, weight);
    const found = await gateway.spread(host, 100, '/shop.Cart/Add', { method: 'POST' });
    expect(found['shop-canary'] ?? 0).toBe(weight);
  }
  expect(await gateway.spread(host, 1, '/shop.Other/Add', { method: 'POST' })).toEqual({ 404: 1 });
});

describe.each([
  ['nginx', ingress],
  ['skipper', ingress],
  ['apisix', apisixRoute],
] as const)('what the router %s writes of two entrances', (provider, one) => {
  it('leads so many of a hundred requests to the canary by each as it says', async () => {
    const other = 'api.example.com';
    const two = JSON.parse(JSON.stringify(one).replaceAll(host, other).replace('"web"', '"api"')) as Record<
      string,
      unknown
    >;
    gateway.apply(one, two);
    const { apiVersion, kind } = one as { apiVersion?: string; kind?: string };
    const ingressRefs = ['web', 'api'].map((name) => ({ ...named(String(apiVersion), String(kind)), name }));
    const spec = aSpec({ provider, namespace: 'test', target, ingressRefs });
    for (const weight of [0, 35, 100, 0]) {
      put(spec, weight);
      for (const asked of [host, other]) expect((await gateway.spread(asked, 100))['shop-canary'] ?? 0).toBe(weight);
    }
  });
});

describe('the built-in queries of a provider', () => {
  it.each([
    ['skipper', { ingressRef: named('networking.k8s.io/v1', 'Ingress') }, host, [ingress]],
    ['apisix', { routeRef: named('apisix.apache.org/v2', 'ApisixRoute') }, host, [apisixRoute]],
    ['gloo', {}, host, [delegating]],
    ['kuma', {}, inMesh, []],
    ['nginx', { ingressRef: named('networking.k8s.io/v1', 'Ingress') }, host, [ingress]],
    ['traefik', {}, 'shop.test.traefik', []],
  ] as const)('find what %s counted of what its router wrote', async (provider, more, asked, before) => {
    await gateway.stop();
    const clock = manualClock(1_000_000_000);
    const metrics = await startMetrics({ clock });
    gateway = await aGateway(metrics);
    try {
      await gateway.service('shop');
      await gateway.service('shop-primary');
      // One of four requests fails, each takes a quarter of a second by its own word.
      let turn = 0;
      await gateway.service('shop-canary', {
        handle: (_request, respond) => respond((turn += 1) % 4 === 0 ? 503 : 200, { 'server-timing': 'app;dur=250' }),
      });
      gateway.apply(...(before as readonly Record<string, unknown>[]));
      // A workload that is not named as its Service is.
      const spec = aSpec({ provider, namespace: 'test', target: { ...target, name: 'shop-v2' }, ...more });
      put(spec, provider === 'apisix' ? 100 : 50);
      for (let second = 0; second < 10; second += 1) {
        await gateway.spread(asked, 8);
        clock.advance(1_000);
      }
      const subject = {
        namespace: 'test',
        target: 'shop-v2',
        service: 'shop',
        ingress: 'web',
        route: 'web',
        interval: '8s',
      };
      const found = (['request-success-rate', 'request-duration'] as const).map((metric) => {
        const { query, factor } = builtinQuery(metric, proxyOf(provider, ''), subject);
        const value = metrics.engine.instant(query, clock.now());
        return value.type === 'vector' ? Number(value.samples[0]?.value) * factor : Number.NaN;
      });
      expect(found[0]).toBeCloseTo(75, 5);
      expect(found[1]).toBeGreaterThan(90);
      expect(found[1]).toBeLessThanOrEqual(300);
    } finally {
      await metrics.stop();
    }
  });
});

it.each([
  ['gloo', host],
  ['appmesh:v1beta2', inMesh],
])('what the router %s writes of some users leads them alone to the canary', async (provider, asked) => {
  gateway.apply(delegating);
  put(aSpec({ provider, namespace: 'test', target, analysis }), 100);
  expect(await gateway.spread(asked, 5)).toEqual({ 'shop-primary': 5 });
  expect(await gateway.spread(asked, 5, '/', { headers: { 'x-beta': '1' } })).toEqual({ 'shop-canary': 5 });
});
