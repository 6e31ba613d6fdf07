import { describe, expect, it } from 'vitest';
import { createRender } from '../../src/sync/render.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { planHome, planRestore, planRoutes, strategyProblem, supportedSpec } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const router = routers['gatewayapi:v1'];
const routeRef = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', namespace: 'prod', name: 'edge' };
const service = { routeRef, raw: { routeRef } };
const context = aRouteContext(aSpec({ provider: 'gatewayapi:v1', service }));
const edge = (rules: unknown, status?: unknown): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'edge', namespace: 'prod', generation: 2, labels: { team: 'web' } } as KubeObject['metadata'],
  spec: { parentRefs: [{ name: 'public' }], rules },
  ...(status === undefined ? {} : { status }),
});
const backend = (name: string, weight = 1) => ({ group: '', kind: 'Service', name, port: 80, weight });
const users = edge([{ backendRefs: [backend('shop')] }, { backendRefs: [backend('other')] }]);
const at = (canaryWeight: number): KubeObject | undefined =>
  planRoutes(router, context, [users], { canaryWeight, mirror: false })[0]?.object;

describe("a route of Gateway API that stays its users' own", () => {
  it('is split by weights, and nothing but weights of its rules is written', () => {
    expect(router.refs(context)).toEqual([routeRef]);
    expect(at(30)).toEqual({
      ...users,
      spec: {
        parentRefs: [{ name: 'public' }],
        rules: [
          { backendRefs: [backend('shop-primary', 70), backend('shop-canary', 30)] },
          { backendRefs: [backend('other')] },
        ],
      },
    });
    expect(router.read(context, [users])).toBeUndefined();
    for (const weight of [0, 1, 100]) {
      const live = at(weight);
      expect(router.read(context, [live])).toEqual({ canaryWeight: weight, mirror: false });
      expect(planRoutes(router, context, [live], 'keep')).toEqual([]);
    }
  });

  it('is given back as it was, and leads home where it cannot be rendered', () => {
    const live = at(40);
    expect(planRestore(router, context, [live]).map(({ object }) => object)).toEqual([users]);
    expect(planRestore(router, context, [users])).toEqual([]);
    const [home] = planHome(router, context, [live]);
    expect(router.read(context, [home?.object])).toEqual({ canaryWeight: 0, mirror: false });
    expect(planHome(router, context, [undefined])).toEqual([]);
  });

  it.each([
    ['it does not exist', undefined, 'spec.service.routeRef: HTTPRoute edge.prod does not exist'],
    [
      'no rule leads to the app',
      edge([{ backendRefs: [backend('other')] }]),
      'spec.service.routeRef: HTTPRoute edge.prod has no rule with the backend shop',
    ],
    [
      'its weights cannot be divided',
      edge([{ backendRefs: [backend('shop', 20_000)] }]),
      'has weights that cannot be divided by hundred parts',
    ],
  ])('is refused where %s', (_what, live, message) => {
    expect(() => planRoutes(router, context, [live], { canaryWeight: 10, mirror: false })).toThrow(message);
  });

  it('cannot tell users apart, keep them or copy their requests', () => {
    const match = [{ headers: { a: { exact: '1' } } }];
    const strategy = { kind: 'ab-testing' as const, iterations: 2, match };
    const tested = aSpec({ provider: 'gatewayapi:v1', service, analysis: { strategy } });
    expect(strategyProblem(router, tested)).toBe(
      'provider gatewayapi:v1 cannot tell users apart: spec.analysis.match is not possible with it while spec.service.routeRef leaves the route to its users',
    );
    const sessionAffinity = { cookieName: 'c', maxAgeSeconds: 1, httpOnly: false, secure: false, partitioned: false };
    const kept = aSpec({ provider: 'gatewayapi:v1', service, analysis: { sessionAffinity } });
    expect(strategyProblem(router, kept)).toContain('while spec.service.routeRef leaves the route to its users');
    const mirrored = aSpec({ provider: 'gatewayapi:v1', service, analysis: { mirror: true } });
    expect(supportedSpec(router, mirrored).analysis.mirror).toBe(false);
  });

  it('says what its Gateway refuses, or does not find, of this version of it', () => {
    const told = (type: string, observedGeneration: number): string | undefined => {
      const conditions = [
        { type: 'Accepted', status: type === 'Accepted' ? 'False' : 'True', observedGeneration, reason: 'NotAllowed' },
        {
          type: 'ResolvedRefs',
          status: type === 'ResolvedRefs' ? 'False' : 'True',
          observedGeneration,
          reason: 'BackendNotFound',
        },
      ];
      return router.trouble?.(context, [edge([], { parents: [{ parentRef: { name: 'public' }, conditions }] })]);
    };
    expect(told('Accepted', 2)).toBe('HTTPRoute edge.prod is not accepted by Gateway public: NotAllowed');
    expect(told('ResolvedRefs', 2)).toBe(
      'HTTPRoute edge.prod: Gateway public does not find what it leads to: BackendNotFound',
    );
    expect(told('ResolvedRefs', 1)).toBe('HTTPRoute edge.prod is not yet taken over by Gateway public');
    expect(told('', 2)).toBeUndefined();
  });

  it('is sent as Git has it as soon as no Canary writes into it', () => {
    const render = createRender();
    expect(render(users, 'weights').hash).not.toBe(render(users, 'nothing').hash);
    expect(render(users, 'weights').object).toEqual(render(users, 'nothing').object);
  });
});
