import { describe, expect, it } from 'vitest';
import type { AnalysisSpec, CanarySpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { planRestore, planRoutes, routeDrift, strategyProblem, supportsOf } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import type { LiveObjects, RouteContext, Router } from '../../src/routers/router.ts';
import { describeRouter } from '../conformance/describe-router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const ingress: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: {
    name: 'web',
    namespace: 'prod',
    labels: { team: 'shop' },
    annotations: { 'kubernetes.io/ingress.class': 'nginx', 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' },
  },
  spec: {
    rules: [
      {
        host: 'shop.example.com',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'shop', port: { number: 80 } } } }],
        },
      },
    ],
  },
};
const ingressRoute: KubeObject = {
  apiVersion: 'traefik.io/v1alpha1',
  kind: 'IngressRoute',
  metadata: { name: 'web', namespace: 'prod', labels: { team: 'shop' } },
  spec: {
    entryPoints: ['web'],
    routes: [
      { kind: 'Rule', match: 'Host(`shop.example.com`)', services: [{ kind: 'TraefikService', name: 'shop' }] },
      { kind: 'Rule', match: 'Host(`other.example.com`)', services: [{ name: 'other', port: 80 }] },
    ],
  },
};
const apisixRoute: KubeObject = {
  apiVersion: 'apisix.apache.org/v2',
  kind: 'ApisixRoute',
  metadata: {
    name: 'web',
    namespace: 'prod',
    labels: { team: 'shop' },
    annotations: { 'k8s.apisix.apache.org/x': 'y' },
  },
  spec: {
    http: [
      { name: 'other', match: { paths: ['/other'] }, backends: [{ serviceName: 'other', servicePort: 80 }] },
      {
        name: 'main',
        priority: 5,
        match: { hosts: ['shop.example.com'], paths: ['/*'] },
        plugins: [{ name: 'limit-count', enable: true, config: { count: 10 } }],
        backends: [{ serviceName: 'shop', servicePort: 80, resolveGranularity: 'service', weight: 7 }],
      },
    ],
  },
};
const upstream: KubeObject = {
  apiVersion: 'gloo.solo.io/v1',
  kind: 'Upstream',
  metadata: { name: 'web', namespace: 'prod', labels: { team: 'shop' } },
  spec: { loadBalancerConfig: { leastRequest: { choiceCount: 3 } }, kube: { serviceName: 'shop', servicePort: 80 } },
};
const serviceOf = (name: string, app: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'prod' },
  spec: { selector: { app } },
});
const users = [
  ingress,
  ingressRoute,
  apisixRoute,
  upstream,
  serviceOf('shop-primary', 'shop-primary'),
  serviceOf('shop-canary', 'shop'),
];

const sessionAffinity = {
  cookieName: 'sid-c',
  primaryCookieName: 'sid-p',
  maxAgeSeconds: 600,
  httpOnly: false,
  secure: false,
  partitioned: false,
};
const cookies = { current: 'sid-c=AbCdEfGhIj', previous: 'sid-c=OldOldOldo', primary: 'sid-p=KlMnOpQrSt' };
const match = [{ headers: { 'x-beta': { exact: '1' } } }, { headers: { 'x-team': { regex: 'qa|dev' } } }];

/** Kinds of releases; each router has all that it can do. */
const releases: readonly { readonly release: string; readonly analysis: Partial<AnalysisSpec> }[] = [
  { release: 'by weights', analysis: {} },
  { release: 'by users', analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } } },
  { release: 'with session affinity', analysis: { sessionAffinity } },
];

function contextOf(router: Router, analysis: Partial<AnalysisSpec>): RouteContext {
  const { apiVersion, kind } = router.name === 'traefik' ? ingressRoute : ingress;
  const spec: CanarySpec = aSpec({
    provider: router.name,
    ingressRef: { apiVersion, kind, namespace: 'prod', name: 'web' },
    routeRef: { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', namespace: 'prod', name: 'web' },
    upstreamRef: { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', namespace: 'prod', name: 'web' },
    service: {
      apex: { labels: { tier: 'front' }, annotations: { 'example.org/owner': 'shop' } },
      raw: {
        hosts: ['shop.example.com'],
        gatewayRefs: [{ name: 'gw', namespace: 'infra' }],
        meshName: 'global',
        backends: ['audit.prod'],
        timeout: '5s',
      },
    },
    analysis,
  });
  const pods = { primary: { app: 'shop-primary' }, canary: { app: 'shop' } };
  return {
    ...aRouteContext(spec),
    ...(analysis.sessionAffinity ? { cookies } : {}),
    ...(router.beforePods ? { pods } : {}),
  };
}

for (const router of Object.values(routers) as readonly Router[]) {
  // Without weights there is nothing to conform to; Knative splits the target itself, which is the user's.
  if (!router.supports.weights || router.name === 'knative') continue;
  for (const { release, analysis } of releases) {
    const context = contextOf(router, analysis);
    const supports = supportsOf(router, context.spec);
    if (analysis.strategy && !supports.headers) continue;
    if (analysis.sessionAffinity && !supports.affinity) continue;
    const before = router
      .refs(context)
      .map((ref) => users.find(({ kind, metadata }) => kind === ref.kind && metadata.name === ref.name));
    const isAllOrNothing = router.name === 'nginx' && analysis.strategy !== undefined;
    // A copy that nobody has used yet is left as Flagger makes it; it leads to the primary both ways.
    const asOne = (object: KubeObject | undefined): KubeObject | undefined =>
      object && (JSON.parse(JSON.stringify(object).replace('"False()', '"Weight(100)')) as KubeObject);
    describeRouter(router, {
      release,
      context,
      before,
      isAllOrNothing,
      ...(router.name === 'skipper' ? { asOne } : {}),
    });

    describe(`router ${router.name}, ${release}`, () => {
      it('renders what its golden file shows', async () => {
        const at = (canaryWeight: number): unknown => router.render(context, { canaryWeight, mirror: false }, before);
        const golden = { 'at rest': at(0), 'at 30 percent': at(30), 'at 100 percent': at(100) };
        const suffix = release === 'by weights' ? '' : `-${release.replaceAll(' ', '-')}`;
        const file = `../../fixtures/routers/${router.name.replace(':', '-')}${suffix}.json`;
        await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(file);
      });
    });
  }
}

/** The same object under another name, as a second entrance of the app. */
const second = (object: KubeObject): KubeObject =>
  ({ ...object, metadata: { ...object.metadata, name: 'api', labels: { team: 'api' } } }) as KubeObject;

describe.each([
  { router: routers.nginx, entrance: ingress },
  { router: routers.skipper, entrance: ingress },
  { router: routers.apisix, entrance: apisixRoute },
  { router: routers.traefik, entrance: ingressRoute },
])('several entrances: $router.name', ({ router, entrance }) => {
  const { apiVersion, kind } = entrance;
  const ingressRefs = ['web', 'api'].map((name) => ({ apiVersion, kind, namespace: 'prod', name }));
  const all = [...users, second(entrance)];
  for (const { release, analysis } of releases) {
    const one = contextOf(router, analysis);
    const context = { ...one, spec: { ...one.spec, ingressRefs } };
    const supports = supportsOf(router, context.spec);
    if ((analysis.strategy && !supports.headers) || (analysis.sessionAffinity && !supports.affinity)) continue;
    const before = router
      .refs(context)
      .map((ref) => all.find((object) => object.kind === ref.kind && object.metadata.name === ref.name));
    const asOne = (object: KubeObject | undefined): KubeObject | undefined =>
      object && (JSON.parse(JSON.stringify(object).replace('"False()', '"Weight(100)')) as KubeObject);
    // A TraefikService has the weights of all users, an IngressRoute those of the users under test.
    const entrances = router.name === 'traefik' && release === 'by weights' ? 1 : 2;
    const isAllOrNothing = router.name === 'nginx' && analysis.strategy !== undefined;
    describeRouter(router, {
      release: `${release}, through two entrances`,
      context,
      before,
      entrances,
      isAllOrNothing,
      asOne,
    });

    it(`move together and are repaired together, ${release}`, () => {
      const at = (canaryWeight: number): LiveObjects => {
        const written = router.render(context, { canaryWeight, mirror: false }, before);
        return router
          .refs(context)
          .map((ref) =>
            [...written, ...all].find(({ kind: own, metadata }) => own === ref.kind && metadata.name === ref.name),
          );
      };
      const [judged, home] = [at(100), at(0)];
      const last = judged.findLastIndex((object, index) => JSON.stringify(object) !== JSON.stringify(home[index]));
      const mixed = judged.map((object, index) => (index === last ? home[index] : object));
      expect(router.read(context, mixed)).toEqual({ canaryWeight: 0, mirror: false });
      const lacking = judged.map((object, index) => (index === last ? undefined : object));
      // Who is missing is nobody's entrance yet; a TraefikService says of these users that they are home.
      if (entrances === 2 && router.name !== 'traefik') {
        expect(router.read(context, lacking)).toEqual({ canaryWeight: 100, mirror: false });
        expect(routeDrift(router, context, lacking)).toBe(true);
        expect(planRoutes(router, context, lacking, 'keep').map(({ object }) => object.metadata.name)).toEqual([
          judged[last]?.metadata.name,
        ]);
      }
    });
  }

  it('move not at all where one of them cannot be read, and lead home all the same', () => {
    const analysis = router.name === 'traefik' ? (releases[1]?.analysis ?? {}) : {};
    const one = contextOf(router, analysis);
    const context = { ...one, spec: { ...one.spec, ingressRefs } };
    const only = router
      .refs(context)
      .map((ref) => users.find(({ kind: own, metadata }) => own === ref.kind && metadata.name === ref.name));
    expect(() => planRoutes(router, context, only, { canaryWeight: 100, mirror: false })).toThrow(`${kind} api.prod`);
    const both = router
      .refs(context)
      .map((ref) => all.find((object) => object.kind === ref.kind && object.metadata.name === ref.name));
    const written = router.render(context, { canaryWeight: 100, mirror: false }, both);
    const away = router
      .refs(context)
      .map((ref) =>
        [...written, ...users].find(({ kind: own, metadata }) => own === ref.kind && metadata.name === ref.name),
      );
    expect(away.filter((object) => object?.metadata.name === 'api')).toEqual([]);
    const planned = planRoutes(router, context, away, { canaryWeight: 0, mirror: false }).map(({ object }) => object);
    const home = away.map(
      (object) =>
        planned.find(({ kind: own, metadata }) => own === object?.kind && metadata.name === object.metadata.name) ??
        object,
    );
    expect(router.read(context, home)).toEqual({ canaryWeight: 0, mirror: false });
  });

  it('are the users’ own: nothing of them is written when the Canary goes', () => {
    const one = contextOf(router, {});
    const context = { ...one, spec: { ...one.spec, ingressRefs } };
    const applied = '{"spec":{"as":"it was once"}}';
    const live = router.refs(context).map((ref) => {
      const found = all.find((object) => object.kind === ref.kind && object.metadata.name === ref.name);
      const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': applied };
      return found && ({ ...found, metadata: { ...found.metadata, annotations } } as KubeObject);
    });
    expect(live.filter((object) => object !== undefined)).toHaveLength(2);
    expect(planRestore(router, context, live)).toEqual([]);
  });
});

describe.each((Object.values(routers) as readonly Router[]).map((router) => ({ name: router.name, router })))(
  'router $name, with steps for some users only',
  ({ name, router }) => {
    const steps = { kind: 'canary' as const, steps: [10, 20], maxWeight: 20 };
    const some = contextOf(router, { strategy: { ...steps, match } });

    it('moves them as in an A/B test, or refuses to move everybody', () => {
      const problem = strategyProblem(router, some.spec);
      if (!router.supports.weights) return;
      if (problem !== undefined) {
        expect(problem).toContain(
          `provider ${name} cannot tell users apart: spec.analysis.match is not possible with it`,
        );
        expect(strategyProblem(router, contextOf(router, { strategy: steps }).spec)).toBeUndefined();
        return;
      }
      const before = router
        .refs(some)
        .map((ref) => users.find(({ kind, metadata }) => kind === ref.kind && metadata.name === ref.name));
      const test = contextOf(router, { strategy: { kind: 'ab-testing', iterations: 1, match } });
      for (const canaryWeight of [0, 10, 100]) {
        const split = { canaryWeight, mirror: false };
        expect(router.render(some, split, before)).toEqual(router.render(test, split, before));
      }
    });
  },
);

it('refuses steps for some users where none are told apart, or all at once', () => {
  const refusing = (Object.values(routers) as readonly Router[]).filter((router) => {
    const strategy = { kind: 'canary' as const, steps: [10], maxWeight: 10, match };
    return router.supports.weights && strategyProblem(router, contextOf(router, { strategy }).spec) !== undefined;
  });
  expect(refusing.map(({ name }) => name)).toEqual([
    'apisix',
    'knative',
    'kuma',
    'linkerd',
    'nginx',
    'osm',
    'skipper',
    'smi:v1alpha1',
    'smi:v1alpha2',
    'smi:v1alpha3',
  ]);
});

it('refuses session affinity where users cannot be kept on a version, and lets them go home all the same', () => {
  const refusing = (Object.values(routers) as readonly Router[]).filter((router) => {
    if (!router.supports.weights) return false;
    const problem = strategyProblem(router, contextOf(router, { sessionAffinity }).spec);
    const text = `provider ${router.name} cannot keep users where they are: spec.analysis.sessionAffinity is not possible with it`;
    expect(problem).toBe(router.supports.affinity ? undefined : text);
    return problem !== undefined;
  });
  expect(refusing.map(({ name }) => name)).toContain('traefik');
  const context = contextOf(routers.traefik, { sessionAffinity });
  const live = routers.traefik.render(context, { canaryWeight: 30, mirror: false }, [
    undefined,
    ingressRoute,
    undefined,
  ]);
  const [plan] = planRoutes(routers.traefik, context, [live[0], ingressRoute, undefined], {
    canaryWeight: 0,
    mirror: false,
  });
  expect(routers.traefik.read(context, [plan?.object])).toEqual({ canaryWeight: 0, mirror: false });
  expect(() => planRoutes(routers.traefik, context, live, { canaryWeight: 40, mirror: false })).toThrow(
    'cannot keep users',
  );
});

it('renders nothing where only Services exist', () => {
  const context = contextOf(routers.kubernetes, {});
  expect(routers.kubernetes.refs(context)).toEqual([]);
  expect(routers.kubernetes.render(context, { canaryWeight: 50, mirror: false }, [])).toEqual([]);
  expect(routers.kubernetes.read(context, [])).toEqual({ canaryWeight: 0, mirror: false });
});
