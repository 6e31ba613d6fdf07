import { describe, expect, it } from 'vitest';
import type { AnalysisSpec, CanarySpec, SessionCookies } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { istio } from '../../src/routers/istio.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes, strategyProblem, supportedSpec } from '../../src/routers/reconcile.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

type Raw = Readonly<Record<string, unknown>>;

const raw: Raw = { hosts: ['shop.example.com'], gateways: ['edge/public'] };
const withRaw = (more: Raw = {}, analysis: Partial<AnalysisSpec> = {}, service: Partial<CanarySpec['service']> = {}) =>
  aSpec({ provider: 'istio', analysis, service: { raw: { ...raw, ...more }, ...service } });
const nothing = [undefined, undefined, undefined];
const to = (host: string, weight: number, port?: number) => ({
  destination: { host, ...(port === undefined ? {} : { port: { number: port } }) },
  weight,
});
const both = (primary: number, canary: number) => [to('shop-primary', primary), to('shop-canary', canary)];

function virtualService(spec: CanarySpec, canaryWeight = 0, mirror = false, cookies?: SessionCookies): Raw {
  const context = { ...aRouteContext(spec), ...(cookies ? { cookies } : {}) };
  return jsonOf(istio.render(context, { canaryWeight, mirror }, nothing)[2]?.['spec']);
}
const rulesOf = (...input: Parameters<typeof virtualService>) => listOf(virtualService(...input)['http']);
const objectOf = (spec: Raw): KubeObject => ({
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'VirtualService',
  metadata: { name: 'shop', namespace: 'prod' },
  spec,
});

describe('istio', () => {
  it('makes one rule with two destinations, and repairs hosts and gateways without moving anybody [MI02]', () => {
    const spec = withRaw();
    expect(virtualService(spec, 30)).toEqual({
      hosts: ['shop.example.com', 'shop'],
      gateways: ['edge/public'],
      http: [{ route: both(70, 30) }],
    });
    const context = aRouteContext(spec);
    const live = istio.render(context, { canaryWeight: 30, mirror: false }, nothing);
    const [canaryRule, primaryRule, route] = live;
    const broken = { ...route, spec: { ...jsonOf(route?.['spec']), hosts: ['x'], gateways: ['y'] } } as KubeObject;
    const plan = planRoutes(istio, context, [canaryRule, primaryRule, broken], 'keep');
    expect(plan.map(({ object }) => object)).toEqual([route]);
    const edited = aRouteContext(withRaw({ hosts: ['new.example.com'], gateways: ['edge/new'] }));
    const [update] = planRoutes(istio, edited, live, 'keep');
    expect(update?.object['spec']).toEqual({
      hosts: ['new.example.com', 'shop'],
      gateways: ['edge/new'],
      http: [{ route: both(70, 30) }],
    });
  });

  it.each([
    [{ hosts: undefined, gateways: undefined }, ['shop'], ['mesh']],
    [{ hosts: ['*'], gateways: ['edge/public', 'mesh'] }, ['*'], ['edge/public', 'mesh']],
    [{ hosts: ['shop', 'a.example'], gateways: [] }, ['shop', 'a.example'], ['mesh']],
  ])('is reached as %j says', (change, hosts, gateways) => {
    expect(virtualService(withRaw(change))).toMatchObject({ hosts, gateways });
  });

  it('splits by weight, without a mirror [MI03]', () => {
    expect(rulesOf(withRaw(), 60)).toEqual([{ route: both(40, 60) }]);
  });

  it('copies requests to the canary, a part of them where the Canary says so [MI05]', () => {
    const [all] = rulesOf(withRaw(), 0, true);
    expect(all).toEqual({ mirror: { host: 'shop-canary' }, route: both(100, 0) });
    const [part] = rulesOf(withRaw({}, { mirrorWeight: 25 }), 0, true);
    expect(part).toMatchObject({ mirror: { host: 'shop-canary' }, mirrorPercentage: { value: 25 } });
  });

  it('reads weights and mirror, and nothing where nobody is routed [MI08]', () => {
    const context = aRouteContext(withRaw());
    const read = (...http: unknown[]) => istio.read(context, [undefined, undefined, objectOf({ http })]);
    expect(read({ route: both(100, 0) })).toEqual({ canaryWeight: 0, mirror: false });
    expect(read({ route: both(100, 0), mirror: { host: 'shop-canary' } })).toEqual({ canaryWeight: 0, mirror: true });
    expect(read({ route: both(100, 0), mirror: { host: 'audit' } })).toEqual({ canaryWeight: 0, mirror: false });
    expect(read({ route: both(0, 0) })).toBeUndefined();
    expect(read({ route: [{ destination: { host: 'shop-canary' } }] })).toEqual({ canaryWeight: 100, mirror: false });
    expect(read({ route: [{ destination: { host: 'shop' } }] })).toBeUndefined();
    expect(istio.read(context, nothing)).toBeUndefined();
  });

  it('takes headers, timeouts, retries, rewrites and CORS as they are written [MI09] [MI10]', () => {
    const common = {
      headers: {
        request: { add: { 'x-envoy-upstream-rq-timeout-ms': '15000' }, remove: ['x'] },
        response: { set: {} },
      },
      timeout: '10s',
      retries: { attempts: 3, perTryTimeout: '1s', retryOn: 'gateway-error' },
      corsPolicy: { allowOrigin: ['example.com'], allowMethods: ['GET'], allowCredentials: false, maxAge: '24h' },
    };
    const rewrite = { uri: '/', authority: 'inner', type: 'ReplacePrefixMatch' };
    const [rule] = rulesOf(withRaw({ ...common, rewrite }), 10);
    expect(rule).toEqual({ ...common, rewrite: { uri: '/', authority: 'inner' }, route: both(90, 10) });
  });

  const users = [{ headers: { 'x-beta': { exact: '1' } } }, { sourceLabels: { team: 'qa' } }];
  const testing = (match: readonly unknown[]): Partial<AnalysisSpec> => ({
    strategy: { kind: 'ab-testing', iterations: 3, match },
  });

  it('sends users under test to the canary, and all others to the primary [MI11]', () => {
    const spec = withRaw({}, testing(users));
    expect(rulesOf(spec, 0)).toEqual([{ match: users, route: both(100, 0) }, { route: [to('shop-primary', 100)] }]);
    // A single destination gets everything; the weight is Flagger's.
    expect(rulesOf(spec, 100)).toEqual([{ match: users, route: both(0, 100) }, { route: [to('shop-primary', 0)] }]);
    const live = objectOf(virtualService(spec, 100));
    expect(istio.read(aRouteContext(spec), [undefined, undefined, live])).toEqual({ canaryWeight: 100, mirror: false });
  });

  it('lets users under test in where the service is, with all that both matches say [MI16]', () => {
    const match = [
      { name: 'm', uri: { prefix: '/shop' }, method: { exact: 'GET' }, headers: { tenant: { exact: 'a' } } },
    ];
    const [test, others] = rulesOf(withRaw({ match }, testing(users)), 100);
    expect(test?.['match']).toEqual([
      { ...match[0], headers: { tenant: { exact: 'a' }, 'x-beta': { exact: '1' } } },
      { ...match[0], sourceLabels: { team: 'qa' } },
    ]);
    expect(others?.['match']).toEqual(match);
  });

  it.each([[[]], [[{}]], [[{ headers: { x: { exact: '1' } } }, {}]]])('refuses a test of everybody: %j', (match) => {
    expect(() => rulesOf(withRaw({}, testing(match)), 100)).toThrow(
      'spec.analysis.match: Istio needs headers, queryParams or sourceLabels',
    );
  });

  it('says suffixes as patterns, which Istio knows', () => {
    const [test] = rulesOf(withRaw({}, testing([{ headers: { 'user-agent': { suffix: '(beta)' } } }])), 100);
    expect(test?.['match']).toEqual([{ headers: { 'user-agent': { regex: '.*\\(beta\\)' } } }]);
  });

  it('names the port where a gateway could not tell which of several is meant [MI12]', () => {
    const found = (change: Raw, portDiscovery = true) =>
      rulesOf(withRaw(change, {}, { raw: { ...raw, ...change }, portDiscovery }))[0]?.['route'];
    const ported = [to('shop-primary', 100, 80), to('shop-canary', 0, 80)];
    expect(found({})).toEqual(ported);
    expect(found({ delegation: true, hosts: [], gateways: [] })).toEqual(ported);
    expect(found({}, false)).toEqual(both(100, 0));
    expect(found({ gateways: ['mesh', 'edge/public'] })).toEqual(both(100, 0));
    expect(found({ gateways: [] })).toEqual(both(100, 0));
  });

  // Istio's gateway takes the port of its own listener for a destination that names none of several.
  it.each([
    ['of its own', {}],
    ['of the VirtualService that delegates', { delegation: true, hosts: [], gateways: [] }],
  ])('copies requests to the port that the rules name, behind a gateway %s', (_gateway, change) => {
    const mirrors = (analysis: Partial<AnalysisSpec>, portDiscovery: boolean, cookies?: SessionCookies) =>
      rulesOf(withRaw(change, analysis, { raw: { ...raw, ...change }, portDiscovery }), 0, true, cookies).map(
        ({ mirror }) => mirror,
      );
    const ported = { host: 'shop-canary', port: { number: 80 } };
    expect(mirrors({}, true)).toEqual([ported]);
    expect(mirrors({ mirrorWeight: 25 }, true)).toEqual([ported]);
    expect(mirrors(testing(users), true)).toEqual([ported, undefined]);
    expect(mirrors({ sessionAffinity: affinity }, true, { previous: 'sid-c=AbCdEfGhIj' })).toEqual([ported, ported]);
    expect(mirrors({}, false)).toEqual([{ host: 'shop-canary' }]);
  });

  it('leaves hosts and gateways to the VirtualService that delegates to it [MI13]', () => {
    const spec = withRaw({ delegation: true, hosts: [], gateways: undefined });
    expect(virtualService(spec, 20)).toEqual({ hosts: [], http: [{ route: both(80, 20) }] });
  });

  it.each([
    { hosts: ['a.example'], gateways: [] },
    { hosts: [], gateways: ['edge/public'] },
  ])('refuses delegation beside %j [MI14]', (change) => {
    expect(() => virtualService(withRaw({ delegation: true, ...change }))).toThrow(
      'VirtualService hosts and gateways must be empty',
    );
  });

  it('splits connections where the protocol is TCP [MI17] [MI18]', () => {
    const match = [{ port: 7000 }, { uri: { prefix: '/ignored' } }];
    const spec = withRaw({ match }, { mirror: true }, { raw: { ...raw, match }, appProtocol: 'TCP' });
    const context = aRouteContext(spec);
    expect(virtualService(spec, 40, true)).toEqual({
      hosts: ['shop.example.com', 'shop'],
      gateways: ['edge/public'],
      tcp: [{ match: [{ port: 7000 }], route: both(60, 40) }],
    });
    const read = (route: unknown) => istio.read(context, [undefined, undefined, objectOf({ tcp: [{ route }] })]);
    expect(read(both(60, 40))).toEqual({ canaryWeight: 40, mirror: false });
    expect(read(both(0, 0))).toBeUndefined();
  });

  it('cannot look into TCP: no mirror is waited for, no users are told apart [R13]', () => {
    const tcp = { raw, appProtocol: 'tcp' };
    expect(supportedSpec(istio, withRaw({}, { mirror: true }, tcp)).analysis.mirror).toBe(false);
    expect(supportedSpec(istio, withRaw({}, { mirror: true })).analysis.mirror).toBe(true);
    expect(strategyProblem(istio, withRaw({}, testing(users), tcp))).toContain('cannot tell users apart');
    expect(strategyProblem(istio, withRaw({}, { sessionAffinity: affinity }, tcp))).toContain('for TCP');
    expect(strategyProblem(istio, withRaw({}, { sessionAffinity: affinity }))).toBeUndefined();
  });

  it('gives both DestinationRules the traffic policy of the Canary, and takes it away again', () => {
    const trafficPolicy = { loadBalancer: { simple: 'LEAST_REQUEST' }, tls: { mode: 'ISTIO_MUTUAL' } };
    const context = aRouteContext(withRaw({ trafficPolicy }));
    const live = istio.render(context, { canaryWeight: 10, mirror: false }, nothing);
    expect(live.slice(0, 2).map((rule) => rule['spec'])).toEqual([
      { host: 'shop-canary', trafficPolicy },
      { host: 'shop-primary', trafficPolicy },
    ]);
    const plan = planRoutes(istio, aRouteContext(withRaw()), live, 'keep');
    expect(plan.map(({ object }) => object['spec'])).toEqual([{ host: 'shop-canary' }, { host: 'shop-primary' }]);
  });

  it('takes over a VirtualService of an older Istio, and keeps what its own rules are not about [MI01]', () => {
    const http = [{ websocketUpgrade: true, appendHeaders: { x: '1' }, route: [{ destination: { host: 'shop' } }] }];
    const live = objectOf({ exportTo: ['.'], hosts: ['a'], gateways: ['b'], http });
    const context = aRouteContext(withRaw());
    const plan = planRoutes(istio, context, [undefined, undefined, live], 'keep');
    expect(plan.at(-1)?.object['spec']).toEqual({ exportTo: ['.'], ...virtualService(withRaw()) });
  });
});

const affinity = {
  cookieName: 'sid-c',
  maxAgeSeconds: 600,
  httpOnly: false,
  secure: false,
  partitioned: false,
};
const carrying = (pattern: string) => [{ headers: { Cookie: { regex: pattern } } }];

describe('istio with session affinity', () => {
  const spec = withRaw({}, { sessionAffinity: affinity });
  const current = 'sid-c=AbCdEfGhIj';

  it('keeps users of the canary there, by a cookie that it gives them [MI04] [MI06]', () => {
    const gives = { headers: { response: { add: { 'Set-Cookie': `${current}; Max-Age=600` } } } };
    const rules = rulesOf(spec, 20, false, { current });
    expect(rules).toEqual([
      { match: carrying('.*sid-c.*AbCdEfGhIj.*'), route: both(0, 100) },
      { route: [to('shop-primary', 80), { ...to('shop-canary', 20), ...gives }] },
    ]);
    const context = { ...aRouteContext(spec), cookies: { current } };
    const live = istio.render(context, { canaryWeight: 20, mirror: false }, nothing);
    expect(istio.read(context, live)).toEqual({ canaryWeight: 20, mirror: false });
    expect(planRoutes(istio, context, live, 'keep')).toEqual([]);
  });

  it('keeps users of the primary there for one interval, where it has a cookie too [MI07]', () => {
    const analysis = { intervalMs: 30_000, sessionAffinity: { ...affinity, primaryCookieName: 'sid-p' } };
    const rules = rulesOf(withRaw({}, analysis), 20, false, { current, primary: 'sid-p=KlMnOpQrSt' });
    expect(rules.map(({ match }) => match)).toEqual([
      carrying('.*sid-c.*AbCdEfGhIj.*'),
      carrying('.*sid-p.*KlMnOpQrSt.*'),
      undefined,
    ]);
    expect(rules[1]?.['route']).toEqual(both(100, 0));
    const given = listOf(rules[2]?.['route']).map(({ headers }) => headers);
    expect(given).toEqual([
      { response: { add: { 'Set-Cookie': 'sid-p=KlMnOpQrSt; Max-Age=30' } } },
      { response: { add: { 'Set-Cookie': 'sid-c=AbCdEfGhIj; Max-Age=600' } } },
    ]);
  });

  it('takes the cookie back from those who carry it when all are home [MI04]', () => {
    const headers = { response: { add: { a: 'b' } } };
    const rules = rulesOf(withRaw({ headers }, { sessionAffinity: affinity }), 0, false, { previous: current });
    const takesBack = { response: { add: { a: 'b', 'Set-Cookie': `${current}; Max-Age=-1` } } };
    expect(rules).toEqual([
      { match: carrying('.*sid-c.*AbCdEfGhIj.*'), headers: takesBack, route: both(100, 0) },
      { headers, route: both(100, 0) },
    ]);
    expect(rulesOf(spec, 0, false, {})).toEqual([{ route: both(100, 0) }]);
  });

  it('writes all attributes of the cookie in one order [MI04]', () => {
    const sessionAffinity = {
      ...affinity,
      domain: 'example.com',
      path: '/shop',
      sameSite: 'None',
      httpOnly: true,
      secure: true,
      partitioned: true,
    };
    const rules = rulesOf(withRaw({}, { sessionAffinity }), 20, false, { current });
    expect(JSON.stringify(rules[1])).toContain(
      `"${current}; Max-Age=600; Domain=example.com; HttpOnly; Partitioned; Path=/shop; SameSite=None; Secure"`,
    );
  });

  it('keeps users only where the service is, and mirrors for all of them', () => {
    const match = [{ uri: { prefix: '/a' }, headers: { tenant: { exact: 'x' } } }, { uri: { prefix: '/b' } }];
    const narrow = withRaw({ match }, { sessionAffinity: affinity });
    const Cookie = { regex: '.*sid-c.*AbCdEfGhIj.*' };
    expect(rulesOf(narrow, 20, false, { current })[0]?.['match']).toEqual([
      { uri: { prefix: '/a' }, headers: { tenant: { exact: 'x' }, Cookie } },
      { uri: { prefix: '/b' }, headers: { Cookie } },
    ]);
    const mirrors = rulesOf(narrow, 0, true, { previous: current }).map(({ mirror }) => mirror);
    expect(mirrors).toEqual([{ host: 'shop-canary' }, { host: 'shop-canary' }]);
  });

  it('takes special characters of cookie names for what they are', () => {
    const sessionAffinity = { ...affinity, cookieName: 'a.b*c' };
    const [sticky] = rulesOf(withRaw({}, { sessionAffinity }), 20, false, { current: 'a.b*c=AbCdEfGhIj' });
    expect(sticky?.['match']).toEqual(carrying('.*a\\.b\\*c.*AbCdEfGhIj.*'));
  });
});
