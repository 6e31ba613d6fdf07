import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { gatewayapi } from '../../src/routers/gatewayapi.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const v1 = gatewayapi('v1');
const gatewayRefs = [{ name: 'gw', namespace: 'infra' }];
const backend = (name: string, weight: number) => ({ group: '', kind: 'Service', name, port: 80, weight });
const withRaw = (raw: Record<string, unknown>, more: Parameters<typeof aSpec>[0] = {}): CanarySpec =>
  aSpec({ ...more, service: { raw: { gatewayRefs, ...raw } } });
const abTesting = (match: readonly unknown[]): Parameters<typeof aSpec>[0] => ({
  analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } },
});

function specOf(spec: CanarySpec, canaryWeight = 0, mirror = false, router = v1) {
  const [route] = router.render(aRouteContext(spec), { canaryWeight, mirror }, [undefined]);
  return route?.['spec'] as { parentRefs: unknown; hostnames?: unknown; rules: Record<string, unknown>[] };
}

describe('gatewayapi', () => {
  it('renders the initial route', () => {
    expect(specOf(withRaw({ hosts: ['shop.example.com'], timeout: '5s', backendTimeout: '2s' }))).toEqual({
      parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw', namespace: 'infra' }],
      hostnames: ['shop.example.com'],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          timeouts: { request: '5s', backendRequest: '2s' },
          backendRefs: [backend('shop-primary', 100), backend('shop-canary', 0)],
        },
      ],
    });
  });

  it('leaves timeouts and CORS out of v1beta1', () => {
    const spec = withRaw({ timeout: '5s', corsPolicy: { allowOrigin: ['*'] } });
    const [rule] = specOf(spec, 0, false, gatewayapi('v1beta1')).rules;
    expect(rule).not.toHaveProperty('timeouts');
    expect(rule).not.toHaveProperty('filters');
  });

  it('sends only matching users to the canary in an A/B test', () => {
    const spec = withRaw({}, abTesting([{ headers: { 'x-beta': { exact: '1' } } }]));
    const path = { path: { type: 'PathPrefix', value: '/' } };
    const { rules } = specOf(spec, 100);
    expect(rules).toEqual([
      {
        matches: [{ ...path, headers: [{ type: 'Exact', name: 'x-beta', value: '1' }] }],
        backendRefs: [backend('shop-primary', 0), backend('shop-canary', 100)],
      },
      { matches: [path], backendRefs: [backend('shop-primary', 100)] },
    ]);
    const live = { apiVersion: '', kind: '', metadata: { name: '' }, spec: { rules } };
    expect(v1.read(aRouteContext(spec), [live])).toEqual({ canaryWeight: 100, mirror: false });
  });

  it('pairs every service match with every analysis match', () => {
    const match = [{ uri: { prefix: '/a' }, method: { exact: 'GET' } }, { uri: { regex: '/b.*' } }];
    const users = [{ headers: { x: { regex: '1|2' } } }, { queryParams: { q: { exact: 'y' } } }];
    const [rule] = specOf(withRaw({ match }, abTesting(users)), 100).rules;
    const a = { path: { type: 'PathPrefix', value: '/a' }, method: 'GET' };
    const b = { path: { type: 'RegularExpression', value: '/b.*' } };
    const headers = [{ type: 'RegularExpression', name: 'x', value: '1|2' }];
    const queryParams = [{ type: 'Exact', name: 'q', value: 'y' }];
    expect(rule?.['matches']).toEqual([
      { ...a, headers },
      { ...b, headers },
      { ...a, queryParams },
      { ...b, queryParams },
    ]);
  });

  it.each([
    [[{ headers: { x: { prefix: 'a' } } }], 'spec.analysis.match.headers.x'],
    [[{ sourceLabels: { app: 'x' } }], 'spec.analysis.match: Gateway API needs headers or queryParams'],
    [[], 'spec.analysis.match: Gateway API needs headers or queryParams'],
  ])('refuses users that it cannot name: %j', (match, message) => {
    expect(() => specOf(withRaw({}, abTesting(match)), 100)).toThrow(message);
  });

  it('renders filters in their order and mirrors last', () => {
    const raw = {
      headers: { request: { set: { b: '2', a: '1' }, remove: ['c'] }, response: { add: { d: '4' } } },
      rewrite: { authority: 'x.example', uri: '/new', type: 'ReplacePrefixMatch' },
      mirror: [{ backendRef: { name: 'audit', port: 8080 } }],
      corsPolicy: { allowOrigin: ['https://a.example'], allowMethods: ['GET'], allowCredentials: true, maxAge: '24h' },
    };
    const [rule] = specOf(withRaw(raw), 0, true).rules;
    expect(rule?.['filters']).toEqual([
      {
        type: 'RequestHeaderModifier',
        requestHeaderModifier: {
          set: [
            { name: 'a', value: '1' },
            { name: 'b', value: '2' },
          ],
          remove: ['c'],
        },
      },
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [{ name: 'd', value: '4' }] } },
      {
        type: 'URLRewrite',
        urlRewrite: { hostname: 'x.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' } },
      },
      {
        type: 'RequestMirror',
        requestMirror: { backendRef: { group: '', kind: 'Service', name: 'audit', port: 8080 } },
      },
      {
        type: 'CORS',
        cors: { allowOrigins: ['https://a.example'], allowMethods: ['GET'], allowCredentials: true, maxAge: 86_400 },
      },
      {
        type: 'RequestMirror',
        requestMirror: { backendRef: { group: '', kind: 'Service', name: 'shop-canary', port: 80 } },
      },
    ]);
  });

  it('keeps names of rules and sessions, takes out rules and hosts that are not in the Canary', () => {
    const context = aRouteContext(withRaw({}));
    const [fresh] = v1.render(context, { canaryWeight: 20, mirror: false }, [undefined]);
    const { rules } = specOf(withRaw({}), 20);
    const live = {
      ...fresh,
      spec: {
        ...(fresh?.['spec'] as object),
        hostnames: ['x'],
        rules: [{ ...rules[0], name: 'main', timeouts: { request: '1s' } }, { backendRefs: [] }],
      },
    } as KubeObject;
    const [plan] = planRoutes(v1, context, [live], 'keep');
    expect(plan?.object['spec']).toEqual({ ...(fresh?.['spec'] as object), rules: [{ ...rules[0], name: 'main' }] });
  });

  it('needs a gateway', () => {
    expect(() => specOf(aSpec())).toThrow('GatewayRefs must be specified when using Gateway API as a provider.');
  });

  it('has trouble until its own gateway has accepted the newest generation', () => {
    const context = aRouteContext(withRaw({}));
    const route = (conditions: unknown[] | undefined, parent: object = gatewayRefs[0] ?? {}): KubeObject => ({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'shop', namespace: 'prod', generation: 3 },
      ...(conditions ? { status: { parents: [{ parentRef: parent, conditions }] } } : {}),
    });
    const trouble = (object: KubeObject | undefined): string | undefined => v1.trouble?.(context, [object]);
    expect(trouble(undefined)).toBeUndefined();
    expect(trouble(route(undefined))).toBeUndefined();
    expect(trouble(route([{ type: 'Accepted', status: 'True', observedGeneration: 3 }]))).toBeUndefined();
    expect(trouble(route([{ type: 'Accepted', status: 'True', observedGeneration: 2 }]))).toBe(
      'HTTPRoute shop.prod is not yet taken over by Gateway gw',
    );
    const refused = [
      { type: 'Accepted', status: 'False', reason: 'NoMatchingParent', message: 'no listener', observedGeneration: 3 },
    ];
    expect(trouble(route(refused))).toBe(
      'HTTPRoute shop.prod is not accepted by Gateway gw: NoMatchingParent no listener',
    );
    expect(trouble(route(refused, { name: 'other' }))).toBeUndefined();
  });
});
