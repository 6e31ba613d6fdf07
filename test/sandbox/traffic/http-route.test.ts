import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fieldsOf, listOf } from '../../../src/sandbox/traffic/read.ts';
import { aGateway, backend, httpRoute, type TestGateway } from './a-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await aGateway();
  await gateway.service('shop-primary');
  await gateway.service('shop-canary');
});
afterEach(() => gateway.stop());

const everything = { path: { type: 'PathPrefix', value: '/' } };
const weighted = (primary: number, canary: number) => [
  backend('shop-primary', primary),
  backend('shop-canary', canary),
];

describe('an HTTPRoute', () => {
  it.each([
    [100, 0],
    [95, 5],
    [70, 30],
    [1, 99],
    [0, 100],
  ])('with the weights %i and %i splits a hundred requests exactly', async (primary, canary) => {
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [{ matches: [everything], backendRefs: weighted(primary, canary) }],
      }),
    );
    const found = await gateway.spread('shop.example.com', 100);
    expect([found['shop-primary'] ?? 0, found['shop-canary'] ?? 0]).toEqual([primary, canary]);
  });

  it('follows new weights with the next request, whatever the version of the API they are written in', async () => {
    gateway.apply(httpRoute('shop', { hostnames: ['shop.example.com'], rules: [{ backendRefs: weighted(100, 0) }] }));
    expect(await gateway.spread('shop.example.com', 5)).toEqual({ 'shop-primary': 5 });
    gateway.store.update('gateway.networking.k8s.io/v1beta1', 'HTTPRoute', 'test', 'shop', (draft) => {
      draft.spec = { ...fieldsOf(draft.spec), rules: [{ backendRefs: weighted(0, 100) }] };
    });
    expect(await gateway.spread('shop.example.com', 5)).toEqual({ 'shop-canary': 5 });
  });

  it('sends matched requests of an A/B test to the canary and all others to the primary', async () => {
    const cookie = { type: 'RegularExpression', name: 'Cookie', value: '^(.*?;)?(canary=always)(;.*)?$' };
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [
          {
            matches: [
              { ...everything, headers: [{ type: 'Exact', name: 'X-Beta', value: '1' }] },
              { ...everything, headers: [cookie] },
            ],
            backendRefs: weighted(0, 100),
          },
          { matches: [everything], backendRefs: [backend('shop-primary', 100)] },
        ],
      }),
    );
    const to = async (headers: Record<string, string>) =>
      (await gateway.ask('shop.example.com', '/', { headers })).echo.service;
    expect(await to({})).toBe('shop-primary');
    expect(await to({ 'x-beta': '1' })).toBe('shop-canary');
    expect(await to({ 'x-beta': '12' })).toBe('shop-primary');
    expect(await to({ cookie: 'canary=always; a=b' })).toBe('shop-canary');
  });

  it('is chosen by the order of the Gateway API: exact path, longer prefix, method, headers, parameters', async () => {
    const names = ['exact', 'regex', 'long', 'method', 'headers', 'query'];
    for (const name of names) await gateway.service(name);
    const rule = (name: string, match: Record<string, unknown>) => ({ matches: [match], backendRefs: [backend(name)] });
    const long = { path: { type: 'PathPrefix', value: '/a/b' } };
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [
          rule('shop-primary', everything),
          rule('query', { ...long, queryParams: [{ name: 'q', value: '1' }] }),
          rule('headers', { ...long, headers: [{ name: 'x', value: '1' }] }),
          rule('method', { ...long, method: 'PUT' }),
          rule('long', long),
          rule('regex', { path: { type: 'RegularExpression', value: '/r[0-9]+' } }),
          rule('exact', { path: { type: 'Exact', value: '/a/b/c' } }),
        ],
      }),
    );
    const to = async (path: string, init = {}) => (await gateway.ask('shop.example.com', path, init)).echo.service;
    expect(await to('/a/b/c?q=1', { headers: { x: '1' } })).toBe('exact');
    expect(await to('/a/b/d')).toBe('long');
    expect(await to('/a/bc')).toBe('shop-primary');
    expect(await to('/a/b?q=1', { headers: { x: '1' }, method: 'PUT' })).toBe('method');
    expect(await to('/a/b?q=1', { headers: { x: '1' } })).toBe('headers');
    expect(await to('/a/b?q=1')).toBe('query');
    expect(await to('/r77')).toBe('regex');
    expect(await to('/r77/x')).toBe('shop-primary');
  });

  it('with the more exact hostname wins', async () => {
    const rules = (name: string) => [{ backendRefs: [backend(name)] }];
    gateway.apply(
      httpRoute('all', { rules: rules('shop-primary') }),
      httpRoute('wild', { hostnames: ['*.example.com'], rules: rules('shop-canary') }),
    );
    expect((await gateway.ask('x.example.com')).echo.service).toBe('shop-canary');
    expect((await gateway.ask('example.org')).echo.service).toBe('shop-primary');
    gateway.apply(httpRoute('one', { hostnames: ['x.example.com'], rules: rules('shop-primary') }));
    expect((await gateway.ask('x.example.com')).echo.service).toBe('shop-primary');
    expect((await gateway.ask('y.example.com')).echo.service).toBe('shop-canary');
  });

  it('keeps sessions where their cookie says, as with session affinity', async () => {
    const setCookie = {
      type: 'ResponseHeaderModifier',
      responseHeaderModifier: { add: [{ name: 'Set-Cookie', value: 'sid=AbC; Max-Age=60' }] },
    };
    const sticky = { headers: [{ type: 'RegularExpression', name: 'Cookie', value: '.*sid.*AbC.*' }] };
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [
          { matches: [sticky], backendRefs: weighted(0, 100) },
          {
            matches: [everything],
            backendRefs: [backend('shop-primary', 50), { ...backend('shop-canary', 50), filters: [setCookie] }],
          },
        ],
      }),
    );
    const answers = [await gateway.ask('shop.example.com'), await gateway.ask('shop.example.com')];
    const canary = answers.find(({ echo }) => echo.service === 'shop-canary');
    const primary = answers.find(({ echo }) => echo.service === 'shop-primary');
    expect(canary?.headers['set-cookie']).toEqual(['a=1', 'b=2', 'sid=AbC; Max-Age=60']);
    expect(primary?.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    const again = await gateway.spread('shop.example.com', 6, '/', { headers: { cookie: 'x=1; sid=AbC' } });
    expect(again).toEqual({ 'shop-canary': 6 });
  });

  it('changes headers, host and path on the way', async () => {
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [
          {
            matches: [{ path: { type: 'PathPrefix', value: '/old' } }],
            filters: [
              {
                type: 'RequestHeaderModifier',
                requestHeaderModifier: {
                  set: [{ name: 'X-Set', value: 's' }],
                  add: [{ name: 'X-Add', value: '2' }],
                  remove: ['x-gone'],
                },
              },
              {
                type: 'ResponseHeaderModifier',
                responseHeaderModifier: { set: [{ name: 'X-Out', value: 'o' }], remove: ['x-version'] },
              },
              {
                type: 'URLRewrite',
                urlRewrite: {
                  hostname: 'inner.example.com',
                  path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' },
                },
              },
            ],
            backendRefs: [backend('shop-primary')],
          },
          {
            matches: [{ path: { type: 'Exact', value: '/moved' } }],
            filters: [
              {
                type: 'RequestRedirect',
                requestRedirect: { statusCode: 301, path: { type: 'ReplaceFullPath', replaceFullPath: '/there' } },
              },
            ],
          },
          {
            matches: [{ path: { type: 'Exact', value: '/strange' } }],
            filters: [{ type: 'ExtensionRef' }],
            backendRefs: [backend('shop-primary')],
          },
        ],
      }),
    );
    const { echo, headers } = await gateway.ask('shop.example.com', '/old/x?y=1', {
      headers: { 'x-add': '1', 'x-gone': '1' },
    });
    expect(echo).toMatchObject({
      url: '/new/x?y=1',
      headers: { 'x-set': 's', 'x-add': '1, 2', host: 'inner.example.com' },
    });
    expect(echo.headers).not.toHaveProperty('x-gone');
    expect(echo.headers['x-forwarded-host']).toBe('shop.example.com');
    expect(headers).toMatchObject({ 'x-out': 'o' });
    expect(headers).not.toHaveProperty('x-version');
    expect(await gateway.ask('shop.example.com', '/moved')).toMatchObject({
      status: 301,
      headers: { location: 'http://shop.example.com/there' },
    });
    expect((await gateway.ask('shop.example.com', '/strange')).status).toBe(500);
  });

  it('sends copies to the mirror, bodies included, and answers with the main backend', async () => {
    const filters = [{ type: 'RequestMirror', requestMirror: { backendRef: backend('shop-canary') } }];
    gateway.apply(
      httpRoute('shop', { hostnames: ['shop.example.com'], rules: [{ filters, backendRefs: weighted(100, 0) }] }),
    );
    const { echo } = await gateway.ask('shop.example.com', '/pay', { method: 'POST', body: 'ten' });
    expect(echo).toMatchObject({ service: 'shop-primary', body: 'ten' });
    await expect
      .poll(() => gateway.echoes.find(({ service }) => service === 'shop-canary'))
      .toMatchObject({ method: 'POST', url: '/pay', body: 'ten' });
  });

  it('answers 500 for a missing Service and for weights of nothing, 503 without ready pods, 504 after its timeout', async () => {
    await gateway.service('empty', { pods: 0 });
    await gateway.service('slow', { handle: () => undefined });
    const rule = (path: string, backendRefs: unknown, more = {}) => ({
      matches: [{ path: { type: 'Exact', value: path } }],
      backendRefs,
      ...more,
    });
    gateway.apply(
      httpRoute('shop', {
        hostnames: ['shop.example.com'],
        rules: [
          rule('/missing', [backend('nowhere')]),
          rule('/zero', weighted(0, 0)),
          rule('/empty', [backend('empty')]),
          rule('/slow', [backend('slow')], { timeouts: { request: '50ms' } }),
        ],
      }),
    );
    const statuses = [];
    for (const path of ['/missing', '/zero', '/empty', '/slow', '/else'])
      statuses.push((await gateway.ask('shop.example.com', path)).status);
    expect(statuses).toEqual([500, 500, 503, 504, 404]);
  });
});

describe('the status of an HTTPRoute', () => {
  const parents = () => {
    const route = gateway.store.get('gateway.networking.k8s.io/v1', 'HTTPRoute', 'test', 'shop');
    return listOf(fieldsOf(route?.status).parents);
  };
  const conditions = () =>
    listOf(parents()[0]?.conditions).map(({ type, status, reason, observedGeneration }) => [
      type,
      status,
      reason,
      observedGeneration,
    ]);

  it('says for each parent that the newest generation is accepted and whether its Services are there', async () => {
    gateway.apply(
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GatewayClass',
        metadata: { name: 'edge' },
        spec: { controllerName: 'example.com/gateway' },
      },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'infra' } },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'edge', namespace: 'infra' },
        spec: { gatewayClassName: 'edge' },
      },
      httpRoute('shop', { rules: [{ backendRefs: [backend('shop-primary', 100), backend('later', 0)] }] }),
    );
    await expect.poll(conditions).toEqual([
      ['Accepted', 'True', 'Accepted', 1],
      ['ResolvedRefs', 'False', 'BackendNotFound', 1],
    ]);
    const route = gateway.store.get('gateway.networking.k8s.io/v1', 'HTTPRoute', 'test', 'shop');
    expect(parents()[0]).toMatchObject({
      controllerName: 'example.com/gateway',
      parentRef: listOf(fieldsOf(route?.spec).parentRefs)[0],
    });
    await gateway.service('later');
    await expect.poll(conditions).toEqual([
      ['Accepted', 'True', 'Accepted', 1],
      ['ResolvedRefs', 'True', 'ResolvedRefs', 1],
    ]);
    gateway.store.update('gateway.networking.k8s.io/v1', 'HTTPRoute', 'test', 'shop', (draft) => {
      draft.spec = { ...fieldsOf(draft.spec), rules: [{ backendRefs: weighted(1, 1) }] };
    });
    await expect.poll(conditions).toEqual([
      ['Accepted', 'True', 'Accepted', 2],
      ['ResolvedRefs', 'True', 'ResolvedRefs', 2],
    ]);
    const edge = gateway.store.get('gateway.networking.k8s.io/v1', 'Gateway', 'infra', 'edge');
    expect(listOf(fieldsOf(edge?.status).conditions).map(({ type, status }) => [type, status])).toEqual([
      ['Accepted', 'True'],
      ['Programmed', 'True'],
    ]);
  });
});
