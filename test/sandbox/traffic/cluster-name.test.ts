import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aGateway, backend, httpRoute, routed, type TestGateway } from './a-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
  await gateway.service('shop', { port: 9898 });
  await gateway.service('shop-primary', { port: 9898 });
  await gateway.service('shop-canary', { port: 9898 });
});
afterEach(() => gateway.stop());

const split = (version: string, weights: readonly unknown[]) =>
  routed(`split.smi-spec.io/${version}`, 'TrafficSplit', 'shop', {
    service: 'shop',
    backends: ['shop-canary', 'shop-primary'].map((service, index) => ({ service, weight: weights[index] })),
  });

describe('a TrafficSplit', () => {
  it.each([
    ['v1alpha1', ['10', '90'], 10],
    ['v1alpha1', ['500m', '500m'], 50],
    ['v1alpha2', [25, 75], 25],
    ['v1alpha3', [0, 100], 0],
    ['v1alpha3', [100, 0], 100],
  ])('in %s with the weights %j gives the canary its share of a hundred requests', async (version, weights, share) => {
    gateway.apply(split(version, weights));
    const found = await gateway.spread('shop.test:9898', 100);
    expect([found['shop-canary'] ?? 0, found['shop-primary'] ?? 0]).toEqual([share, 100 - share]);
  });

  it('speaks for every form of the name, and only for its own Service', async () => {
    gateway.apply(split('v1alpha2', [100, 0]));
    for (const host of ['shop.test', 'shop.test.svc', 'shop.test.svc.cluster.local:9898']) {
      expect((await gateway.ask(host)).echo.service, host).toBe('shop-canary');
    }
    expect((await gateway.ask('shop-primary.test')).echo.service).toBe('shop-primary');
  });
});

describe('a name inside the cluster', () => {
  it('leads to its Service when nothing is said about it, and nowhere when there is none', async () => {
    expect((await gateway.ask('shop.test')).echo.service).toBe('shop');
    expect((await gateway.ask('nothing.test')).status).toBe(404);
    expect((await gateway.ask('shop')).status).toBe(404);
  });

  it('obeys an HTTPRoute that hangs on the Service', async () => {
    const parentRefs = [{ group: 'core', kind: 'Service', name: 'shop', namespace: 'test', port: 9898 }];
    const backendRefs = [
      { ...backend('shop-primary', 50), port: 9898 },
      { ...backend('shop-canary', 50), port: 9898 },
    ];
    gateway.apply(httpRoute('shop', { parentRefs, rules: [{ backendRefs }] }));
    expect(await gateway.spread('shop.test', 10)).toEqual({ 'shop-primary': 5, 'shop-canary': 5 });
    // It is no route of a Gateway, so it serves no other host.
    expect((await gateway.ask('shop.example.com')).status).toBe(404);
  });
});

describe('callers inside the cluster', () => {
  const routes = (host: string, from?: string) => gateway.traffic.route(host, 9898, from) !== undefined;

  it('come through the gateway where a routing object speaks of the name, and nowhere else', () => {
    expect(routes('shop.test')).toBe(false);
    gateway.apply(
      split('v1alpha2', [0, 0]),
      httpRoute('web', { hostnames: ['web.example.com'], rules: [{ backendRefs: [] }] }),
    );
    expect(routes('shop.test')).toBe(true);
    expect(routes('shop', 'test')).toBe(true);
    expect(routes('shop', 'other')).toBe(false);
    expect(routes('shop-canary.test')).toBe(false);
    expect(routes('web.example.com')).toBe(true);
    expect(routes('traefik.traefik')).toBe(true);
    expect(routes('example.org')).toBe(false);
    const { port } = new URL(gateway.traffic.url);
    expect(gateway.traffic.route('shop.test', 9898)).toEqual({ host: '127.0.0.1', port: Number(port) });
  });
});
