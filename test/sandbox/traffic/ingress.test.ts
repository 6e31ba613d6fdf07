import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aGateway, routed, type TestGateway } from './a-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
  await gateway.service('shop');
  await gateway.service('shop-canary');
});
afterEach(() => gateway.stop());

const host = 'shop.example.com';

function ingress(
  name: string,
  service: string,
  annotations: Record<string, string> = {},
  path = '/',
  pathType = 'Prefix',
  port = 80,
) {
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
  );
  const backend = { service: { name: service, port: { number: port } } };
  const rules = [{ host, http: { paths: [{ path, pathType, backend }] } }];
  return routed('networking.k8s.io/v1', 'Ingress', name, { ingressClassName: 'nginx', rules }, prefixed);
}

const canary = (annotations: Record<string, string>) =>
  ingress('web-canary', 'shop-canary', { canary: 'true', ...annotations });

describe('a canary Ingress of nginx', () => {
  it.each([0, 5, 37, 50, 100])('with the weight %i takes exactly so many of a hundred requests', async (weight) => {
    gateway.apply(ingress('web', 'shop'), canary({ 'canary-weight': String(weight) }));
    const found = await gateway.spread(host, 100);
    expect(found['shop-canary'] ?? 0).toBe(weight);
    expect(found.shop ?? 0).toBe(100 - weight);
  });

  it('counts in units of its total', async () => {
    gateway.apply(ingress('web', 'shop'), canary({ 'canary-weight': '1', 'canary-weight-total': '4' }));
    expect(await gateway.spread(host, 8)).toEqual({ shop: 6, 'shop-canary': 2 });
  });

  it.each([
    ['the header says always', { 'canary-by-header': 'X-Beta' }, { 'x-beta': 'always' }, 'shop-canary'],
    ['the header says never', { 'canary-by-header': 'X-Beta', 'canary-weight': '100' }, { 'x-beta': 'never' }, 'shop'],
    [
      'the header says something else',
      { 'canary-by-header': 'X-Beta', 'canary-weight': '100' },
      { 'x-beta': 'yes' },
      'shop-canary',
    ],
    [
      'the header has the value',
      { 'canary-by-header': 'X-Beta', 'canary-by-header-value': 'yes' },
      { 'x-beta': 'yes' },
      'shop-canary',
    ],
    [
      'the header has another value',
      { 'canary-by-header': 'X-Beta', 'canary-by-header-value': 'yes' },
      { 'x-beta': 'always' },
      'shop',
    ],
    [
      'the header fits the pattern',
      { 'canary-by-header': 'X-Beta', 'canary-by-header-pattern': '^(1|2)$' },
      { 'x-beta': '2' },
      'shop-canary',
    ],
    [
      'the header fits it not',
      { 'canary-by-header': 'X-Beta', 'canary-by-header-pattern': '^(1|2)$' },
      { 'x-beta': '3' },
      'shop',
    ],
    ['the cookie says always', { 'canary-by-cookie': 'beta' }, { cookie: 'a=b; beta=always' }, 'shop-canary'],
    ['the cookie says never', { 'canary-by-cookie': 'beta', 'canary-weight': '100' }, { cookie: 'beta=never' }, 'shop'],
    [
      'the header goes before the cookie',
      { 'canary-by-header': 'X-Beta', 'canary-by-cookie': 'beta' },
      { 'x-beta': 'never', cookie: 'beta=always' },
      'shop',
    ],
    ['there is no such header', { 'canary-by-header': 'X-Beta' }, {}, 'shop'],
  ])('decides rightly where %s', async (_case, annotations, headers, service) => {
    gateway.apply(ingress('web', 'shop'), canary(annotations));
    expect(await gateway.spread(host, 3, '/', { headers: { ...headers } })).toEqual({ [service]: 3 });
  });

  it('gets nothing while it has no ready pod, and nothing without a main Ingress', async () => {
    await gateway.service('not-ready', { pods: 0 });
    gateway.apply(ingress('web-canary', 'not-ready', { canary: 'true', 'canary-weight': '100' }));
    expect((await gateway.ask(host)).status).toBe(404);
    gateway.apply(ingress('web', 'shop'));
    expect(await gateway.spread(host, 3)).toEqual({ shop: 3 });
  });

  it('is counted under the name of the main Ingress, with its upstream as canary', async () => {
    gateway.apply(ingress('web', 'shop'), canary({ 'canary-weight': '50' }));
    await gateway.spread(host, 2, '/x');
    await expect.poll(() => gateway.counted.length).toBe(2);
    const labels = { namespace: 'test', ingress: 'web', service: 'shop', host, path: '/', method: 'GET', status: 200 };
    expect(gateway.counted).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...labels, canary: '' }),
        expect.objectContaining({ ...labels, canary: 'test-shop-canary-80' }),
      ]),
    );
  });
});

describe('an Ingress', () => {
  it('is chosen by the longest path', async () => {
    await gateway.service('api');
    await gateway.service('exact');
    gateway.apply(
      ingress('web', 'shop'),
      ingress('api', 'api', {}, '/api'),
      ingress('exact', 'exact', {}, '/api/v1', 'Exact'),
    );
    const to = async (path: string) => (await gateway.ask(host, path)).echo.service;
    expect(await to('/')).toBe('shop');
    expect(await to('/apis')).toBe('shop');
    expect(await to('/api/v1/x')).toBe('api');
    expect(await to('/api/v1')).toBe('exact');
  });

  it('may name the target port of the Service for its port', async () => {
    gateway.apply(ingress('web', 'shop', {}, '/', 'Prefix', 9898));
    expect(await gateway.spread(host, 1)).toEqual({ shop: 1 });
  });

  it('serves hosts that nobody else names when it names none', async () => {
    gateway.apply(
      routed('networking.k8s.io/v1', 'Ingress', 'all', {
        defaultBackend: { service: { name: 'shop', port: { name: 'http' } } },
      }),
    );
    expect((await gateway.ask('anything.example.org')).echo.service).toBe('shop');
    expect((await gateway.ask('shop-canary.test')).echo.service).toBe('shop-canary');
  });

  it('gets the address of the load balancer', async () => {
    gateway.apply(ingress('web', 'shop'));
    const status = () => gateway.store.get('networking.k8s.io/v1', 'Ingress', 'test', 'web')?.status;
    await expect.poll(status).toEqual({ loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } });
  });
});
