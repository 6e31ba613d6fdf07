import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes, strategyProblem } from '../../src/routers/reconcile.ts';
import { traefik } from '../../src/routers/traefik.ts';
import { parseTraefikRule } from '../../src/sandbox/traffic/traefik-rule.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

type Raw = Readonly<Record<string, unknown>>;

const ingressRef = { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', namespace: 'prod', name: 'web' };
const toApp = { kind: 'TraefikService', name: 'shop' };
const main = {
  kind: 'Rule',
  match: 'Host(`shop.example.com`)',
  middlewares: [{ name: 'compress' }],
  services: [toApp],
};
const api = {
  kind: 'Rule',
  match: 'Host(`shop.example.com`) && PathPrefix(`/api`)',
  services: [{ name: 'api', port: 80 }],
};
const source = (...routes: unknown[]): KubeObject => ({
  apiVersion: 'traefik.io/v1alpha1',
  kind: 'IngressRoute',
  metadata: { name: 'web', namespace: 'prod', annotations: { 'kubernetes.io/ingress.class': 'edge', other: 'x' } },
  spec: { entryPoints: ['websecure'], routes, tls: { secretName: 'cert' } },
});
const testing = (match: readonly unknown[], more: Partial<CanarySpec> = {}): CanarySpec =>
  aSpec({ ingressRef, ...more, analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } } });
const insiders = testing([{ headers: { 'x-canary': { exact: 'insider' } } }]);

function routesFor(spec: CanarySpec, share: number, from = source(main, api)): readonly Raw[] {
  const objects = traefik.render(aRouteContext(spec), { canaryWeight: share, mirror: false }, [
    undefined,
    from,
    undefined,
  ]);
  return listOf(jsonOf(objects[1]?.['spec'])['routes']);
}

/** Whom a rule lets in, by the rules of Traefik. */
function lets(rule: unknown, headers: Record<string, string>, query = ''): boolean | undefined {
  const request = { host: 'shop.example.com', path: '/', method: 'GET', headers, query: new URLSearchParams(query) };
  return parseTraefikRule(String(rule))?.(request);
}

describe('traefik, with users told apart', () => {
  it('copies the routes that lead to the app, and only those, one step above the original', () => {
    const [copy, ...others] = routesFor(insiders, 100);
    expect(others).toEqual([]);
    expect(copy).toEqual({
      kind: 'Rule',
      match: '(Host(`shop.example.com`)) && (Header(`x-canary`, `insider`))',
      // Traefik takes the length of a rule: the copy must not come before the longer rule of another service.
      priority: main.match.length + 1,
      middlewares: [{ name: 'compress' }],
      services: [{ name: 'shop-canary', namespace: 'prod', port: 80, weight: 100 }],
    });
    expect(main.match.length + 1).toBeLessThan(api.match.length);
    expect(routesFor(insiders, 100, source({ ...main, priority: 50 }))[0]?.['priority']).toBe(51);
  });

  it('keeps entry points, certificates and class of the original', () => {
    const [, object] = traefik.render(aRouteContext(insiders), { canaryWeight: 100, mirror: false }, [
      undefined,
      source(main),
      undefined,
    ]);
    expect(object?.metadata.name).toBe('web-canary');
    expect(object?.metadata.annotations).toMatchObject({ 'kubernetes.io/ingress.class': 'edge' });
    expect(object?.metadata.annotations).not.toHaveProperty('other');
    expect(object?.['spec']).toMatchObject({ entryPoints: ['websecure'], tls: { secretName: 'cert' } });
  });

  it('leaves everybody else with the primary, whatever the share of the users under test', () => {
    for (const canaryWeight of [0, 40, 100]) {
      const [service] = traefik.render(aRouteContext(insiders), { canaryWeight, mirror: false }, [
        undefined,
        source(main),
        undefined,
      ]);
      expect(service?.['spec']).toEqual({
        weighted: { services: [{ name: 'shop-primary', namespace: 'prod', port: 80, weight: 100 }] },
      });
    }
    expect(routesFor(insiders, 40)[0]?.['services']).toEqual([
      { name: 'shop-primary', namespace: 'prod', port: 80, weight: 60 },
      { name: 'shop-canary', namespace: 'prod', port: 80, weight: 40 },
    ]);
  });

  it('is empty at rest, and has no effect on releases by weight', () => {
    expect(routesFor(insiders, 0)).toEqual([]);
    const byWeight = aRouteContext(aSpec({ ingressRef }));
    const live = traefik.render(aRouteContext(insiders), { canaryWeight: 100, mirror: false }, [
      undefined,
      source(main),
      undefined,
    ]);
    expect(
      traefik.render(byWeight, { canaryWeight: 20, mirror: false }, [undefined, source(main), undefined]),
    ).toHaveLength(1);
    // The strategy changed under way: nobody stays on the canary by a route that is left over.
    const plan = planRoutes(traefik, byWeight, [live[0], source(main), live[1]], 'keep');
    expect(plan.map(({ object }) => jsonOf(object['spec'])['routes'])).toEqual([[]]);
  });

  it('follows changes of the original at any share', () => {
    const context = aRouteContext(insiders);
    const live = traefik.render(context, { canaryWeight: 100, mirror: false }, [undefined, source(main), undefined]);
    const changed = source({ ...main, match: 'Host(`new.example.com`)' }, main);
    const [plan, ...others] = planRoutes(traefik, context, [live[0], changed, live[1]], 'keep');
    expect(others).toEqual([]);
    expect(listOf(jsonOf(plan?.object['spec'])['routes'])).toHaveLength(2);
    expect(traefik.read(context, [live[0], changed, plan?.object])).toEqual({ canaryWeight: 100, mirror: false });
  });

  it('takes users home even when the original is gone, but sends nobody away then', () => {
    const context = aRouteContext(insiders);
    const live = traefik.render(context, { canaryWeight: 100, mirror: false }, [undefined, source(main), undefined]);
    const gone = [live[0], undefined, live[1]];
    const [plan] = planRoutes(traefik, context, gone, { canaryWeight: 0, mirror: false });
    expect(jsonOf(plan?.object['spec'])['routes']).toEqual([]);
    expect(() => planRoutes(traefik, context, gone, 'keep')).toThrow(
      'IngressRoute web.prod, named by spec.ingressRef, does not exist',
    );
  });

  it.each<[string, Raw, Record<string, string>, Record<string, string>]>([
    ['exact', { 'x-team': { exact: 'qa' } }, { 'x-team': 'qa' }, { 'x-team': 'qa2' }],
    ['prefix', { 'x-team': { prefix: 'q.' } }, { 'x-team': 'q.a' }, { 'x-team': 'qqa' }],
    ['suffix', { 'x-mail': { suffix: '@a.org' } }, { 'x-mail': 'me@a.org' }, { 'x-mail': 'me@a.organ' }],
    ['regex', { 'x-team': { regex: 'qa|dev' } }, { 'x-team': 'dev' }, { 'x-team': 'devil' }],
    ['several', { a: { exact: '1' }, b: { exact: '2' } }, { a: '1', b: '2' }, { a: '1' }],
    ['a cookie by name', { Cookie: { exact: 'canary' } }, { cookie: 'a=b; canary=always' }, { cookie: 'canary=never' }],
    ['a cookie by value', { cookie: { exact: 'v=2' } }, { cookie: 'v=2; x=y' }, { cookie: 'xv=2; v=22' }],
    ['a cookie by regex', { cookie: { regex: '^(.*?;)?(t=in)(;.*)?$' } }, { cookie: 't=in;b=1' }, { cookie: 't=inn' }],
  ])('tells users by %s', (_name, headers, inside, outside) => {
    const [route] = routesFor(testing([{ headers }]), 100);
    expect([lets(route?.['match'], inside), lets(route?.['match'], outside)]).toEqual([true, false]);
    expect(lets(route?.['match'], {})).toBe(false);
  });

  it('takes a user who is in one of several groups, and stays on the hosts of the original', () => {
    const match = [
      { headers: { a: { exact: '1' } } },
      { headers: { b: { exact: '1' } }, queryParams: { q: { exact: 'x' } } },
    ];
    const rule = routesFor(testing(match), 100)[0]?.['match'];
    expect([lets(rule, { a: '1' }), lets(rule, { b: '1' }), lets(rule, { b: '1' }, 'q=x')]).toEqual([
      true,
      false,
      true,
    ]);
    const elsewhere = { host: 'other', path: '/', method: 'GET', headers: { a: '1' }, query: new URLSearchParams() };
    expect(parseTraefikRule(String(rule))?.(elsewhere)).toBe(false);
  });

  it('speaks the older language to routes that are written in it', () => {
    const [route] = routesFor(
      testing([{ headers: { a: { exact: '1' }, b: { prefix: '2' } }, queryParams: { q: { exact: 'x' } } }]),
      100,
      source({ ...main, syntax: 'v2' }),
    );
    expect(route?.['match']).toBe(
      '(Host(`shop.example.com`)) && (Headers(`a`, `1`) && HeadersRegexp(`b`, `^2`) && Query(`q=x`))',
    );
    const patterns = testing([{ queryParams: { q: { regex: 'x' } } }]);
    expect(() => routesFor(patterns, 100, source({ ...main, syntax: 'v2' }))).toThrow('exact values only');
  });

  it('takes the place of the app only, where a route leads to several services', () => {
    const others = { name: 'other', port: 80, weight: 1 };
    const [route] = routesFor(insiders, 100, source({ ...main, services: [{ ...toApp, weight: 3 }, others] }));
    expect(route?.['services']).toEqual([
      { name: 'shop-canary', namespace: 'prod', port: 80, weight: 300 },
      { ...others, weight: 100 },
    ]);
  });

  it('says what it needs', () => {
    expect(() => routesFor(insiders, 100, source(api))).toThrow(
      'IngressRoute web.prod has no route that leads to the TraefikService or Service shop',
    );
    expect(() => routesFor(testing([{ sourceLabels: { a: 'b' } }]), 100)).toThrow(
      'Traefik needs headers or queryParams',
    );
    expect(() => routesFor(testing([]), 100)).toThrow('Traefik needs headers or queryParams');
    const { ingressRef: _none, ...without } = insiders;
    expect(strategyProblem(traefik, without)).toBe(
      'provider traefik cannot tell users apart: spec.analysis.match is not possible with it ' +
        'unless spec.ingressRef names the IngressRoute (traefik.io/v1alpha1) by which users come in',
    );
    expect(strategyProblem(traefik, insiders)).toBeUndefined();
  });
});
