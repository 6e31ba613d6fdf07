import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { jsonOf, listOf } from '../../src/lib/json.ts';
import { apisix } from '../../src/routers/apisix.ts';
import { gloo } from '../../src/routers/gloo.ts';
import { kuma } from '../../src/routers/kuma.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import type { Router } from '../../src/routers/router.ts';
import { skipper } from '../../src/routers/skipper.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const split = (canaryWeight: number) => ({ canaryWeight, mirror: false });
const annotationsOf = (object: KubeObject | undefined) => object?.metadata.annotations ?? {};

describe('skipper', () => {
  const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'web' };
  const context = aRouteContext(aSpec({ provider: 'skipper', ingressRef }));
  const path = (name: string, at = '/') => ({
    path: at,
    pathType: 'Prefix',
    backend: { service: { name, port: { number: 80 } } },
  });
  const web = (annotations?: Record<string, string>, ...paths: unknown[]): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'prod', ...(annotations ? { annotations } : {}) },
    spec: { rules: [{ host: 'no-http.example.com' }, { host: 'a.example.com', http: { paths } }] },
  });
  const render = (source: KubeObject | undefined, weight: number, live?: KubeObject) =>
    skipper.render(context, split(weight), [source, live])[0];

  it('copies the Ingress: the apex leads to the primary, and behind all others once more to the canary [MX17]', () => {
    const copy = render(web(undefined, path('shop'), path('other', '/other')), 0);
    expect(copy?.metadata.name).toBe('web-canary');
    expect(jsonOf(copy?.['spec'])['rules']).toEqual([
      { host: 'no-http.example.com' },
      { host: 'a.example.com', http: { paths: [path('shop-primary'), path('other', '/other'), path('shop-canary')] } },
    ]);
  });

  it('writes weights and predicates as Flagger does, and rests after a release [MX18] [MX19]', () => {
    const source = web({ 'zalando.org/skipper-predicate': 'Method("GET") && Weight(100)', 'x/y': 'z' }, path('shop'));
    const first = render(source, 0);
    expect(annotationsOf(first)).toEqual({
      'x/y': 'z',
      'zalando.org/backend-weights': '{"shop-canary":0,"shop-primary":100}',
      'zalando.org/skipper-predicate': 'Weight(100) && Method("GET")',
    });
    const running = render(source, 30, first);
    expect(annotationsOf(running)).toMatchObject({
      'zalando.org/backend-weights': '{"shop-canary":30,"shop-primary":70}',
      'zalando.org/skipper-predicate': 'Weight(100) && Method("GET")',
    });
    const resting = render(source, 0, running);
    expect(annotationsOf(resting)).toMatchObject({
      'zalando.org/backend-weights': '{"shop-canary":0,"shop-primary":100}',
      'zalando.org/skipper-predicate': 'False() && Method("GET")',
    });
    expect(planRoutes(skipper, context, [source, first], 'keep')).toEqual([]);
    expect(planRoutes(skipper, context, [source, resting], 'keep')).toEqual([]);
  });

  it.each([
    ['no Ingress is named', undefined, 'named by spec.ingressRef, does not exist'],
    ['no path leads to the app', web(undefined, path('other')), 'has no path with the backend shop'],
  ])('is refused where %s', (_what, source, message) => {
    expect(() => render(source, 10)).toThrow(message);
  });

  it.each([
    '{',
    '[]',
    '"x"',
    '{"shop-canary":"1","shop-primary":1}',
    '{"shop-canary":5}',
    '{"shop-canary":0,"shop-primary":0}',
  ])('reads no split from %s', (text) => {
    const live = web({ 'zalando.org/backend-weights': text }, path('shop'));
    expect(skipper.read(context, [undefined, live])).toBeUndefined();
  });
});

describe('apisix', () => {
  const routeRef = { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', namespace: 'prod', name: 'edge' };
  const context = aRouteContext(aSpec({ provider: 'apisix', routeRef }));
  const backend = { serviceName: 'shop', servicePort: 80, subset: 'v1', weight: 3 };
  const edge = (...http: unknown[]): KubeObject => ({
    apiVersion: 'apisix.apache.org/v2',
    kind: 'ApisixRoute',
    metadata: { name: 'edge', namespace: 'prod', annotations: { a: 'b' } },
    spec: { http, stream: [{ name: 'tcp' }] },
  });
  const render = (source: KubeObject | undefined, weight = 10) =>
    apisix.render(context, split(weight), [source, undefined])[0];

  it("copies the rule of the app alone, above the users' own [MX15] [MX16]", () => {
    const rule = { name: 'main', priority: 1, match: { paths: ['/*'] }, plugins: [{ name: 'x' }], backends: [backend] };
    const copy = render(edge({ name: 'other', backends: [{ serviceName: 'other' }] }, rule));
    expect(copy?.metadata.name).toBe('edge-shop-canary');
    expect(copy?.['spec']).toEqual({
      http: [
        {
          ...rule,
          priority: 10_000,
          backends: [
            { ...backend, serviceName: 'shop-primary', weight: 90 },
            { ...backend, serviceName: 'shop-canary', weight: 10 },
          ],
        },
      ],
      stream: [{ name: 'tcp' }],
    });
  });

  it.each([
    ['there is no route', undefined, 'named by spec.routeRef, does not exist'],
    ['there are no rules', edge(), 'has no rule with the backend shop'],
    [
      'no rule leads to the app',
      edge({ name: 'x', backends: [{ serviceName: 'y' }] }),
      'has no rule with the backend shop',
    ],
    [
      'a rule has two backends',
      edge({ name: 'x', backends: [backend, { serviceName: 'y' }] }),
      'rule x of ApisixRoute edge.prod has 2 backends, and only one can be split',
    ],
  ])('is refused where %s', (_what, source, message) => {
    expect(() => render(source)).toThrow(message);
  });

  it('says what the controller refuses, and not what it said of an earlier version', () => {
    const told = (observedGeneration: number): KubeObject => ({
      ...(edge() as KubeObject & object),
      metadata: { name: 'edge-shop-canary', namespace: 'prod', generation: 3 } as KubeObject['metadata'],
      status: {
        conditions: [
          { type: 'ResourcesAvailable', status: 'False', observedGeneration, message: 'service shop-canary not found' },
        ],
      },
    });
    const text = 'ApisixRoute edge-shop-canary is not accepted: service shop-canary not found';
    expect(apisix.trouble?.(context, [undefined, told(3)])).toBe(text);
    expect(apisix.trouble?.(context, [undefined, told(2)])).toBeUndefined();
    expect(apisix.trouble?.(context, [undefined, edge()])).toBeUndefined();
  });
});

describe('gloo', () => {
  const context = aRouteContext(aSpec({ provider: 'gloo' }));
  const nothing = gloo.refs(context).map(() => undefined);
  const routesOf = (router: Router, at: number, over = nothing) =>
    listOf(jsonOf(router.render(context, split(at), over)[2]?.['spec'])['routes']);

  it('splits in a route table over two Upstreams [MX06] [MX07] [MX08]', () => {
    const destination = (version: string) => ({
      destination: { upstream: { name: `prod-shop-${version}upstream-80`, namespace: 'prod' } },
    });
    expect(routesOf(gloo, 25)).toEqual([
      {
        inheritablePathMatchers: true,
        routeAction: {
          multi: {
            destinations: [
              { ...destination('primary'), weight: 75 },
              { ...destination('canary'), weight: 25 },
            ],
          },
        },
      },
    ]);
    for (const weight of [0, 25, 100])
      expect(gloo.read(context, gloo.render(context, split(weight), nothing))).toEqual(split(weight));
    const [primary, canary, table] = gloo.render(context, split(25), nothing);
    // Before what leads to them.
    expect([primary, canary].map((upstream) => upstream?.metadata.name)).toEqual([
      'prod-shop-primaryupstream-80',
      'prod-shop-canaryupstream-80',
    ]);
    const broken = {
      ...table,
      spec: { routes: [{ routeAction: { multi: { destinations: [destination('primary')] } } }] },
    };
    expect(gloo.read(context, [undefined, undefined, broken as KubeObject])).toBeUndefined();
  });

  it('tells users apart by each of their headers', () => {
    const match = [
      { headers: { a: { exact: '1' }, b: { prefix: 'x.' } } },
      { headers: { c: { suffix: '.y' } }, queryParams: { q: { regex: 'z+' } } },
    ];
    const spec = aSpec({ provider: 'gloo', analysis: { strategy: { kind: 'ab-testing', iterations: 2, match } } });
    const [users] = listOf(jsonOf(gloo.render(aRouteContext(spec), split(100), nothing)[2]?.['spec'])['routes']);
    expect(users?.['matchers']).toEqual([
      {
        headers: [
          { name: 'a', value: '1' },
          { name: 'b', value: 'x\\..*', regex: true },
        ],
      },
      {
        headers: [{ name: 'c', value: '.*\\.y', regex: true }],
        queryParameters: [{ name: 'q', value: 'z+', regex: true }],
      },
    ]);
  });

  it('is refused where the Upstream that is named does not exist, or users cannot be named', () => {
    const upstreamRef = { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', namespace: 'infra', name: 'pattern' };
    expect(() => gloo.render(aRouteContext(aSpec({ provider: 'gloo', upstreamRef })), split(0), nothing)).toThrow(
      'Upstream pattern.infra, named by spec.upstreamRef, does not exist',
    );
    const strategy = { kind: 'ab-testing' as const, iterations: 2, match: [{ sourceLabels: { a: 'b' } }] };
    const spec = aSpec({ provider: 'gloo', analysis: { strategy } });
    expect(() => gloo.render(aRouteContext(spec), split(100), nothing)).toThrow('Gloo needs headers or queryParams');
  });
});

describe('kuma', () => {
  const spec = aSpec({ provider: 'kuma', mesh: 'inner' });
  const context = aRouteContext(spec);

  it('splits by the tags of the Services, in the mesh of the Canary [MX09] [MX10]', () => {
    const [route] = kuma.render(context, split(10), [undefined]);
    expect(route).toMatchObject({
      mesh: 'inner',
      spec: {
        sources: [{ match: { 'kuma.io/service': '*' } }],
        destinations: [{ match: { 'kuma.io/service': 'shop_prod_svc_80' } }],
        conf: {
          split: [
            { weight: 90, destination: { 'kuma.io/service': 'shop-primary_prod_svc_80' } },
            { weight: 10, destination: { 'kuma.io/service': 'shop-canary_prod_svc_80' } },
          ],
        },
      },
    });
    expect(kuma.read(context, [route])).toEqual(split(10));
  });

  it('leaves the route of an app that has the same name in another namespace alone', () => {
    const other = aRouteContext({ ...spec, namespace: 'stage' });
    const [theirs] = kuma.render(other, split(30), [undefined]);
    expect(kuma.read(context, [theirs])).toBeUndefined();
    expect(() => kuma.render(context, split(0), [theirs])).toThrow(
      'spec.service.name: TrafficRoute shop leads to something else',
    );
    expect(kuma.leave?.(context, [theirs])).toBeUndefined();
  });
});
