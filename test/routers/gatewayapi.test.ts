import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { gatewayapi } from '../../src/routers/gatewayapi.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const v1 = gatewayapi('v1');
const gatewayRefs = [{ name: 'gw', namespace: 'infra' }];
const backend = (name: string, weight: number) => ({ group: '', kind: 'Service', name, port: 80, weight });
const withRaw = (raw: Record<string, unknown>, more: Parameters<typeof aSpec>[0] = {}): CanarySpec =>
  aSpec({ ...more, service: { raw: { gatewayRefs, ...raw } } });
const affinity = {
  cookieName: 'sid-c',
  maxAgeSeconds: 86_400,
  httpOnly: false,
  secure: false,
  partitioned: false,
};
const rulesOf = (object: KubeObject | undefined) => listOf(jsonOf(object?.['spec'])['rules']);
const sets = (value: string) => ({
  type: 'ResponseHeaderModifier',
  responseHeaderModifier: { add: [{ name: 'Set-Cookie', value }] },
});
const abTesting = (match: readonly unknown[]): Parameters<typeof aSpec>[0] => ({
  analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } },
});

function specOf(spec: CanarySpec, canaryWeight = 0, mirror = false, router = v1) {
  const [route] = router.render(aRouteContext(spec), { canaryWeight, mirror }, [undefined]);
  return route?.['spec'] as { parentRefs: unknown; hostnames?: unknown; rules: Record<string, unknown>[] };
}

describe('gatewayapi', () => {
  it('renders the initial route [MG01]', () => {
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

  it('leaves timeouts and CORS out of v1beta1 [MG10] [MG14]', () => {
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

  it('renders filters in their order and mirrors last [MG07] [MG08]', () => {
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

  it('keeps annotations of others [MG01] [MG10]', () => {
    const context = aRouteContext(withRaw({}));
    for (const router of [v1, gatewayapi('v1beta1')]) {
      const [fresh] = router.render(context, { canaryWeight: 0, mirror: false }, [undefined]);
      const annotations = { ...fresh?.metadata.annotations, 'gateway.example.org/seen': 'yes' };
      const live = { ...fresh, metadata: { ...fresh?.metadata, annotations } } as KubeObject;
      const [moved] = planRoutes(router, context, [live], { canaryWeight: 10, mirror: false });
      expect(moved?.object.metadata.annotations).toEqual(annotations);
    }
  });

  it.each([
    ['v1', '[MG02]'],
    ['v1beta1', '[MG11]'],
  ] as const)('moves users by weight with %s %s', (version, _ids) => {
    const router = gatewayapi(version);
    const context = aRouteContext(withRaw({}));
    const [rule] = specOf(withRaw({}), 50, false, router).rules;
    expect(rule?.['backendRefs']).toEqual([backend('shop-primary', 50), backend('shop-canary', 50)]);
    const live = router.render(context, { canaryWeight: 50, mirror: false }, [undefined]);
    expect(router.read(context, live)).toEqual({ canaryWeight: 50, mirror: false });
    expect(router.read(context, [undefined])).toBeUndefined();
  });

  it.each([
    ['v1', '[MG04]'],
    ['v1beta1', '[MG13]'],
  ] as const)('keeps a running mirror of %s, and takes it away when it is over %s', (version, _ids) => {
    const router = gatewayapi(version);
    const context = aRouteContext(withRaw({}, { analysis: { strategy: { kind: 'blue-green', iterations: 3 } } }));
    const mirrored = router.render(context, { canaryWeight: 0, mirror: true }, [undefined]);
    expect(router.read(context, mirrored)).toEqual({ canaryWeight: 0, mirror: true });
    expect(planRoutes(router, context, mirrored, 'keep')).toEqual([]);
    const [plan] = planRoutes(router, context, mirrored, { canaryWeight: 100, mirror: false });
    expect(JSON.stringify(plan?.object)).not.toContain('RequestMirror');
  });

  it.each([
    ['v1', '[MG03] [MG05]'],
    ['v1beta1', '[MG12] [MG15]'],
  ] as const)('keeps users of the canary there with %s, and takes the cookie back %s', (version, _ids) => {
    const router = gatewayapi(version);
    const match = [{ uri: { prefix: '/shop' }, headers: { tenant: { exact: 'a' } } }];
    const context = aRouteContext(withRaw({ match }, { analysis: { sessionAffinity: affinity } }));
    const path = { type: 'PathPrefix', value: '/shop' };
    const tenant = { type: 'Exact', name: 'tenant', value: 'a' };
    const Cookie = { type: 'RegularExpression', name: 'Cookie', value: '.*sid-c.*AbCdEfGhIj.*' };
    const away = { ...context, cookies: { current: 'sid-c=AbCdEfGhIj' } };
    const live = router.render(away, { canaryWeight: 20, mirror: false }, [undefined]);
    expect(rulesOf(live[0])).toEqual([
      {
        matches: [{ path, headers: [tenant, Cookie] }],
        backendRefs: [backend('shop-primary', 0), backend('shop-canary', 100)],
      },
      {
        matches: [{ path, headers: [tenant] }],
        backendRefs: [
          backend('shop-primary', 80),
          { ...backend('shop-canary', 20), filters: [sets('sid-c=AbCdEfGhIj; Max-Age=86400')] },
        ],
      },
    ]);
    expect(router.read(away, live)).toEqual({ canaryWeight: 20, mirror: false });
    expect(planRoutes(router, away, live, 'keep')).toEqual([]);
    const home = { ...context, cookies: { previous: 'sid-c=AbCdEfGhIj' } };
    const [plan] = planRoutes(router, home, live, { canaryWeight: 0, mirror: false });
    const back = [backend('shop-primary', 100), backend('shop-canary', 0)];
    expect(rulesOf(plan?.object)).toEqual([
      {
        matches: [{ path, headers: [tenant, Cookie] }],
        filters: [sets('sid-c=AbCdEfGhIj; Max-Age=-1')],
        backendRefs: back,
      },
      { matches: [{ path, headers: [tenant] }], backendRefs: back },
    ]);
  });

  it('keeps users of the primary too, and adds to the headers of the service [MG06]', () => {
    const sessionAffinity = { ...affinity, primaryCookieName: 'sid-p' };
    const headers = { response: { add: { a: 'b' } } };
    const context = aRouteContext(withRaw({ headers }, { analysis: { sessionAffinity, intervalMs: 30_000 } }));
    const cookies = { current: 'sid-c=AbCdEfGhIj', primary: 'sid-p=KlMnOpQrSt' };
    const [route] = v1.render({ ...context, cookies }, { canaryWeight: 20, mirror: false }, [undefined]);
    const rules = rulesOf(route);
    expect(rules.map(({ backendRefs }) => (backendRefs as { weight: number }[]).map(({ weight }) => weight))).toEqual([
      [0, 100],
      [100, 0],
      [80, 20],
    ]);
    expect(rules[2]?.['backendRefs']).toMatchObject([
      { filters: [sets('sid-p=KlMnOpQrSt; Max-Age=30')] },
      { filters: [sets('sid-c=AbCdEfGhIj; Max-Age=86400')] },
    ]);
    // One filter of a kind is all that a rule may have.
    const home = { ...context, cookies: { previous: 'sid-c=AbCdEfGhIj' } };
    const [object] = v1.render(home, { canaryWeight: 0, mirror: false }, [undefined]);
    const [forget] = rulesOf(object);
    expect(forget?.['filters']).toEqual([
      {
        type: 'ResponseHeaderModifier',
        responseHeaderModifier: {
          add: [
            { name: 'Set-Cookie', value: 'sid-c=AbCdEfGhIj; Max-Age=-1' },
            { name: 'a', value: 'b' },
          ],
        },
      },
    ]);
  });

  it('has a rule for each match where a prefix is rewritten, which is all that Gateway API allows', () => {
    const match = [{ uri: { prefix: '/a' } }, { uri: { prefix: '/b' } }];
    const rewrite = { uri: '/', type: 'ReplacePrefixMatch' };
    const users = [{ headers: { x: { exact: '1' } } }, { headers: { y: { exact: '1' } } }];
    const spec = withRaw({ match, rewrite }, abTesting(users));
    const context = aRouteContext(spec);
    const live = v1.render(context, { canaryWeight: 100, mirror: false }, [undefined]);
    expect(rulesOf(live[0]).map(({ matches }) => listOf(matches).length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(v1.read(context, live)).toEqual({ canaryWeight: 100, mirror: false });
    expect(planRoutes(v1, context, live, 'keep')).toEqual([]);
    expect(specOf(withRaw({ match, rewrite: { uri: '/' } })).rules).toHaveLength(1);
  });

  it('takes the origins of CORS in both spellings', () => {
    const corsPolicy = { allowOrigins: [{ exact: 'https://a.example' }, { regex: 'https://.*' }] };
    expect(specOf(withRaw({ corsPolicy })).rules[0]?.['filters']).toEqual([
      { type: 'CORS', cors: { allowOrigins: ['https://a.example'], maxAge: 5 } },
    ]);
  });

  it('needs a gateway', () => {
    expect(() => specOf(aSpec())).toThrow('GatewayRefs must be specified when using Gateway API as a provider.');
  });

  it('has trouble until its own gateway has accepted the newest generation [MG09]', () => {
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

describe('users whom Gateway API keeps where they were', () => {
  const kept = { sessionPersistence: { sessionName: 'shop', type: 'Cookie' } };
  const backendsOf = (object: KubeObject | undefined): unknown[] =>
    rulesOf(object).map((rule) =>
      listOf(rule['backendRefs']).map(({ name, weight }) => `${String(name)} ${String(weight)}`),
    );
  const withKept = (object: KubeObject | undefined): KubeObject =>
    ({
      ...object,
      spec: { ...jsonOf(object?.['spec']), rules: rulesOf(object).map((rule) => ({ ...rule, ...kept })) },
    }) as KubeObject;
  const planned = (spec: CanarySpec, live: KubeObject, canaryWeight: number): KubeObject =>
    planRoutes(v1, aRouteContext(spec), [live], { canaryWeight, mirror: false })[0]?.object ?? live;
  const all = { canaryWeight: 0, mirror: false };

  it('leave the canary with its backend, because a weight of 0 would not send them away, and come back by a new step', () => {
    const spec = withRaw({});
    const context = aRouteContext(spec);
    const [made] = v1.render(context, { canaryWeight: 30, mirror: false }, [undefined]);
    const sticky = withKept(made);
    expect(planRoutes(v1, context, [sticky], 'keep')).toEqual([]);
    const home = planned(spec, sticky, 0);
    expect(backendsOf(home)).toEqual([['shop-primary 100']]);
    expect(rulesOf(home)[0]).toMatchObject(kept);
    expect(v1.read(context, [home])).toEqual(all);
    expect(planRoutes(v1, context, [home], 'keep')).toEqual([]);
    expect(v1.home?.(context, [sticky]).map(backendsOf)).toEqual([[['shop-primary 100']]]);
    const again = planned(spec, home, 20);
    expect(backendsOf(again)).toEqual([['shop-primary 80', 'shop-canary 20']]);
    expect(rulesOf(again)[0]).toMatchObject(kept);
    expect(backendsOf(planned(spec, again, 100))).toEqual([['shop-primary 0', 'shop-canary 100']]);
  });

  it('leave it likewise where only some users are under test', () => {
    const spec = withRaw({}, abTesting([{ headers: { 'x-beta': { exact: '1' } } }]));
    const context = aRouteContext(spec);
    const [made] = v1.render(context, { canaryWeight: 100, mirror: false }, [undefined]);
    const home = planned(spec, withKept(made), 0);
    expect(backendsOf(home)).toEqual([['shop-primary 100'], ['shop-primary 100']]);
    expect(v1.read(context, [home])).toEqual(all);
    const again = planned(spec, home, 100);
    expect(backendsOf(again)).toEqual([['shop-primary 0', 'shop-canary 100'], ['shop-primary 100']]);
    expect(rulesOf(again).every((rule) => rule['sessionPersistence'] !== undefined)).toBe(true);
  });

  it('keep the backend of a canary without weight where nobody keeps them', () => {
    const spec = withRaw({});
    const [made] = v1.render(aRouteContext(spec), all, [undefined]);
    expect(backendsOf(made)).toEqual([['shop-primary 100', 'shop-canary 0']]);
    const none = {
      ...made,
      spec: { ...jsonOf(made?.['spec']), rules: rulesOf(made).map((rule) => ({ ...rule, sessionPersistence: null })) },
    };
    expect(backendsOf(planned(spec, none as KubeObject, 0))).toEqual([['shop-primary 100', 'shop-canary 0']]);
  });
});

describe('what Gateway API 1.7 has beside what a Canary says', () => {
  it('stays in the rules, their backends and the route at every step', () => {
    const spec = withRaw({ hosts: ['a.example'] });
    const context = aRouteContext(spec);
    const more = { name: 'main', retry: { codes: [503], attempts: 2 } };
    const [made] = v1.render(context, { canaryWeight: 10, mirror: false }, [undefined]);
    const live = {
      ...made,
      spec: {
        ...jsonOf(made?.['spec']),
        useDefaultGateways: 'All',
        rules: rulesOf(made).map((rule) => ({
          ...rule,
          ...more,
          backendRefs: listOf(rule['backendRefs']).map((ref) => ({ ...ref, namespace: 'prod' })),
        })),
      },
    } as KubeObject;
    expect(planRoutes(v1, context, [live], 'keep')).toEqual([]);
    for (const canaryWeight of [0, 40, 100]) {
      const [plan] = planRoutes(v1, context, [live], { canaryWeight, mirror: false });
      expect(plan?.object['spec']).toMatchObject({ useDefaultGateways: 'All', rules: [more] });
      expect(JSON.stringify(plan?.object)).toContain('"namespace":"prod"');
    }
  });

  it('hangs a route on several parents, each as it is named', () => {
    const refs = [
      { name: 'public', namespace: 'infra', sectionName: 'https', port: 443 },
      { group: 'core', kind: 'Service', name: 'shop', port: 80 },
    ];
    expect(specOf(withRaw({ gatewayRefs: refs })).parentRefs).toEqual([
      { group: 'gateway.networking.k8s.io', kind: 'Gateway', ...refs[0] },
      refs[1],
    ]);
  });
});
