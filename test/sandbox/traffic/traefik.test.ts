import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTraefikRule } from '../../../src/sandbox/traffic/traefik-rule.ts';
import { aGateway, routed, type TestGateway } from './a-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
  await gateway.service('shop-primary');
  await gateway.service('shop-canary');
});
afterEach(() => gateway.stop());

const traefik = 'traefik.io/v1alpha1';
const service = (name: string, weight?: number) => ({
  name,
  namespace: 'test',
  port: 80,
  ...(weight === undefined ? {} : { weight }),
});
const weighted = (...services: unknown[]) => routed(traefik, 'TraefikService', 'shop', { weighted: { services } });
const ingressRoute = (match: string, ...services: unknown[]) =>
  routed(traefik, 'IngressRoute', 'shop', { entryPoints: ['web'], routes: [{ kind: 'Rule', match, services }] });

describe('a TraefikService', () => {
  it.each([
    [60, 40],
    [99, 1],
    [0, 100],
  ])('with the weights %i and %i splits a hundred requests exactly', async (primary, canary) => {
    gateway.apply(
      weighted(service('shop-primary', primary), service('shop-canary', canary)),
      ingressRoute('Host(`shop.example.com`)', { kind: 'TraefikService', name: 'shop' }),
    );
    const found = await gateway.spread('shop.example.com', 100);
    expect([found['shop-primary'] ?? 0, found['shop-canary'] ?? 0]).toEqual([primary, canary]);
  });

  it('weighs an entry without a weight as one', async () => {
    gateway.apply(weighted(service('shop-primary'), service('shop-canary', 3)));
    expect(await gateway.spread('shop.test', 8)).toEqual({ 'shop-primary': 2, 'shop-canary': 6 });
  });

  it('is reached by its name inside the cluster as well', async () => {
    gateway.apply(weighted(service('shop-primary', 100)));
    for (const host of ['shop.test', 'shop.test.traefik', 'SHOP.test:8080']) {
      expect((await gateway.ask(host)).echo.service, host).toBe('shop-primary');
    }
  });

  it('is counted by the Service that took the request', async () => {
    gateway.apply(weighted(service('shop-primary', 50), { ...service('shop-canary', 50), port: 'http' }));
    await gateway.spread('shop.test', 2);
    await expect.poll(() => gateway.counted.length).toBe(2);
    const services = gateway.counted.map(({ service: name }) => name).sort();
    expect(services).toEqual(['test-shop-canary-http@kubernetescrd', 'test-shop-primary-80@kubernetescrd']);
  });

  it('fails as a whole when a Service is missing, and for its share when one has no ready pod', async () => {
    await gateway.service('empty', { pods: 0 });
    gateway.apply(weighted(service('shop-primary', 50), service('empty', 50)));
    expect(await gateway.spread('shop.test', 4)).toEqual({ 'shop-primary': 2, 503: 2 });
    gateway.store.update(traefik, 'TraefikService', 'test', 'shop', (draft) => {
      draft.spec = { weighted: { services: [service('shop-primary', 100), service('nowhere', 0)] } };
    });
    expect(await gateway.spread('shop.test', 2)).toEqual({ 404: 2 });
  });

  it('may consist of others, and mirror', async () => {
    gateway.apply(
      weighted(service('shop-primary', 100)),
      routed(traefik, 'TraefikService', 'outer', {
        weighted: { services: [{ kind: 'TraefikService', name: 'copying' }] },
      }),
      routed(traefik, 'TraefikService', 'copying', {
        mirroring: { kind: 'TraefikService', name: 'shop', mirrors: [{ ...service('shop-canary'), percent: 100 }] },
      }),
      routed(traefik, 'TraefikService', 'circle', {
        weighted: { services: [{ kind: 'TraefikService', name: 'circle' }] },
      }),
    );
    expect((await gateway.ask('outer.test')).echo.service).toBe('shop-primary');
    await expect.poll(() => gateway.echoes.map((echo) => echo.service).sort()).toEqual(['shop-canary', 'shop-primary']);
    expect((await gateway.ask('circle.test')).status).toBe(404);
  });
});

describe('an IngressRoute', () => {
  it('with the higher priority wins, by default the longer rule', async () => {
    const rule = (match: string, name: string, more = {}) => ({
      kind: 'Rule',
      match,
      services: [service(name)],
      ...more,
    });
    const routes = [rule('Host(`a.b`)', 'shop-primary'), rule('Host(`a.b`) && PathPrefix(`/x`)', 'shop-canary')];
    gateway.apply(routed(traefik, 'IngressRoute', 'shop', { routes }));
    expect((await gateway.ask('a.b', '/y')).echo.service).toBe('shop-primary');
    expect((await gateway.ask('a.b', '/x')).echo.service).toBe('shop-canary');
    gateway.store.update(traefik, 'IngressRoute', 'test', 'shop', (draft) => {
      draft.spec = { routes: [rule('Host(`a.b`)', 'shop-primary', { priority: 1000 }), routes[1]] };
    });
    expect((await gateway.ask('a.b', '/x')).echo.service).toBe('shop-primary');
  });
});

describe("a rule of Traefik's", () => {
  const request = {
    method: 'GET',
    host: 'a.b',
    path: '/x/y',
    query: new URLSearchParams('q=1'),
    headers: { 'x-beta': '1' },
  };
  it.each([
    ['Host(`a.b`)', true],
    ['Host(`c.d`, `A.B`)', true],
    ['Host(`c.d`) || PathPrefix(`/x`)', true],
    ['Host(`a.b`) && !PathPrefix(`/x`)', false],
    ['(Host(`c.d`) || Host(`a.b`)) && Path(`/x/y`)', true],
    ['Host(`c.d`) || Host(`a.b`) && Path(`/z`)', false],
    ['Headers(`X-Beta`, `1`) && Method(`get`)', true],
    ['HeaderRegexp(`X-Beta`, `[2-9]`)', false],
    ['HostRegexp(`^.\\.b$`) && Query(`q`, `1`)', true],
    ['PathRegexp(`y$`)', true],
  ])('%s holds: %s', (rule, holds) => {
    expect(parseTraefikRule(rule)?.(request)).toBe(holds);
  });

  it.each(['', 'Host(', 'Host(`a`) &&', 'Host(a.b)', 'Nothing(`x`)', 'Host(`a`) Host(`b`)', 'Host(`a`) # no'])(
    '%j cannot be read',
    (rule) => {
      expect(parseTraefikRule(rule)).toBeUndefined();
    },
  );
});
