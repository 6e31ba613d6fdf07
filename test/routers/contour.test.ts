import { describe, expect, it } from 'vitest';
import type { AnalysisSpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { contour } from '../../src/routers/contour.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import type { RouteContext } from '../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

type Raw = Readonly<Record<string, unknown>>;

const contextOf = (raw: Raw = {}, analysis: Partial<AnalysisSpec> = {}): RouteContext =>
  aRouteContext(aSpec({ provider: 'contour', service: { raw }, analysis }));
const routesOf = (context: RouteContext, canaryWeight = 0) =>
  listOf(jsonOf(contour.render(context, { canaryWeight, mirror: false }, [undefined])[0]?.['spec'])['routes']);
const service = (name: string, weight: number) => ({
  name,
  port: 80,
  ...(weight > 0 ? { weight } : {}),
  requestHeadersPolicy: { set: [{ name: 'l5d-dst-override', value: `${name}.prod.svc.cluster.local:80` }] },
});
const both = (canaryWeight: number) => [
  service('shop-primary', 100 - canaryWeight),
  service('shop-canary', canaryWeight),
];
const testing = (match: readonly unknown[]): Partial<AnalysisSpec> => ({
  strategy: { kind: 'ab-testing', iterations: 3, match },
});

describe('contour', () => {
  it('renders a route with timeouts and retries, of the class that the agent is told [MX04]', () => {
    const raw = {
      timeout: '1m',
      retries: { attempts: 10, perTryTimeout: '5s', retryOn: 'connect-failure, gateway-error' },
      match: [{ uri: { prefix: '/podinfo' } }],
    };
    const context = contextOf(raw);
    const [object] = contour.render(
      { ...context, settings: { ...context.settings, 'ingress-class': 'contour' } },
      { canaryWeight: 0, mirror: false },
      [undefined],
    );
    expect(object?.['spec']).toEqual({
      ingressClassName: 'contour',
      routes: [
        {
          conditions: [{ prefix: '/podinfo' }],
          timeoutPolicy: { response: '1m', idle: '5m' },
          retryPolicy: { count: 10, perTryTimeout: '5s', retryOn: ['connect-failure', 'gateway-error'] },
          services: both(0),
        },
      ],
    });
    // Repaired, not reset.
    const live = contour.render(context, { canaryWeight: 50, mirror: false }, [undefined]);
    const [plan] = planRoutes(contour, contextOf({ ...raw, timeout: '2m' }), live, 'keep');
    expect(JSON.stringify(plan?.object)).toContain('"response":"2m"');
    expect(contour.read(context, [plan?.object])).toEqual({ canaryWeight: 50, mirror: false });
  });

  it('reads what it writes, and no split where there are not two services [MX05]', () => {
    const context = contextOf();
    expect(routesOf(context, 50)).toEqual([{ conditions: [{ prefix: '/' }], services: both(50) }]);
    const read = (...services: unknown[]) =>
      contour.read(context, [
        {
          apiVersion: '',
          kind: 'HTTPProxy',
          metadata: { name: 'shop' },
          spec: { routes: [{ services }] },
        } as KubeObject,
      ]);
    expect(read(...both(50))).toEqual({ canaryWeight: 50, mirror: false });
    expect(read(...both(0))).toEqual({ canaryWeight: 0, mirror: false });
    expect(read(...both(100))).toEqual({ canaryWeight: 100, mirror: false });
    expect(read(service('shop-primary', 100))).toBeUndefined();
    expect(read()).toBeUndefined();
  });

  it('tells users apart by headers, each group of them in a route of its own [MX05]', () => {
    const match = [
      { headers: { 'x-beta': { exact: '1' }, 'user-agent': { prefix: 'Moz(' } } },
      { headers: { cookie: { regex: '^(.*?;)?(type=insider)(;.*)?$' } } },
      {
        headers: { 'x-mail': { suffix: '@example.com' } },
        queryParams: { beta: { exact: 'yes' }, q: { prefix: 'a' } },
      },
    ];
    const routes = routesOf(contextOf({ match: [{ uri: { prefix: '/shop' } }] }, testing(match)), 100);
    expect(routes.map(({ conditions }) => conditions)).toEqual([
      [
        { prefix: '/shop', header: { name: 'x-beta', exact: '1' } },
        { header: { name: 'user-agent', regex: 'Moz\\(.*' } },
      ],
      [{ prefix: '/shop', header: { name: 'cookie', regex: '^(.*?;)?(type=insider)(;.*)?$' } }],
      [
        { prefix: '/shop', header: { name: 'x-mail', regex: '.*@example\\.com' } },
        { queryParameter: { name: 'beta', exact: 'yes' } },
        { queryParameter: { name: 'q', prefix: 'a' } },
      ],
      [{ prefix: '/shop' }],
    ]);
    expect(routes.map(({ services }) => services)).toEqual([both(100), both(100), both(100), both(0)]);
  });

  it('gives every path of the service its route', () => {
    const match = [{ uri: { exact: '/a' } }, { uri: { regex: '/b.*' } }, { headers: { x: { exact: 'y' } } }];
    expect(routesOf(contextOf({ match }), 10).map(({ conditions }) => conditions)).toEqual([
      [{ exact: '/a' }],
      [{ regex: '/b.*' }],
    ]);
  });

  it.each([[[]], [[{ sourceLabels: { a: 'b' } }]]])('refuses users that it cannot name: %j', (match) => {
    expect(() => routesOf(contextOf({}, testing(match)), 100)).toThrow('Contour needs headers or queryParams');
  });

  it('keeps what users set beside its own fields', () => {
    const context = contextOf();
    const [fresh] = contour.render(context, { canaryWeight: 20, mirror: false }, [undefined]);
    const [route] = routesOf(context, 20);
    const spec = { virtualhost: { fqdn: 'a.example' }, routes: [{ ...route, permitInsecure: true }] };
    const live = { ...fresh, spec } as KubeObject;
    expect(planRoutes(contour, context, [live], 'keep')).toEqual([]);
  });
});
