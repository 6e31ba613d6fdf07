import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import { at, listOf } from '../../src/lib/json.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { lacksBeforePods, planBeforePods, planRoutes } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import type { RouteContext, Router } from '../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const pods = { primary: { app: 'shop-primary' }, canary: { app: 'shop' } };
const meshName = 'global';
const rest = { canaryWeight: 0, mirror: false };
const beta = routers['appmesh:v1beta2'];
const alpha = routers.appmesh;

function contextOf(overrides: Parameters<typeof aSpec>[0] = {}): RouteContext {
  const raw = { meshName, ...overrides.service?.raw };
  const spec: CanarySpec = aSpec({ provider: 'appmesh:v1beta2', ...overrides, service: { ...overrides.service, raw } });
  return { ...aRouteContext(spec), pods };
}

const rendered = (router: Router, context: RouteContext, split = rest): readonly KubeObject[] =>
  router.render(context, split, []);
const named = (objects: readonly KubeObject[], kind: string, name: string): KubeObject | undefined =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);
const users = (match: readonly unknown[]): NonNullable<Parameters<typeof aSpec>[0]> => ({
  analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } },
});

describe('App Mesh v1beta2', () => {
  it('tells users of an A/B test apart by a route of higher priority', () => {
    const objects = rendered(beta, contextOf(users([{ headers: { ua: { prefix: 'Moz' } } }])));
    expect(named(objects, 'VirtualRouter', 'shop')?.['spec']).toEqual({
      listeners: [{ portMapping: { port: 80, protocol: 'http' } }],
      routes: [
        {
          name: 'shop-a',
          priority: 10,
          httpRoute: {
            match: { prefix: '/', headers: [{ name: 'ua', match: { prefix: 'Moz' } }] },
            action: {
              weightedTargets: [
                { virtualNodeRef: { name: 'shop-canary' }, weight: 0 },
                { virtualNodeRef: { name: 'shop-primary' }, weight: 100 },
              ],
            },
          },
        },
        {
          name: 'shop-b',
          priority: 20,
          httpRoute: {
            match: { prefix: '/' },
            action: { weightedTargets: [{ virtualNodeRef: { name: 'shop-primary' }, weight: 100 }] },
          },
        },
      ],
    });
  });

  it.each([beta, alpha])(
    'gives each of several groups of users a route of its own, where Flagger wants all their headers at once: $name',
    (router) => {
      const groups = [{ headers: { a: { exact: '1' } } }, { headers: { b: { regex: 'x.*' } } }];
      const objects = rendered(router, contextOf(users(groups)), { canaryWeight: 100, mirror: false });
      const split =
        objects.find(({ metadata: { name } }) => name === 'shop.prod') ?? named(objects, 'VirtualRouter', 'shop');
      const routes = listOf(at(split, 'spec', 'routes'));
      expect(routes.map(({ name, priority }) => [name, priority])).toEqual([
        ['shop-a', 10],
        ['shop-a-2', 11],
        ['shop-b', 20],
      ]);
      const many = Array.from({ length: 12 }, (_, index) => ({ headers: { [`h${index}`]: { exact: '1' } } }));
      const all = rendered(router, contextOf(users(many)));
      const last = all.find(({ metadata: { name } }) => name === 'shop.prod') ?? named(all, 'VirtualRouter', 'shop');
      expect(listOf(at(last, 'spec', 'routes')).at(-1)).toMatchObject({ name: 'shop-b', priority: 22 });
    },
  );

  it.each([[[]], [[{ headers: {} }]], [[{ sourceLabels: { a: 'b' } }]], [[{ headers: { a: { exact: '1' } } }, {}]]])(
    'refuses users who are told by no header, because all would be: %j',
    (match) => {
      expect(() => rendered(beta, contextOf(users(match)))).toThrow('App Mesh needs headers');
    },
  );

  it('selects the pods of each version, speaks to their container, and knows what they call', () => {
    const service = {
      targetPort: 9898,
      portName: 'grpc-web',
      raw: { timeout: '15s', backends: ['audit.prod', 'arn:aws:appmesh:a'] },
      apex: { labels: { tier: 'front' }, annotations: {} },
    };
    const objects = rendered(beta, contextOf({ service }));
    expect(named(objects, 'VirtualNode', 'shop-primary')).toMatchObject({
      metadata: { labels: { tier: 'front' }, annotations: { 'helm.toolkit.fluxcd.io/driftDetection': 'disabled' } },
      spec: {
        podSelector: { matchLabels: { app: 'shop-primary' } },
        listeners: [
          {
            portMapping: { port: 9898, protocol: 'grpc' },
            timeout: { http: { perRequest: { unit: 'ms', value: 15_000 } } },
          },
        ],
        serviceDiscovery: { dns: { hostname: 'shop-primary.prod.svc.cluster.local.' } },
        backends: [
          { virtualService: { virtualServiceRef: { name: 'audit.prod' } } },
          { virtualService: { virtualServiceARN: 'arn:aws:appmesh:a' } },
        ],
      },
    });
    expect(at(named(objects, 'VirtualNode', 'shop-canary'), 'spec', 'podSelector')).toEqual({
      matchLabels: pods.canary,
    });
  });

  it('lets users in by the gateway under the hosts of the Canary, and by the apex service only', () => {
    const raw = { hosts: ['a.example', 'b.example'], timeout: '5s', retries: { attempts: 3 } };
    const objects = rendered(beta, contextOf({ service: { raw } }));
    expect(named(objects, 'VirtualService', 'shop')?.metadata.annotations).toEqual({
      'gateway.appmesh.k8s.aws/expose': 'true',
      'gateway.appmesh.k8s.aws/domain': 'a.example,b.example,',
      'gateway.appmesh.k8s.aws/timeout': '5s',
      'gateway.appmesh.k8s.aws/retries': '3',
    });
    expect(named(objects, 'VirtualService', 'shop-canary')?.metadata.annotations).toBeUndefined();
    expect(named(objects, 'VirtualService', 'shop')?.metadata.labels).toBeUndefined();
  });

  it.each([
    [undefined, { httpRetryEvents: ['gateway-error'] }],
    ['5xx, connect-failure', { httpRetryEvents: ['server-error'], tcpRetryEvents: ['connection-error'] }],
    ['reset,connect-failure', { tcpRetryEvents: ['connection-error'] }],
  ])('takes reasons to try again in the words of Istio: %s', (retryOn, events) => {
    const raw = { retries: { attempts: 2, perTryTimeout: 'soon', ...(retryOn === undefined ? {} : { retryOn }) } };
    const objects = rendered(beta, contextOf({ service: { raw } }));
    const [route] = listOf(at(named(objects, 'VirtualRouter', 'shop'), 'spec', 'routes'));
    expect(at(route, 'httpRoute', 'retryPolicy')).toEqual({
      ...events,
      maxRetries: 2,
      perRetryTimeout: { unit: 'ms', value: 250 },
    });
  });

  it('refuses a reason to try again that App Mesh would not take', () => {
    const raw = { retries: { retryOn: 'envoy-ratelimited' } };
    expect(() => rendered(beta, contextOf({ service: { raw } }))).toThrow(
      'spec.service.retries.retryOn: App Mesh does not know "envoy-ratelimited"; it retries on server-error,',
    );
  });

  it('keeps what App Mesh and users add to its objects', () => {
    const context = contextOf();
    const added = rendered(beta, context, { canaryWeight: 30, mirror: false }).map((object) => {
      const spec = object['spec'] as Record<string, unknown>;
      const more = { awsName: `${object.metadata.name}_prod`, meshRef: { name: 'global', uid: 'u' } };
      const [listener] = listOf(spec['listeners']);
      return {
        ...object,
        spec: {
          ...spec,
          ...more,
          ...(object.kind === 'VirtualNode'
            ? {
                listeners: [{ ...listener, healthCheck: { path: '/' } }],
                logging: { accessLog: { file: { path: '/x' } } },
              }
            : {}),
        },
      };
    });
    expect(planRoutes(beta, context, added, 'keep')).toEqual([]);
    expect(beta.read(context, added)).toEqual({ canaryWeight: 30, mirror: false });
    const [moved, ...others] = planRoutes(beta, context, added, { canaryWeight: 40, mirror: false });
    expect(others).toEqual([]);
    expect(moved?.object['spec']).toMatchObject({ awsName: 'shop_prod', meshRef: { name: 'global' } });
  });

  it('wants its nodes before pods, and nothing that leads anybody anywhere', () => {
    const context = contextOf();
    const planned = planBeforePods(beta, context, []);
    expect(planned.map(({ object }) => `${object.kind} ${object.metadata.name}`)).toEqual([
      'VirtualNode shop-primary',
      'VirtualNode shop-canary',
    ]);
    expect(lacksBeforePods(beta, context, [])).toBe(true);
    expect(
      lacksBeforePods(
        beta,
        context,
        planned.map(({ object }) => object),
      ),
    ).toBe(false);
    expect(lacksBeforePods(alpha, { ...context, spec: aSpec() }, [])).toBe(true);
    expect(
      Object.values<Router>(routers)
        .filter((router) => 'beforePods' in router)
        .map(({ name }) => name),
    ).toEqual(['appmesh', 'appmesh:v1beta1', 'appmesh:v1beta2']);
  });

  it('holds a release while App Mesh does not take an object, and does not believe what it said of an older one', () => {
    const context = contextOf();
    const refused = (observedGeneration: number): readonly KubeObject[] =>
      rendered(beta, context).map((object) => ({
        ...object,
        metadata: { ...object.metadata, generation: 2 },
        ...(object.kind === 'VirtualRouter'
          ? {
              status: {
                observedGeneration,
                conditions: [{ type: 'VirtualRouterActive', status: 'False', message: 'BadRequestException: weights' }],
              },
            }
          : {}),
      }));
    expect(beta.trouble?.(context, refused(2))).toBe(
      'VirtualRouter shop.prod is not active in App Mesh: BadRequestException: weights',
    );
    expect(beta.trouble?.(context, refused(1))).toBeUndefined();
    expect(beta.trouble?.(context, rendered(beta, context))).toBeUndefined();
  });
});

describe('App Mesh v1beta1', () => {
  it('needs the name of the mesh', () => {
    for (const name of ['', undefined])
      expect(() => rendered(alpha, contextOf({ service: { raw: { meshName: name } } }))).toThrow(
        'spec.service.meshName: mesh name cannot be empty',
      );
  });

  it('leads the name of the app to the primary, and that of the canary to the canary', () => {
    const objects = rendered(alpha, contextOf({ service: { raw: { backends: ['audit.prod'] } } }), {
      canaryWeight: 20,
      mirror: false,
    });
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'VirtualNode shop',
      'VirtualNode shop-primary',
      'VirtualNode shop-canary',
      'VirtualService shop.prod',
      'VirtualService shop-canary.prod',
    ]);
    expect(named(objects, 'VirtualNode', 'shop')?.['spec']).toEqual({
      meshName,
      listeners: [{ portMapping: { port: 80, protocol: 'http' } }],
      serviceDiscovery: { dns: { hostName: 'shop-primary.prod' } },
      backends: [{ virtualService: { virtualServiceName: 'audit.prod' } }],
    });
    expect(named(objects, 'VirtualService', 'shop.prod')?.['spec']).toEqual({
      meshName,
      virtualRouter: { name: 'shop', listeners: [{ portMapping: { port: 80, protocol: 'http' } }] },
      routes: [
        {
          name: 'shop',
          http: {
            match: { prefix: '/' },
            action: {
              weightedTargets: [
                { virtualNodeName: 'shop-canary', weight: 20 },
                { virtualNodeName: 'shop-primary', weight: 80 },
              ],
            },
          },
        },
      ],
    });
    expect(at(named(objects, 'VirtualService', 'shop-canary.prod'), 'spec', 'virtualRouter', 'name')).toBe(
      'shop-canary',
    );
    expect(JSON.stringify(named(objects, 'VirtualService', 'shop-canary.prod'))).toContain(
      '{"virtualNodeName":"shop-canary","weight":100}',
    );
  });
});
