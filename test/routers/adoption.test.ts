import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { planRestore, planRoutes } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import type { LiveObjects, Router } from '../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const ORIGINAL = 'flagger.kubernetes.io/original-configuration';

const spec = aSpec({
  service: { raw: { gatewayRefs: [{ name: 'gw' }] }, apex: { labels: {}, annotations: { team: 'shop' } } },
});
const anObject = (kind: string, own: unknown, annotations?: Record<string, string>, name = 'shop'): KubeObject => ({
  apiVersion: 'example.org/v1',
  kind,
  metadata: { name, namespace: 'prod', uid: 'u', ...(annotations ? { annotations } : {}) },
  spec: own,
});

/** A whole life of a release over objects that were there before. */
function released(router: Router, of: CanarySpec, before: LiveObjects): LiveObjects {
  const context = aRouteContext(of);
  let live = before;
  for (const split of ['keep' as const, ...[10, 50, 0].map((canaryWeight) => ({ canaryWeight, mirror: false }))]) {
    const plan = planRoutes(router, context, live, split);
    live = router.refs(context).map((ref, at) => {
      const planned = plan.find(({ object }) => object.kind === ref.kind && object.metadata.name === ref.name);
      return planned?.object ?? live[at];
    });
  }
  return live;
}
function restored(router: Router, of: CanarySpec, live: LiveObjects): KubeObject[] {
  return planRestore(router, aRouteContext(of), live).map(({ object }) => object);
}

describe('a VirtualService that stood before the Canary', () => {
  const own = { hosts: ['shop.example.com'], http: [{ route: [{ destination: { host: 'shop' } }] }] };
  const route = (annotations?: Record<string, string>) => anObject('VirtualService', own, annotations);
  const routed = { hosts: ['shop'], http: [] };
  const restore = (annotations: Record<string, string>) =>
    restored(routers.istio, spec, [undefined, undefined, anObject('VirtualService', routed, annotations)]);

  it('is given back as it was after a whole release [MI15]', () => {
    const before = route({ team: 'web', purpose: 'all' });
    const live = released(routers.istio, spec, [undefined, undefined, before]);
    const taken = live[2]?.metadata.annotations ?? {};
    expect(JSON.parse(taken[ORIGINAL] ?? '')).toEqual(own);
    expect(taken['team']).toBe('shop');
    // The DestinationRules are the Canary's own: they go with it.
    expect(restored(routers.istio, spec, live).map(plain)).toEqual([plain(before)]);
  });

  it('is given back as kubectl last applied it [MI15]', () => {
    const [object, ...others] = restore({
      [LAST_APPLIED]: JSON.stringify({ spec: own }),
      [ORIGINAL]: '{"hosts":["x"]}',
    });
    expect(others).toEqual([]);
    expect(object?.['spec']).toEqual(own);
    expect(object?.metadata.annotations).toEqual({ [LAST_APPLIED]: JSON.stringify({ spec: own }) });
  });

  it('is given back as Flagger remembered it [MI15]', () => {
    expect(restore({ [ORIGINAL]: JSON.stringify(own) }).map((object) => object['spec'])).toEqual([own]);
  });

  it('stays where nothing is known of it [MI15]', () => {
    expect(restore({ team: 'web' })).toEqual([]);
  });

  it.each([{ [ORIGINAL]: '{' }, { [LAST_APPLIED]: 'no' }])('is held where %j cannot be read [MI15]', (annotations) => {
    expect(() => restore(annotations)).toThrow(`annotation ${Object.keys(annotations)[0]} is no JSON`);
  });

  it('that the Canary made leads to the apex Service in the end, and nothing else of it stays [R6]', () => {
    const live = released(routers.istio, spec, [undefined, undefined, undefined]);
    const [left, ...others] = restored(routers.istio, spec, live);
    expect(others).toEqual([]);
    expect(left?.metadata).toEqual({ name: 'shop', namespace: 'prod', annotations: { team: 'shop' } });
    expect(left?.['spec']).toMatchObject({ http: [{ route: [{ destination: { host: 'shop' }, weight: 100 }] }] });
    for (const object of live) expect(object?.metadata.annotations ?? {}).not.toHaveProperty(ORIGINAL);
  });

  it('is remembered once, not again with every change, and anew when it was made anew', () => {
    const context = aRouteContext(spec);
    const live = released(routers.istio, spec, [undefined, undefined, route()]);
    const edited = aRouteContext(aSpec({ service: { raw: { timeout: '9s' } } }));
    const [plan] = planRoutes(routers.istio, edited, live, 'keep');
    expect(plan?.object.metadata.annotations?.[ORIGINAL]).toBe(JSON.stringify(own));
    // What an earlier life left behind is no truth about an object that users wrote since.
    const other = { hosts: ['b'], http: [{ route: [{ destination: { host: 'b' } }] }] };
    const anew = anObject('VirtualService', other, { [ORIGINAL]: JSON.stringify(own) });
    const [again] = planRoutes(routers.istio, context, [live[0], live[1], anew], 'keep');
    expect(again?.object.metadata.annotations?.[ORIGINAL]).toBe(JSON.stringify(other));
  });
});

describe('what stood before the Canary is given back by every provider [R94]', () => {
  const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'web' };
  const users = { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', namespace: 'prod', name: 'web' };
  const testing = aSpec({
    ingressRef: users,
    analysis: { strategy: { kind: 'ab-testing', iterations: 3, match: [{ headers: { a: { exact: '1' } } }] } },
  });
  const backend = { service: { name: 'shop', port: { number: 80 } } };
  const webRules = { rules: [{ http: { paths: [{ path: '/', backend }] } }] };
  const web = anObject('Ingress', webRules, { [LAST_APPLIED]: '{"spec":{}}' }, 'web');
  const nginxs = { 'nginx.ingress.kubernetes.io/canary': 'true', 'nginx.ingress.kubernetes.io/canary-weight': '7' };
  const edge = anObject(
    'IngressRoute',
    { routes: [{ match: 'Host(`a`)', services: [{ name: 'shop' }] }] },
    undefined,
    'web',
  );

  it.each<[string, Router, CanarySpec, LiveObjects]>([
    [
      'HTTPProxy',
      routers.contour,
      spec,
      [anObject('HTTPProxy', { routes: [{ services: [{ name: 'shop', port: 80 }] }] })],
    ],
    [
      'HTTPRoute',
      routers['gatewayapi:v1'],
      spec,
      [anObject('HTTPRoute', { rules: [{ backendRefs: [{ name: 'shop' }] }] })],
    ],
    [
      'TraefikService',
      routers.traefik,
      spec,
      [anObject('TraefikService', { weighted: { services: [{ name: 'shop' }] } })],
    ],
    ['TrafficSplit', routers['smi:v1alpha2'], spec, [anObject('TrafficSplit', { service: 'x', backends: [] })]],
    [
      'canary Ingress',
      routers.nginx,
      aSpec({ ingressRef }),
      [web, anObject('Ingress', { rules: [{ host: 'b' }] }, nginxs, 'web-canary')],
    ],
    [
      'canary IngressRoute',
      routers.traefik,
      testing,
      [
        anObject('TraefikService', { weighted: { services: [] } }),
        edge,
        anObject('IngressRoute', { routes: [{ match: 'Host(`b`)', services: [] }] }, undefined, 'web-canary'),
      ],
    ],
  ])('%s', (_name, router, of, before) => {
    const live = released(router, of, before);
    const changed = live.filter((object, at) => object !== before[at]);
    expect(changed.length).toBeGreaterThan(0);
    for (const object of changed) {
      expect(jsonOf(object?.['metadata'])['ownerReferences'] ?? []).toEqual([]);
    }
    const back = restored(router, of, live);
    expect(back.map(plain)).toEqual(before.filter((object, at) => object !== live[at]).map(plain));
  });
});

/** No annotations and an empty set of them are the same; which version of an API it is does not matter here. */
function plain(object: KubeObject | undefined): unknown {
  const { annotations = {}, labels = {}, ...metadata } = object?.metadata ?? { name: '' };
  return { ...object, apiVersion: '', metadata: { ...metadata, annotations, labels } };
}

describe('the way in that a Canary made is given away when it goes [R6]', () => {
  const sessionAffinity = {
    cookieName: 'c',
    maxAgeSeconds: 60,
    httpOnly: false,
    secure: false,
    partitioned: false,
  };
  const testing = {
    strategy: { kind: 'ab-testing' as const, iterations: 3, match: [{ headers: { a: { exact: '1' } } }] },
  };
  const service = { raw: { gatewayRefs: [{ name: 'gw' }], mirror: [] } };

  it.each<[string, Router, CanarySpec]>([
    ['HTTPRoute', routers['gatewayapi:v1'], aSpec({ service })],
    ['HTTPRoute of an A/B test', routers['gatewayapi:v1'], aSpec({ service, analysis: testing })],
    ['HTTPRoute with sessions', routers['gatewayapi:v1beta1'], aSpec({ service, analysis: { sessionAffinity } })],
    ['VirtualService of an A/B test', routers.istio, aSpec({ analysis: testing })],
    ['VirtualService for TCP', routers.istio, aSpec({ service: { appProtocol: 'tcp', raw: {} } })],
    ['HTTPProxy of an A/B test', routers.contour, aSpec({ analysis: testing })],
    ['TraefikService', routers.traefik, aSpec()],
    ['RouteTable of an A/B test', routers.gloo, aSpec({ analysis: testing })],
    ['TrafficRoute', routers.kuma, aSpec()],
  ])('%s', (_name, router, of) => {
    const cookies = { current: 'c=AbCdEfGhIj', previous: 'c=OldOldOldo' };
    const context = { ...aRouteContext(of), cookies };
    for (const canaryWeight of [0, 30, 100]) {
      const live = router.render(
        context,
        { canaryWeight, mirror: false },
        router.refs(context).map(() => undefined),
      );
      const left = planRestore(router, context, live).map(({ object }) => object);
      expect(left.map(({ kind }) => kind)).toEqual([router.entrance]);
      const text = JSON.stringify(left);
      expect(text).not.toMatch(/shop-primary|shop-canary|AbCdEfGhIj|Canary|toolkit/);
      expect(text).toMatch(/"(name|host)":"shop"|"kuma.io\/service":"shop_prod_svc_80"/);
      expect(text).toContain('"weight":100');
      const after = live.map((object) => left.find(({ kind }) => kind === object.kind) ?? object);
      expect(planRestore(router, context, after)).toEqual([]);
    }
  });

  it('is nothing with providers by which nobody comes in', () => {
    const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'web' };
    const entrances = (Object.values(routers) as readonly Router[]).flatMap(({ name, entrance }) =>
      entrance ? [name] : [],
    );
    expect(entrances).toEqual([
      'contour',
      'gatewayapi',
      'gatewayapi:v1',
      'gatewayapi:v1beta1',
      'gloo',
      'istio',
      'kuma',
      'traefik',
    ]);
    const live = routers.linkerd.render(aRouteContext(aSpec({ ingressRef })), { canaryWeight: 30, mirror: false }, [
      undefined,
    ]);
    expect(restored(routers.linkerd, aSpec({ ingressRef }), live)).toEqual([]);
  });
});
